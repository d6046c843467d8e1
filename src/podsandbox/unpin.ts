import { join } from 'node:path';
import { onThread } from '../linux/kernel-threads.ts';
import type { SandboxParts } from './parts.ts';

/**
 * Releases a sandbox's namespaces, but for a network namespace that a queued release of the network needs: plugins find what they
 * made (masquerade rules, devices) by what is in it. That one goes with the release. Idempotent.
 */
export async function unpinSandbox(
  { namespaceDirectory, networks }: Pick<SandboxParts, 'namespaceDirectory' | 'networks'>,
  id: string,
): Promise<void> {
  const directory = join(namespaceDirectory, id);
  await onThread('unpinNamespaces', networks.needsNamespace(id) ? { directory, kinds: ['ipc', 'uts'] } : { directory });
}
