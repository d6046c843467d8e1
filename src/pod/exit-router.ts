import type { ContainerId, SandboxId } from '../base/ids.ts';
import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import { isAlive } from '../linux/process.ts';
import type { PodParts } from './stop-pod.ts';

/** How often infra processes are looked at, milliseconds, for the case that their exit file was missed. */
const INFRA_POLL_MS = 5_000;

/** Hands an exit file to the container or the sandbox that it is about. */
export function routeExit(parts: PodParts, id: string): void {
  if (parts.sandboxes.store.claims(id)) {
    void checkInfraSafely(parts, id as SandboxId);
    return;
  }
  void parts.containers.exits.exitFileSeen(id as ContainerId);
}

/** A pod with a shared PID namespace is NotReady as soon as the process that keeps the namespace has ended. */
async function checkInfra(parts: PodParts, id: SandboxId): Promise<void> {
  const state = parts.sandboxes.store.get(id)?.state;
  if (state?.is !== 'Ready' || state.infra === undefined || (await isAlive(state.infra.process))) return;
  parts.log.warn('the infra process of a pod sandbox has ended; the sandbox is NotReady', { sandboxId: id });
  await parts.sandboxes.markLost(id, 'its infra process has ended');
}

/** Looks at every infra process now and then, until the signal aborts. */
export async function watchInfraProcesses(parts: PodParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { record } of parts.sandboxes.list()) await checkInfraSafely(parts, record.id);
    await sleep(INFRA_POLL_MS, signal);
  }
}

async function checkInfraSafely(parts: PodParts, id: SandboxId): Promise<void> {
  try {
    await checkInfra(parts, id);
  } catch (error) {
    parts.log.error('looking after an infra process failed', { sandboxId: id, error: messageOf(error) });
  }
}
