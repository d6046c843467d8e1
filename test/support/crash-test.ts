/**
 * The daemon is killed between each outside effect and its record. The marks are not listed in the tests: each operation is run
 * once with PODWRIGHT_STAGE_LOG to learn which it passes, and then once for each mark with PODWRIGHT_KILL_AT.
 */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDaemon } from './daemon.ts';
import { assertNothingNew, inventoryOf } from './e2e-test.ts';
import type { Inventory } from './inventory.ts';
import type { PodOptions } from './pods.ts';
import { removeAllPods, runContainer, runPod, shell } from './pods.ts';
import { IMAGES } from './test-image.ts';
import { noUserNamespaces, userNamespaceArgs } from './user-namespaces.ts';

/** One operation of the daemon under fire. */
export interface Operation<Prepared> {
  readonly name: string;
  /** What must be there before; not under fire. */
  readonly prepare: (daemon: TestDaemon) => Promise<Prepared>;
  /** The request. After a crash it is sent again, and must succeed then. */
  readonly request: (daemon: TestDaemon, prepared: Prepared) => Promise<unknown>;
  /** Holds after the daemon was killed in the request and started again; `before` was taken between prepare and request. */
  readonly afterCrash: (daemon: TestDaemon, prepared: Prepared, before: Inventory) => Promise<void>;
  /** Marks that the operation must pass, or this file tests nothing. */
  readonly mustPass: readonly string[];
}

export const SLEEP = ['sleep', '3600'];
/** An image volume, so that its mount is among what may be left. */
export const MODEL = { imageVolumes: { '/model': { image: IMAGES.busybox } } };
export const limit = { timeoutMs: 30_000 };
/** Marks that no call waits for are passed soon after it. */
const LATE_MARKS_MS = 1000;

/** Runs the request; the daemon dies in it, or soon after it. */
async function fire<Prepared>(daemon: TestDaemon, operation: Operation<Prepared>, prepared: Prepared): Promise<void> {
  await operation.request(daemon, prepared).catch(async (error: unknown) => {
    await daemon.ended(5000).catch(() => {
      throw error;
    });
  });
  await daemon.ended(10_000);
}

const stageLog = (daemon: TestDaemon): string => join(daemon.directory, 'marks');
const killAt = (daemon: TestDaemon): string => join(daemon.directory, 'kill-at');

async function startUnderFire(args: readonly string[]): Promise<TestDaemon> {
  const daemon = await TestDaemon.prepare({ args });
  await daemon.start({ PODWRIGHT_STAGE_LOG: stageLog(daemon), PODWRIGHT_KILL_AT: `@${killAt(daemon)}` });
  await daemon.loadImages(['busybox']);
  return daemon;
}

async function marksOf<Prepared>(daemon: TestDaemon, operation: Operation<Prepared>): Promise<string[]> {
  const prepared = await operation.prepare(daemon);
  await rm(stageLog(daemon), { force: true });
  await operation.request(daemon, prepared);
  await sleep(LATE_MARKS_MS);
  const marks = (await readFile(stageLog(daemon), 'utf8')).split('\n').filter((line) => line !== '');
  return [...new Set(marks)];
}

export interface NodeNeeds {
  readonly skip?: string | false;
  readonly args?: readonly string[];
  /** What runs beside the daemon, from before its first inventory. @returns its end. */
  readonly beside?: (daemon: TestDaemon) => () => Promise<void>;
}

/** What a pod with a user namespace wants of the node. */
export const ofUsers: NodeNeeds = { skip: noUserNamespaces, args: userNamespaceArgs };

/** A test for each mark that the operation passes. */
export function crashTest<Prepared>(operation: Operation<Prepared>, { skip = false, args = [], beside }: NodeNeeds = {}): void {
  test(`kill -9 at every mark of ${operation.name}`, { timeout: 600_000, skip }, async (context) => {
    const daemon = await startUnderFire(args);
    const endBeside = beside?.(daemon);
    try {
      const empty = await inventoryOf(daemon);
      const marks = await marksOf(daemon, operation);
      await tidy(daemon, empty);
      context.diagnostic(`${operation.name} passes ${marks.length} marks: ${marks.join(', ')}`);
      for (const mark of operation.mustPass) assert.ok(marks.includes(mark), `${operation.name} does not pass the mark ${mark}`);
      for (const mark of marks) await crashAt(context, daemon, operation, mark, empty);
    } finally {
      await endBeside?.();
      await daemon.destroy();
    }
  });
}

async function crashAt<P>(
  context: TestContext,
  daemon: TestDaemon,
  operation: Operation<P>,
  mark: string,
  empty: Inventory,
): Promise<void> {
  await context.test(`${operation.name}, killed at ${mark}`, async () => {
    try {
      if (!daemon.isRunning) await daemon.start();
      const prepared = await operation.prepare(daemon);
      const before = await inventoryOf(daemon);
      await writeFile(killAt(daemon), mark);
      await fire(daemon, operation, prepared);
      await rm(killAt(daemon));
      await daemon.start({ PODWRIGHT_KILL_AT: `@${killAt(daemon)}` });
      await operation.afterCrash(daemon, prepared, before);
      await operation.request(daemon, prepared);
      await tidy(daemon, empty);
    } catch (error) {
      process.stdout.write(await daemon.logTail(40));
      await rm(killAt(daemon), { force: true });
      if (!daemon.isRunning) await daemon.start({ PODWRIGHT_KILL_AT: `@${killAt(daemon)}` });
      await removeAllPods(daemon).catch(() => undefined);
      throw error;
    }
  });
}

/** Removes all there is; then nothing may be left. */
async function tidy(daemon: TestDaemon, empty: Inventory): Promise<void> {
  await removeAllPods(daemon);
  const { images } = await daemon.images.listImages({});
  for (const image of images) {
    if (!image.repoTags.includes(IMAGES.busybox)) await daemon.images.removeImage({ image: { image: image.id } });
  }
  await assertNothingNew(daemon, empty);
}

/** Half-made objects are gone; a finished one is visible, and is what the request gives when it comes again. */
export async function goneOrFinished(
  daemon: TestDaemon,
  visible: readonly string[],
  again: () => Promise<string>,
  before: Inventory,
): Promise<void> {
  const [id] = visible;
  if (id === undefined) await assertNothingNew(daemon, before);
  else assert.equal(await again(), id, 'the request again must give the finished object');
}

/** Runs a pod with a container that ends when it is asked to. @returns the pod's id. */
export const podWithContainer = (options: PodOptions) => async (daemon: TestDaemon) => {
  const pod = await runPod(daemon, options);
  await runContainer(daemon, pod, shell('trap exit TERM; while :; do sleep 0.05; done'), MODEL);
  return pod.id;
};
