import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Container, ContainerRecord } from '../container/container.ts';
import { imagesOf, isAliveState } from '../container/container.ts';
import { madeOf } from '../container/start.ts';
import { runtimeOf } from '../container/parts.ts';
import { isPinned } from '../linux/namespaces.ts';
import { bootId, isAlive } from '../linux/process.ts';
import type { SandboxParts } from '../podsandbox/parts.ts';
import { namespacePaths } from '../podsandbox/run.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { removePod, stopPod, type PodParts } from './stop-pod.ts';

export interface RestoreParts extends PodParts {
  readonly sandboxParts: SandboxParts;
}

/**
 * Brings the records in line with what is there, before the first call is served: objects that were never finished are
 * removed, stops and removals that were cut short are finished, ends that nobody saw are recorded. What fails for one object
 * is logged and never stops the start.
 */
export async function restore(parts: RestoreParts): Promise<void> {
  const { sandboxes, containers } = parts;
  await Promise.all([sandboxes.store.load(), containers.store.load()]);
  for (const { record } of containers.store.list()) for (const id of imagesOf(record)) containers.parts.images.hold(id, record.id);
  const boot = await bootId();
  await each(parts, 'container', containers.store.list(), async (container) => restoreContainer(parts, container, boot));
  await each(
    parts,
    'container',
    containers.store.listCreating().map((record) => ({ record })),
    async ({ record }) => containers.removeUnfinished(record),
  );
  await each(parts, 'pod sandbox', sandboxes.store.list(), async (sandbox) => restoreSandbox(parts, sandbox, boot));
  await each(
    parts,
    'pod sandbox',
    sandboxes.store.listCreating().map((record) => ({ record })),
    async ({ record }) => {
      await sandboxes.removeUnfinished(record);
    },
  );
}

/** How many objects are restored at a time: the processors are few, and most of the work is processes. */
const CONCURRENCY = 4;
/**
 * How long the start waits for one object, milliseconds. A process that hangs in the kernel or a plugin that does not answer
 * keeps its own object unfinished, and nothing else; the work on it goes on beside the calls, as for a caller that left.
 */
const PATIENCE_MS = 10_000;

async function each<T extends { readonly record: { readonly id: string } }>(
  parts: RestoreParts,
  kind: string,
  objects: readonly T[],
  work: (object: T) => Promise<void>,
): Promise<void> {
  const queue = [...objects];
  const worker = async (): Promise<void> => {
    for (let object = queue.shift(); object !== undefined; object = queue.shift()) {
      const { id } = object.record;
      const done = work(object).then(
        () => true,
        (error: unknown) => {
          parts.log.error(`restoring a ${kind} failed; it is left as it is`, { id, error: messageOf(error) });
          return true;
        },
      );
      const patience = new AbortController();
      const isDone = await Promise.race([done, sleep(PATIENCE_MS, patience.signal)]);
      patience.abort();
      if (isDone !== true) parts.log.warn(`restoring a ${kind} takes long; it goes on in the background`, { id });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

async function restoreContainer(parts: RestoreParts, container: Container, boot: string): Promise<void> {
  const { containers } = parts;
  const { record, state } = container;
  // A sandbox whose state cannot be read is taken as never finished, and its containers go with it.
  if (state.is === 'Parked' || state.is === 'Removing' || parts.sandboxes.store.get(record.sandboxId) === undefined) {
    if (isAliveState(state) && record.bootId !== boot) await containers.exits.endLost(container);
    containers.exits.watchOrphan(record.id);
    await containers.remove(record.id);
    return;
  }
  if (state.is === 'Exited') {
    await containers.locked(record.id, async () => containers.exits.release(record));
    return;
  }
  if (record.bootId !== boot) {
    await containers.exits.endLost(container);
    return;
  }
  await containers.exits.check(record.id);
  containers.exits.watchOrphan(record.id);
  if (state.is === 'Starting') await settleStart(parts, record);
}

/** A start was cut short between its intent and its record: the runtime knows whether the process got to run. */
async function settleStart(parts: RestoreParts, record: ContainerRecord): Promise<void> {
  const { containers } = parts;
  await containers.locked(record.id, async () => {
    const state = containers.store.get(record.id)?.state;
    if (state?.is !== 'Starting') return;
    const known = await containers.untilKilled(record.id, 'look at', async (signal) => runtimeOf(containers.parts, record).state(record.id, signal));
    if (known?.status === 'created') await containers.store.save(record.id, { ...madeOf(state), is: 'Created' });
    else await containers.store.save(record.id, { ...madeOf(state), is: 'Running', startedAtNs: state.startedAtNs });
  });
}

async function restoreSandbox(parts: RestoreParts, sandbox: Sandbox, boot: string): Promise<void> {
  const { sandboxes, sandboxParts } = parts;
  const { record, state } = sandbox;
  if (state.is === 'Parked' || state.is === 'Removing') {
    await removePod(parts, record.id);
    return;
  }
  if (state.is === 'Stopping') {
    await stopPod(parts, record.id);
    return;
  }
  if (state.is === 'NotReady' || state.is === 'Lost') return;
  const lost = await whatIsLost(sandboxParts, sandbox, boot);
  if (lost === undefined) return;
  parts.log.warn('a pod sandbox did not outlive the daemon', { sandbox: record.id, lost });
  await sandboxes.markLost(record.id, lost);
  if (record.bootId === boot) return;
  // The namespace went with the boot, so the addresses are released now, not when the kubelet gets round to it.
  if (record.namespaces.net === 'pod') await sandboxParts.networks.detachLater({ containerId: record.id });
  await rm(join(sandboxParts.namespaceDirectory, record.id), { recursive: true, force: true });
}

/** What a Ready sandbox cannot do without and has lost; undefined where nothing is. */
async function whatIsLost(parts: SandboxParts, sandbox: Sandbox, boot: string): Promise<string | undefined> {
  const { record, state } = sandbox;
  if (record.bootId !== boot) return 'the node was restarted';
  for (const path of Object.values(namespacePaths(parts, record))) {
    if (path !== 'host' && !(await isPinned(path))) return `its namespace ${path} is gone`;
  }
  if (state.infra !== undefined && !(await isAlive(state.infra.process))) return 'its infra process has ended';
  return undefined;
}
