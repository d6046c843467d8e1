import { posix } from 'node:path';
import type { Device } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { PlannedDevice, ResolvedDevice } from './input.ts';
import type { OciDevice, OciDeviceRule } from './oci-types.ts';

export interface DevicesInput {
  /** Those of the request. */
  readonly devices: readonly ResolvedDevice[];
  /** Those of the host that a privileged container gets; the request's of the same path win. */
  readonly hostDevices: readonly ResolvedDevice[];
  /** Whether the cgroup lets every device be used. */
  readonly allowAll: boolean;
  /** Whether a mount of the request covers /dev. The container then has the nodes of that mount. */
  readonly replacesDev: boolean;
}

/**
 * The device nodes to make and the cgroup's rules. The usual ones (null, zero, full, random, urandom, tty, ptmx, the
 * pseudo terminals) are made and allowed by the runtime itself (OCI config-linux.md, "Default Devices").
 */
export function containerDevices(input: DevicesInput): { devices: OciDevice[]; rules: OciDeviceRule[] } {
  const asked = new Map<string, ResolvedDevice>();
  for (const device of input.hostDevices) asked.set(device.path, device);
  for (const device of input.devices) asked.set(device.path, device);
  const devices = input.replacesDev ? [] : [...asked.values()].map(toOciDevice);
  if (input.allowAll) return { devices, rules: [{ allow: true, access: 'rwm' }] };
  // A pipe has no device number that a rule could name.
  const allowed = input.devices.flatMap(({ type, major, minor, access }) =>
    type === 'p' ? [] : [{ allow: true, type, major, minor, access }],
  );
  return { devices, rules: [{ allow: false, access: 'rwm' }, ...allowed] };
}

function toOciDevice({ path, type, major, minor, fileMode, uid, gid }: ResolvedDevice): OciDevice {
  return { type, path, major, minor, fileMode, uid, gid };
}

/**
 * A device of a request, as far as the request decides it. Only paths below /dev are looked at later: elsewhere a hung network
 * file system could stall the daemon. @throws DaemonError InvalidArgument.
 */
export function planDevice({ hostPath, containerPath, permissions }: Device, owner?: PlannedDevice['owner']): PlannedDevice {
  const access = deviceAccess(permissions);
  const path = devicePath(containerPath, hostPath);
  if (isBelowDev(posix.join('/', hostPath))) return { hostPath, path, access, ...(owner === undefined ? {} : { owner }) };
  throw new DaemonError('InvalidArgument', `create container: device "${hostPath}": host_path must be below /dev`);
}

export function isBelowDev(path: string): boolean {
  return path.startsWith('/dev/');
}

/** The permissions of a request, each letter once. None at all means all. */
function deviceAccess(permissions: string): string {
  if (permissions === '') return 'rwm';
  if (!/^[rwm]+$/.test(permissions)) {
    throw new DaemonError('InvalidArgument', `build spec: device permissions are "${permissions}", must be of the letters r, w and m`);
  }
  return ['r', 'w', 'm'].filter((letter) => permissions.includes(letter)).join('');
}

/** A device's place in the container: the request's, else where the host has it. */
function devicePath(containerPath: string, hostPath: string): string {
  const path = posix.resolve('/', containerPath === '' ? hostPath : containerPath);
  if (path !== '/') return path;
  throw new DaemonError(
    'InvalidArgument',
    `build spec: device at ${JSON.stringify(containerPath)}: container_path must be a path below the root`,
  );
}
