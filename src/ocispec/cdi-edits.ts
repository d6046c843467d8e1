import { posix } from 'node:path';
import type { CompleteNode } from '../cdi/device-nodes.ts';
import type { CdiMount, ContainerEdits, Hook, IntelRdt } from '../cdi/spec.ts';
import { present } from '../base/field.ts';
import { appendHooks } from './hooks.ts';
import type { OciDevice, OciDeviceRule, OciIntelRdt, OciMount, OciSpec } from './oci-types.ts';

/** What several CDI devices want done to a spec: theirs one after the other, with device nodes that are complete. */
export interface CdiEdits extends Omit<ContainerEdits, 'deviceNodes'> {
  readonly deviceNodes: readonly CompleteNode[];
}

/** All edits as one: lists one after the other; of two that say intelRdt the later one counts. */
export function mergeCdiEdits(all: readonly CdiEdits[]): CdiEdits {
  return {
    env: all.flatMap(({ env }) => env),
    deviceNodes: all.flatMap(({ deviceNodes }) => deviceNodes),
    netDevices: all.flatMap(({ netDevices }) => netDevices),
    hooks: all.flatMap(({ hooks }) => hooks),
    mounts: all.flatMap(({ mounts }) => mounts),
    intelRdt: all.findLast(({ intelRdt }) => intelRdt !== undefined)?.intelRdt,
    additionalGids: all.flatMap(({ additionalGids }) => additionalGids),
  };
}

/** The spec of a container with these edits, as the upstream library makes them (test/integration/cdi). */
export function withCdiEdits(spec: OciSpec, edits: CdiEdits): OciSpec {
  const { user } = spec.process;
  const hooks = withHooks(spec.hooks, edits.hooks);
  const netDevices = { ...spec.linux.netDevices };
  for (const { hostInterfaceName, name } of edits.netDevices) netDevices[hostInterfaceName] = { name };
  const intelRdt = edits.intelRdt === undefined ? spec.linux.intelRdt : toOciIntelRdt(edits.intelRdt);
  const rules = [...(spec.linux.resources.devices ?? []), ...deviceRules(edits.deviceNodes)];
  return {
    ...spec,
    process: {
      ...spec.process,
      env: withVariables(spec.process.env, edits.env),
      user: { ...user, additionalGids: withGids(user.additionalGids, edits.additionalGids) },
    },
    mounts: withMounts(spec.mounts, edits.mounts),
    linux: {
      ...spec.linux,
      devices: withDevices(spec, edits.deviceNodes),
      resources: { ...spec.linux.resources, ...(rules.length === 0 ? {} : { devices: rules }) },
      ...(Object.keys(netDevices).length === 0 ? {} : { netDevices }),
      ...(intelRdt === undefined ? {} : { intelRdt }),
    },
    ...(hooks === undefined ? {} : { hooks }),
  };
}

/** The later of two values of a variable counts, in the place of the earlier. */
function withVariables(env: readonly string[], more: readonly string[]): string[] {
  const variables = new Map<string, string>();
  for (const entry of [...env, ...more]) variables.set(entry.slice(0, entry.indexOf('=')), entry);
  return [...variables.values()];
}

/** Group 0 is never added: it would be root's. */
function withGids(gids: readonly number[], more: readonly number[]): number[] {
  return [...new Set([...gids, ...more.filter((gid) => gid !== 0)])];
}

/** A node takes the place of another at its path. One without an owner belongs to the container's user and group. */
function withDevices({ process: { user }, linux }: OciSpec, nodes: readonly CompleteNode[]): OciDevice[] {
  const devices = new Map(linux.devices.map((device) => [device.path, device]));
  for (const { type, path, major, minor, fileMode, uid, gid } of nodes) {
    const owner = { uid: uid ?? (user.uid > 0 ? user.uid : undefined), gid: gid ?? (user.gid > 0 ? user.gid : undefined) };
    devices.delete(path);
    devices.set(path, { type, path, major, minor, ...present({ fileMode, ...owner }) });
  }
  return [...devices.values()];
}

function deviceRules(nodes: readonly CompleteNode[]): OciDeviceRule[] {
  return nodes.flatMap(({ type, major, minor, permissions }) =>
    type === 'b' || type === 'c' ? [{ allow: true, type, major, minor, access: permissions === '' ? 'rwm' : permissions }] : [],
  );
}

/** A mount takes the place of another at its path; then parents stand before what lies in them. */
function withMounts(mounts: readonly OciMount[], more: readonly CdiMount[]): readonly OciMount[] {
  if (more.length === 0) return mounts;
  let all = [...mounts];
  for (const { hostPath, containerPath, options, type } of more) {
    const replaced = all.findIndex(({ destination }) => destination === containerPath);
    all = all.filter((_, index) => index !== replaced);
    all.push({
      destination: containerPath,
      source: hostPath,
      ...(type === '' ? {} : { type }),
      ...(options.length === 0 ? {} : { options }),
    });
  }
  return all.toSorted((one, other) => depth(one.destination) - depth(other.destination));
}

function depth(path: string): number {
  return posix
    .normalize(path)
    .replace(/(?<=.)\/$/, '')
    .split('/').length;
}

function withHooks(given: OciSpec['hooks'], more: readonly Hook[]): OciSpec['hooks'] {
  return more.reduce((hooks, { hookName, path, args, env, timeout }) => {
    const hook = { path, ...(args.length === 0 ? {} : { args }), ...(env.length === 0 ? {} : { env }), ...present({ timeout }) };
    return appendHooks(hooks, { [hookName]: [hook] });
  }, given);
}

function toOciIntelRdt({ closID, l3CacheSchema, memBwSchema, schemata, enableMonitoring }: IntelRdt): OciIntelRdt {
  const texts = Object.entries({ closID, l3CacheSchema, memBwSchema }).filter(([, text]) => text !== '');
  return {
    ...Object.fromEntries(texts),
    ...(schemata === undefined || schemata.length === 0 ? {} : { schemata }),
    ...(enableMonitoring ? { enableMonitoring } : {}),
  };
}
