import type { UserMapping } from '../linux/user-namespace.ts';
import type { CdiEdits } from './cdi-edits.ts';
import { sortByDepth } from './mounts.ts';
import type { OciMount, OciSpec } from './oci-types.ts';

/** Where the host has the devices of a spec. */
export interface DeviceSources {
  readonly userMapping?: UserMapping | undefined;
  readonly devices: readonly { readonly path: string; readonly hostPath: string }[];
  readonly cdi?: CdiEdits | undefined;
}

/** The spec of a container whose pod has a user namespace: what runtimes do with it there is what it says. */
export function inUserNamespace(spec: OciSpec, input: DeviceSources): OciSpec {
  if (input.userMapping === undefined) return spec;
  return withBoundNodes({ ...spec, mounts: spec.mounts.map(withType) }, input);
}

/** CDI files leave the type of a bind mount out, as they may; crun fails at that where it joins a user namespace: "File exists". */
function withType(mount: OciMount): OciMount {
  const isBind = mount.options?.some((option) => option === 'bind' || option === 'rbind') === true;
  return mount.type === undefined && isBind ? { ...mount, type: 'bind' } : mount;
}

/**
 * Nobody can make a device node in a user namespace, so runtimes bind one of the host: runc the host's node at the path that the
 * node has in the container, whatever device that is. A node that is elsewhere on the host is bound by a mount of ours instead. Who may
 * use it is said by the cgroup's rules as before; its owner and mode are the host's.
 */
function withBoundNodes(spec: OciSpec, { devices, cdi }: DeviceSources): OciSpec {
  const sources = new Map(devices.map(({ path, hostPath }) => [path, hostPath]));
  for (const { path, hostPath } of cdi?.deviceNodes ?? []) sources.set(path, hostPath === '' ? path : hostPath);
  const bound = spec.linux.devices.flatMap(({ path }): OciMount[] => {
    const source = sources.get(path) ?? path;
    return source === path ? [] : [{ destination: path, type: 'bind', source, options: ['bind'] }];
  });
  if (bound.length === 0) return spec;
  const paths = new Set(bound.map(({ destination }) => destination));
  return {
    ...spec,
    mounts: sortByDepth([...spec.mounts.filter(({ destination }) => !paths.has(destination)), ...bound]),
    linux: { ...spec.linux, devices: spec.linux.devices.filter(({ path }) => !paths.has(path)) },
  };
}
