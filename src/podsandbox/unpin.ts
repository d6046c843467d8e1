import { onThread } from '../linux/kernel-threads.ts';
import { pathsOf, type SandboxParts } from './parts.ts';

/**
 * Releases a sandbox's namespaces. A network namespace that a queued release of the network needs is kept until that has worked:
 * plugins find what they made (masquerade rules, devices) by what is in it. Idempotent.
 */
export async function unpinSandbox(parts: Pick<SandboxParts, 'directories' | 'networks'>, id: string): Promise<void> {
  const directory = pathsOf(parts, id).namespaces;
  await onThread('unpinNamespaces', parts.networks.needsNamespace(id) ? { directory, kinds: ['ipc', 'uts', 'user'] } : { directory });
}
