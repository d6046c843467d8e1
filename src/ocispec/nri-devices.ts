import { posix } from 'node:path';
import { Field } from '../../api/nri/enums.ts';
import type { LinuxDevice } from '../../api/nri/messages.ts';
import { present } from '../base/field.ts';
import type { AdjustmentContext } from './nri-context.ts';
import { entryKey, quoted, refuseNul, type Refuse } from './nri-refusal.ts';
import type { OciDevice, OciDeviceRule, OciMount, OciSpec } from './oci-types.ts';

/** Most that a device number may be: no kernel has more bits for it. */
const MOST = 2n ** 32n - 1n;

/** A device takes the place of the one at its path, and may be used: as upstream, read and written, a disk made as well. */
export function withDevices(
  spec: OciSpec,
  asked: readonly LinuxDevice[],
  context: Pick<AdjustmentContext, 'userMapping' | 'deviceSources'>,
  refuse: Refuse,
): OciSpec {
  if (asked.length === 0) return spec;
  const devices = [...spec.linux.devices];
  const rules = [...(spec.linux.resources.devices ?? [])];
  let { mounts } = spec;
  for (const request of asked) {
    const { key, isRemoved } = entryKey(request.path);
    const index = devices.findIndex(({ path }) => path === key);
    if (index !== -1) devices.splice(index, 1);
    if (context.userMapping !== undefined) mounts = mounts.filter((mount) => mount.destination !== key || !isBoundNode(mount));
    if (isRemoved) continue;
    const device = ociDevice(request, refuse);
    if (context.userMapping !== undefined && !context.deviceSources.has(key)) refuse({ field: Field.Devices, key }, notThere(device));
    devices.push(device);
    rules.push(...rulesFor(device));
  }
  const { linux } = spec;
  const resources = rules.length === 0 ? linux.resources : { ...linux.resources, devices: rules };
  return { ...spec, mounts, linux: { ...linux, devices, resources } };
}

/** As in-user-namespace.ts makes them. */
function isBoundNode({ type, options }: OciMount): boolean {
  return type === 'bind' && options?.join() === 'bind';
}

function notThere({ path, type, major, minor }: OciDevice): string {
  return `linux.devices: ${quoted(path)} is ${type} ${major}:${minor}, which is nowhere in /dev of this node, must be there: the pod has a user namespace, in which no node can be made, so it gets the node's`;
}

function ociDevice({ path, type, major, minor, fileMode, uid, gid }: LinuxDevice, refuse: Refuse): OciDevice {
  const part = { field: Field.Devices, key: path };
  if (!path.startsWith('/') || posix.resolve(path) === '/')
    refuse(part, `linux.devices has the path ${quoted(path)}, must be absolute and below the root`);
  refuseNul([path], (words) => refuse(part, `linux.devices ${words}`));
  const kind =
    TYPES.find((each) => each === type) ??
    refuse(part, `linux.devices: ${quoted(path)} has the type ${quoted(type)}, must be b, c, u or p`);
  for (const number of [major, minor])
    if (number < 0n || number > MOST)
      refuse(part, `linux.devices: ${quoted(path)} has the number ${major}:${minor}, must be from 0 to ${MOST}`);
  const owner = { fileMode: fileMode?.value, uid: uid?.value, gid: gid?.value };
  return { path, type: kind, major: Number(major), minor: Number(minor), ...present(owner) };
}

const TYPES = ['b', 'c', 'u', 'p'] as const;

/** A pipe has no number that a rule could name, and an unbuffered device is a character device. */
function rulesFor({ type, major, minor }: OciDevice): OciDeviceRule[] {
  if (type === 'p') return [];
  return [{ allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access: type === 'b' ? 'rwm' : 'rw' }];
}
