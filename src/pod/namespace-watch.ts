import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import { isStillPinned } from '../linux/namespaces.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import type { SandboxRecord } from '../podsandbox/sandbox.ts';
import type { PodParts } from './stop-pod.ts';

/** How often the namespaces of all pods are looked at, milliseconds: a statfs(2) each, of a file system that cannot hang. */
const POLL_MS = 5_000;

/** The path of a namespace that a sandbox should have and has not; undefined where it has all. */
export function lostNamespace(sandboxes: Sandboxes, record: SandboxRecord): string | undefined {
  for (const path of Object.values(sandboxes.pathsOf(record.id).namespacesOf(record))) {
    if (path !== 'host' && !isStillPinned(path)) return path;
  }
  return undefined;
}

/** A pod whose namespace somebody has unmounted gets no new container: it is NotReady, so that the kubelet makes another. */
export async function watchNamespaces(parts: PodParts, signal: AbortSignal): Promise<void> {
  const { sandboxes, log } = parts;
  while (!signal.aborted) {
    await sleep(POLL_MS, signal);
    for (const { record, state } of sandboxes.list()) {
      if (state.is !== 'Ready') continue;
      try {
        const lost = lostNamespace(sandboxes, record);
        if (lost === undefined || sandboxes.store.get(record.id)?.state.is !== 'Ready') continue;
        log.warn('a namespace of a pod sandbox is gone; the sandbox is NotReady', { sandboxId: record.id, path: lost });
        await sandboxes.markLost(record.id, `its namespace ${lost} is gone`);
      } catch (error) {
        log.error('looking after the namespaces of a pod sandbox failed', { sandboxId: record.id, error: messageOf(error) });
      }
    }
  }
}
