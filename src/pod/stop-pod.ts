import type { SandboxId } from '../base/ids.ts';
import { waitFor } from '../base/deadline.ts';
import type { Log } from '../base/log.ts';
import { operation } from '../base/steps.ts';
import type { Containers } from '../container/containers.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { subjectOfPod } from '../podsandbox/subject.ts';

export interface PodParts {
  readonly sandboxes: Sandboxes;
  readonly containers: Containers;
  readonly log: Log;
}

/**
 * Stops a pod: its containers at once, then its network and namespaces. A pod that is not there counts as stopped. The stop goes
 * on when its caller leaves, and the next call joins it.
 * @throws with the plugin's words while the network cannot be released.
 */
export async function stopPod(parts: PodParts, id: SandboxId, signal?: AbortSignal): Promise<void> {
  const work = stopPodWork(parts, id);
  await (signal === undefined ? work : waitFor(work, signal));
}

/** Only one stop runs for a pod, so that retries do not ask a hung plugin, or kill a process that does not die, again and again. */
async function stopPodWork(parts: PodParts, id: SandboxId): Promise<void> {
  const { sandboxes, containers } = parts;
  const record = sandboxes.store.get(id)?.record;
  const stop = async (): Promise<void> => {
    await sandboxes.markStopping(id);
    await containers.abortCreates(id);
    await stopContainersOf(containers, id);
    await sandboxes.stop(id);
  };
  const subject = record === undefined ? { sandboxId: id } : subjectOfPod(record);
  await sandboxes.joinStop(id, async () => operation('stop pod sandbox', subject, stop));
}

/** Kills the pod's containers: the kubelet has given them their time already. Returns when they hold nothing any more. */
async function stopContainersOf(containers: Containers, id: SandboxId): Promise<void> {
  await Promise.all(
    containers.ofSandbox(id).map(async ({ record }) => {
      await containers.stop(record.id, 0);
      // The release of an ended container happens under its lock.
      await containers.locked(record.id, async () => Promise.resolve());
    }),
  );
}

/** Removes a pod with all its containers, stopped or not. What is not there is removed. */
export async function removePod(parts: PodParts, id: SandboxId): Promise<void> {
  const { sandboxes, containers } = parts;
  const sandbox = sandboxes.store.get(id);
  if (sandbox === undefined) return;
  await operation('remove pod sandbox', subjectOfPod(sandbox.record), async () => {
    await stopPodWork(parts, id);
    await Promise.all(containers.ofSandbox(id).map(async ({ record }) => containers.remove(record.id)));
    await sandboxes.remove(id);
  });
}
