import type { ContainerSpecInput } from './input.ts';
import { sortByDepth } from './mounts.ts';
import type { OciMount, OciSpec } from './oci-types.ts';

/**
 * Nobody can make a device node in a user namespace, so runtimes bind one of the host: runc the host's node at the path that the
 * node has in the container, whatever device that is. A node that is elsewhere on the host is bound by a mount of ours instead. Who may
 * use it is said by the cgroup's rules as before; its owner and mode are the host's.
 */
export function withBoundNodes(spec: OciSpec, { devices, cdi, userMapping }: ContainerSpecInput): OciSpec {
  if (userMapping === undefined) return spec;
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
