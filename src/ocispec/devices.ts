import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { splitDeviceNumber } from '../linux/device-number.ts';
import { isBelowDev } from './device-rules.ts';
import type { PlannedDevice, ResolvedDevice } from './input.ts';

/** What a container has of its own in /dev: the host's is not shown to it. */
const OWN_IN_DEV = new Set([
  'pts',
  'shm',
  'mqueue',
  'fd',
  'console',
  'ptmx',
  'core',
  'stdin',
  'stdout',
  'stderr',
  '.udev',
  '.lxc',
  '.lxd-mounts',
]);
/** No device tree of a host is deeper: /dev/bus/usb/001/002 is four. */
const MAX_DEPTH = 8;

/**
 * Finds the devices that a request names. A directory stands for all devices in it.
 * @throws DaemonError InvalidArgument for what is no device, NotFound for what is not there.
 */
export async function resolveDevices(requested: readonly PlannedDevice[]): Promise<ResolvedDevice[]> {
  const found = await Promise.all(
    requested.map(async (device) => (await resolveDevice(device)).map((each) => ownedBy(each, device.owner))),
  );
  return found.flat();
}

function ownedBy(device: ResolvedDevice, owner: PlannedDevice['owner']): ResolvedDevice {
  return owner === undefined ? device : { ...device, uid: owner.uid ?? device.uid, gid: owner.gid ?? device.gid };
}

async function resolveDevice({ hostPath, path, access }: PlannedDevice): Promise<ResolvedDevice[]> {
  const what = `create container: device "${hostPath}"`;
  const real = await realpath(hostPath).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) throw new DaemonError('NotFound', `${what}: it is not on this node`, { cause: error });
    throw error;
  });
  if (!isBelowDev(real)) throw new DaemonError('InvalidArgument', `${what}: it is a link to "${real}", must lead below /dev`);
  const stats = await lstat(real);
  if (stats.isDirectory()) return listDirectory(real, path, access, MAX_DEPTH);
  const device = toDevice(stats, { hostPath: real, path, access });
  if (device === undefined)
    throw new DaemonError('InvalidArgument', `${what}: it is neither a device nor a directory of devices, must be one`);
  return [device];
}

/** Every device node of the host's /dev except terminals and what a container has of its own. */
export async function listHostDevices(): Promise<ResolvedDevice[]> {
  return listDirectory('/dev', '/dev', 'rwm', MAX_DEPTH, OWN_IN_DEV);
}

async function listDirectory(
  directory: string,
  containerPath: string,
  access: string,
  depth: number,
  without: ReadonlySet<string> = new Set(),
): Promise<ResolvedDevice[]> {
  if (depth === 0) return [];
  // A device may go away between being listed and being looked at: then it is not there.
  const names = await unlessMissing(readdir(directory), []);
  const found = await Promise.all(
    names
      .filter((name) => !without.has(name))
      .map(async (name) => {
        const stats = await unlessMissing(lstat(join(directory, name)), undefined);
        if (stats === undefined) return [];
        if (stats.isDirectory()) return listDirectory(join(directory, name), join(containerPath, name), access, depth - 1);
        const device = toDevice(stats, { hostPath: join(directory, name), path: join(containerPath, name), access });
        return device === undefined || device.type === 'p' ? [] : [device];
      }),
  );
  return found.flat();
}

export function toDevice(stats: Stats, place: Pick<ResolvedDevice, 'hostPath' | 'path' | 'access'>): ResolvedDevice | undefined {
  const type = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : stats.isFIFO() ? 'p' : undefined;
  if (type === undefined) return undefined;
  const { major, minor } = splitDeviceNumber(stats.rdev);
  return { ...place, type, major, minor, fileMode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
}
