import type { SpecNamespaces } from './input.ts';
import type { OciNamespace } from './oci-types.ts';

/** The namespaces of the spec. What comes from the host is not in the list: a process keeps what its parent has. */
export function ociNamespaces(namespaces: SpecNamespaces, more: { readonly cgroup: boolean }): OciNamespace[] {
  const join = (type: OciNamespace['type'], from: string): OciNamespace[] => (from === 'host' ? [] : [{ type, path: from }]);
  return [
    ...join('user', namespaces.user ?? 'host'),
    { type: 'mount' },
    ...(namespaces.pid === 'new' ? [{ type: 'pid' as const }] : join('pid', namespaces.pid)),
    ...join('network', namespaces.net),
    ...join('ipc', namespaces.ipc),
    ...join('uts', namespaces.uts),
    ...(more.cgroup ? [{ type: 'cgroup' as const }] : []),
  ];
}
