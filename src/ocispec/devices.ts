import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import type { Device } from '../../api/cri/runtime.ts';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { splitDeviceNumber } from '../linux/device-number.ts';
import { deviceAccess, devicePath } from './device-rules.ts';
import type { ResolvedDevice } from './input.ts';

/** What a container has of its own in /dev, so that the host's is not shown to it. */
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
 * Only paths below /dev are looked at: elsewhere a hung network file system could stall the daemon.
 * @throws DaemonError InvalidArgument for what is no device, NotFound for what is not there.
 */
export async function resolveDevices(requested: readonly Device[]): Promise<ResolvedDevice[]> {
  const found = await Promise.all(requested.map(resolveDevice));
  return found.flat();
}

async function resolveDevice(request: Device): Promise<ResolvedDevice[]> {
  const what = `create container: device "${request.hostPath}"`;
  const access = deviceAccess(request.permissions);
  const path = devicePath(request.containerPath, request.hostPath);
  if (!isBelowDev(join('/', request.hostPath))) throw new DaemonError('InvalidArgument', `${what}: host_path must be below /dev`);
  const real = await realpath(request.hostPath).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) throw new DaemonError('NotFound', `${what}: it is not on this node`, { cause: error });
    throw error;
  });
  if (!isBelowDev(real)) throw new DaemonError('InvalidArgument', `${what}: it is a link to "${real}", must lead below /dev`);
  const stats = await lstat(real);
  if (stats.isDirectory()) return listDirectory(real, path, access, MAX_DEPTH);
  const device = toDevice(stats, path, access);
  if (device === undefined)
    throw new DaemonError('InvalidArgument', `${what}: it is neither a device nor a directory of devices, must be one`);
  return [device];
}

function isBelowDev(path: string): boolean {
  return path.startsWith('/dev/');
}

/** Every device node of the host's /dev but the terminals and what a container has of its own. */
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
        const device = toDevice(stats, join(containerPath, name), access);
        return device === undefined || device.type === 'p' ? [] : [device];
      }),
  );
  return found.flat();
}

function toDevice(stats: Stats, path: string, access: string): ResolvedDevice | undefined {
  const type = stats.isCharacterDevice() ? 'c' : stats.isBlockDevice() ? 'b' : stats.isFIFO() ? 'p' : undefined;
  if (type === undefined) return undefined;
  const { major, minor } = splitDeviceNumber(stats.rdev);
  return { path, type, major, minor, fileMode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, access };
}
