import { DaemonError, messageOf } from '../base/errors.ts';
import { namespaceOfSysctl } from '../linux/namespaces.ts';

/** Whose namespaces a pod's sysctls would be set in. */
export interface SysctlNamespaces {
  readonly net: 'pod' | 'node';
  readonly ipc: 'pod' | 'node';
}

/**
 * The sysctls to set in a pod's own namespaces: the node's defaults where they apply, the request's over them. Anything
 * that is not of a namespace of the pod's own would change the node, and is refused.
 * @throws DaemonError InvalidArgument
 */
export function podSysctls(
  requested: Readonly<Record<string, string>>,
  namespaces: SysctlNamespaces,
  defaults: Readonly<Record<string, string>>,
): Record<string, string> {
  const sysctls = new Map<string, readonly [name: string, value: string]>();
  for (const [name, value] of Object.entries(defaults)) {
    const kind = kindOf(name);
    if (kind !== undefined && namespaces[kind] === 'pod') sysctls.set(dotted(name), [name, value]);
  }
  for (const [name, value] of Object.entries(requested)) {
    const kind = kindOf(name);
    if (kind === undefined) {
      throw new DaemonError(
        'InvalidArgument',
        `run pod sandbox: sysctls: "${name}" is one of the whole node, must be of the pod's network or IPC namespace`,
      );
    }
    if (namespaces[kind] === 'node') {
      throw new DaemonError(
        'InvalidArgument',
        `run pod sandbox: sysctls: "${name}" is of the ${kind} namespace, and the pod uses the node's, must have its own`,
      );
    }
    sysctls.set(dotted(name), [name, value]);
  }
  return Object.fromEntries(sysctls.values());
}

/** The hostname is a field of its own in the CRI, so a pod has no sysctls of the UTS namespace. */
function kindOf(name: string): 'net' | 'ipc' | undefined {
  try {
    const kind = namespaceOfSysctl(name);
    return kind === 'uts' ? undefined : kind;
  } catch (error) {
    throw new DaemonError('InvalidArgument', `run pod sandbox: ${messageOf(error)}`, { cause: error });
  }
}

/** One spelling for `net/core/somaxconn` and `net.core.somaxconn`, so that the request's value replaces the default. */
function dotted(name: string): string {
  const swap = /[./]/.exec(name)?.[0] === '/';
  return swap ? name.replaceAll(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : name;
}
