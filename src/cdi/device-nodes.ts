/** Completes the device nodes of CDI edits by what the host has. */
import { lstat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { splitDeviceNumber } from '../linux/device-number.ts';
import type { FoundEdits } from './find-devices.ts';
import type { DeviceNode, DeviceType } from './spec.ts';

/** A device node with all that the OCI runtime needs to make it. */
export type CompleteNode = Omit<DeviceNode, 'type'> & { readonly type: DeviceType };

/**
 * @param bindsHostNodes whether the container gets the host's nodes themselves, as in a user namespace, where none can be made: then each must be there.
 * @throws DaemonError NotFound for a node that is not there, FailedPrecondition for one that is of another type or number.
 */
export async function completeNodes({ of, edits }: FoundEdits, { bindsHostNodes }: { bindsHostNodes: boolean }): Promise<CompleteNode[]> {
  const what = `create container: ${of}`;
  return Promise.all(
    edits.deviceNodes.map(async (node) => {
      const complete = await completeNode(node, what);
      if (bindsHostNodes) await checkHostNode(complete, what);
      return complete;
    }),
  );
}

async function checkHostNode({ path, hostPath, type, major, minor }: CompleteNode, what: string): Promise<void> {
  const place = hostPath === '' ? path : hostPath;
  const stats = await lstat(place).catch(() => undefined);
  const found = stats === undefined ? undefined : typeOf(stats);
  const text = (number: { readonly major: number; readonly minor: number }): string => `${number.major}:${number.minor}`;
  // A 'u' is a character device.
  const isSame = found === (type === 'u' ? 'c' : type);
  if (stats !== undefined && isSame && (type === 'p' || text(splitDeviceNumber(stats.rdev)) === text({ major, minor }))) return;
  const words = `in a pod with a user namespace the host's node ${place} is what it gets, so it must be there and be of type ${type}`;
  fail('FailedPrecondition', `${what}: ${words}${type === 'p' ? '' : ` and number ${text({ major, minor })}`}`);
}

/** A node with its type and number is complete; it takes no more than the permission bits, if the host has the node. */
async function completeNode(node: DeviceNode, what: string): Promise<CompleteNode> {
  const hostPath = node.hostPath === '' ? node.path : node.hostPath;
  const isComplete = node.type !== '' && (node.major !== 0 || node.type === 'p');
  const stats = await lstat(hostPath).catch((error: unknown) => {
    if (isComplete) return undefined;
    throw new DaemonError('NotFound', `${what}: the host's device ${hostPath} cannot be looked at: ${messageOf(error)}`, { cause: error });
  });
  const type = stats === undefined ? undefined : typeOf(stats);
  if (isComplete) {
    const fileMode = node.fileMode ?? (type === undefined || stats === undefined ? undefined : stats.mode & 0o7777);
    return { ...node, type: node.type, fileMode };
  }
  if (stats === undefined || type === undefined)
    return fail('FailedPrecondition', `${what}: ${hostPath} of the host must be a device node`);
  if (node.type !== '' && node.type !== type)
    return fail('FailedPrecondition', `${what}: ${hostPath} of the host is of type ${type}, must be of type ${node.type}`);
  const number = type === 'p' || node.major !== 0 ? {} : splitDeviceNumber(stats.rdev);
  return { ...node, type, fileMode: node.fileMode ?? stats.mode & 0o7777, ...number };
}

function typeOf(stats: Stats): DeviceType | undefined {
  if (stats.isBlockDevice()) return 'b';
  if (stats.isCharacterDevice()) return 'c';
  return stats.isFIFO() ? 'p' : undefined;
}
