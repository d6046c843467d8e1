/** Completes the device nodes of CDI edits by what the host has. */
import { lstat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { splitDeviceNumber } from '../linux/device-number.ts';
import type { FoundEdits } from './find-devices.ts';
import type { DeviceNode, DeviceType } from './spec.ts';

/** A device node with all that the OCI runtime needs to make it. */
export type CompleteNode = Omit<DeviceNode, 'type'> & { readonly type: DeviceType };

/** @throws DaemonError NotFound for a node that is not there, FailedPrecondition for one that is of another type. */
export async function completeNodes({ of, edits }: FoundEdits): Promise<CompleteNode[]> {
  return Promise.all(edits.deviceNodes.map(async (node) => completeNode(node, `create container: ${of}`)));
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
