import { join } from 'node:path';
import { unpinNamespaces } from '../linux/namespaces.ts';
import type { SandboxParts } from './parts.ts';

/**
 * Releases a sandbox's namespaces, but for a network namespace that a queued release of the network needs: plugins find what they
 * made (masquerade rules, devices) by what is in it. That one goes with the release. Idempotent.
 */
export function unpinSandbox({ namespaceDirectory, networks }: Pick<SandboxParts, 'namespaceDirectory' | 'networks'>, id: string): void {
  const directory = join(namespaceDirectory, id);
  if (networks.needsNamespace(id)) unpinNamespaces(directory, ['ipc', 'uts']);
  else unpinNamespaces(directory);
}
