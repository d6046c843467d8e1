import { rm } from 'node:fs/promises';
import { messageOf } from '../base/errors.ts';
import type { SandboxId } from '../base/ids.ts';
import { operation } from '../base/steps.ts';
import type { Container, ContainerRecord } from '../container/container.ts';
import { isAliveState } from '../container/container.ts';
import { madeOf } from '../container/start.ts';
import type { ContainerParts } from '../container/parts.ts';
import { bootId, isAlive } from '../linux/process.ts';
import type { SandboxParts } from '../podsandbox/parts.ts';
import { isBeingRestored, type Sandbox, type SandboxRecord } from '../podsandbox/sandbox.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { lostNamespace } from './namespace-watch.ts';
import { RestoreQueue } from './restore-queue.ts';
import { removePod, stopPod, type PodParts } from './stop-pod.ts';

export interface RestoreParts extends PodParts {
  readonly sandboxParts: SandboxParts;
  readonly containerParts: ContainerParts;
}

export interface RestoreOptions {
  /** Done behind the rest: what no record claims is removed. */
  readonly afterwards: () => Promise<void>;
  /** Aborts when the daemon ends. */
  readonly signal: AbortSignal;
}

/** Looking asks the kernel, and the runtime for what has ended: a start waits for it, milliseconds. */
const LOOK = { stallMs: 10_000, mostMs: 30_000 };
/** Ending what was cut short asks plugins, which may hang by the hundred: the first answer must not wait for them. */
const END = { stallMs: 1_500, mostMs: 10_000 };

/**
 * Brings the records in line with what is there, before the first call is served: ends that nobody saw are recorded, objects
 * that were never finished are removed, stops and removals that were cut short are finished. What takes long goes on beside the
 * calls, as for a caller that left.
 */
export async function restore(parts: RestoreParts, options: RestoreOptions): Promise<void> {
  await operation('restore state', {}, async () => bringInLine(parts, options));
}

async function bringInLine(parts: RestoreParts, { afterwards, signal }: RestoreOptions): Promise<void> {
  const { sandboxes, containers, log } = parts;
  await Promise.all([sandboxes.store.load(), containers.store.load()]);
  containers.holdImages();
  const boot = await bootId();
  const queue = new RestoreQueue(log, signal);
  const found = whatIsThere(parts);
  const looked = await queue.whileItGetsOn(look(parts, queue, found, boot), LOOK);
  const ending = end(parts, queue, found, boot)
    .then(afterwards)
    .catch((error: unknown) => {
      log.error('restoring failed', { error: messageOf(error) });
    });
  const ended = await queue.whileItGetsOn(ending, END);
  if (!looked || !ended) log.warn('restoring takes long; it goes on beside the calls');
}

/** The objects of earlier daemons. What calls make from now on does not concern the restore. */
interface Found {
  readonly containers: readonly Container[];
  readonly halfContainers: readonly { readonly record: ContainerRecord }[];
  readonly sandboxes: readonly Sandbox[];
  readonly halfSandboxes: readonly { readonly record: SandboxRecord }[];
}

function whatIsThere({ sandboxes, containers }: RestoreParts): Found {
  return {
    containers: containers.store.list(),
    halfContainers: containers.store.listCreating().map((record) => ({ record })),
    sandboxes: sandboxes.store.list(),
    halfSandboxes: sandboxes.store.listCreating().map((record) => ({ record })),
  };
}

/** Looks at what was alive when the daemon was killed. What becomes of it from then on is the kubelet's to decide. */
async function look(parts: RestoreParts, queue: RestoreQueue, found: Found, boot: string): Promise<void> {
  const kept = found.containers.filter((container) => isAliveState(container.state) && !isToRemove(parts, container));
  await queue.each('container', kept, async ({ record }) => lookAtContainer(parts, record, boot));
  const ready = found.sandboxes.filter(({ state }) => state.is === 'Ready');
  await queue.each('sandbox', ready, async (sandbox) => lookAtSandbox(parts, sandbox, boot));
}

/** Finishes what was cut short. Each object is looked at again when its turn comes: calls may have come before. */
async function end(parts: RestoreParts, queue: RestoreQueue, found: Found, boot: string): Promise<void> {
  const { sandboxes, containers } = parts;
  await queue.each('container', found.containers, async ({ record }) => endContainer(parts, record, boot));
  await queue.each('container', found.halfContainers, async ({ record }) => containers.removeUnfinished(record));
  await queue.each('sandbox', found.sandboxes, async ({ record }) => endSandbox(parts, record));
  await queue.each('sandbox', found.halfSandboxes, async ({ record }) => sandboxes.removeUnfinished(record));
}

/** A sandbox whose state cannot be read is taken as never finished, and its containers go with it. */
function isToRemove({ sandboxes }: RestoreParts, { record, state }: Container): boolean {
  return state.is === 'Parked' || state.is === 'Removing' || sandboxes.store.get(record.sandboxId) === undefined;
}

async function lookAtContainer(parts: RestoreParts, record: ContainerRecord, boot: string): Promise<void> {
  const { containers } = parts;
  const container = containers.store.get(record.id);
  if (container === undefined || !isAliveState(container.state)) return;
  await containers.endCheckpoint(record);
  if (record.bootId !== boot) {
    await containers.exits.endLost(container);
    return;
  }
  await containers.exits.check(record.id);
  containers.exits.watchOrphan(record.id);
  if (container.state.is === 'Starting') await settleStart(parts, record);
}

async function endContainer(parts: RestoreParts, record: ContainerRecord, boot: string): Promise<void> {
  const { containers } = parts;
  const container = containers.store.get(record.id);
  if (container === undefined) return;
  if (isToRemove(parts, container)) {
    if (isAliveState(container.state) && record.bootId !== boot) await containers.exits.endLost(container);
    containers.exits.watchOrphan(record.id);
    await containers.remove(record.id);
    return;
  }
  if (container.state.is !== 'Exited' || containers.exits.isReleased(record.id)) return;
  await containers.locked(record.id, async () => {
    if (containers.store.claims(record.id)) await containers.exits.release(record);
  });
}

/** A start was cut short between its intent and its record: the runtime knows whether the process got to run. */
async function settleStart(parts: RestoreParts, record: ContainerRecord): Promise<void> {
  const { containers } = parts;
  await containers.locked(record.id, async () => {
    const state = containers.store.get(record.id)?.state;
    if (state?.is !== 'Starting') return;
    const known = await containers.untilKilled(record.id, 'look at', async (signal) =>
      containers.runtimeOf(record).state(record.id, signal),
    );
    if (known?.status === 'created') await containers.store.save(record.id, { ...madeOf(state), is: 'Created' });
    else await containers.store.save(record.id, { ...madeOf(state), is: 'Running', startedAtNs: state.startedAtNs });
  });
}

async function endSandbox(parts: RestoreParts, { id }: { readonly id: SandboxId }): Promise<void> {
  const state = parts.sandboxes.store.get(id)?.state;
  if (state?.is === 'Parked' || state?.is === 'Removing' || isBeingRestored(state)) await removePod(parts, id);
  else if (state?.is === 'Stopping') await stopPod(parts, id);
}

async function lookAtSandbox(parts: RestoreParts, sandbox: Sandbox, boot: string): Promise<void> {
  const { sandboxes, sandboxParts } = parts;
  const { record } = sandbox;
  const lost = await whatIsLost(sandboxes, sandbox, boot);
  if (lost === undefined) return;
  parts.log.warn('a pod sandbox did not outlive the daemon', { sandboxId: record.id, reason: lost });
  await sandboxes.markLost(record.id, lost);
  if (record.bootId === boot) return;
  // The namespace went with the boot, so the addresses are released now, not when the kubelet gets round to it.
  if (record.namespaces.net === 'pod') await sandboxParts.networks.detachLater({ containerId: record.id });
  await rm(sandboxes.pathsOf(record.id).namespaces, { recursive: true, force: true });
}

/** What a Ready sandbox cannot do without and has lost; undefined where nothing is. */
async function whatIsLost(sandboxes: Sandboxes, sandbox: Sandbox, boot: string): Promise<string | undefined> {
  const { record, state } = sandbox;
  if (record.bootId !== boot) return `the node was rebooted (boot id ${record.bootId}, now ${boot})`;
  const path = lostNamespace(sandboxes, record);
  if (path !== undefined) return `its namespace ${path} is gone`;
  if (state.infra !== undefined && !(await isAlive(state.infra.process))) return 'its infra process has ended';
  return undefined;
}
