import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonOptions } from './daemon.ts';
import { TestDaemon } from './daemon.ts';
import type { Inventory } from './inventory.ts';
import { difference, takeInventory } from './inventory.ts';
import { removeAllPods } from './pods.ts';
import { shared } from './shared.ts';

export type E2eBody = (daemon: TestDaemon, context: TestContext) => Promise<void>;

/** Most one e2e test may take, milliseconds. */
const TEST_TIMEOUT_MS = 180_000;
/** How long leftovers may take to go: a killed process of another parent is reaped late, a veth goes when the kernel gets to it. */
const SETTLE_MS = 15_000;

export interface E2eOptions extends DaemonOptions {
  readonly timeoutMs?: number;
  /** Why the test cannot run here; false where it can. */
  readonly skip?: string | false;
  /** What must be there before the daemon, such as a registry, and the options that come of it. */
  readonly prepare?: () => Promise<DaemonOptions>;
}

async function startDaemon({ prepare, ...options }: E2eOptions): Promise<TestDaemon> {
  return TestDaemon.start({ ...options, ...(await prepare?.()) });
}

function settings({ timeoutMs = TEST_TIMEOUT_MS, skip = false }: E2eOptions): { timeout: number; skip: string | false } {
  return { timeout: timeoutMs, skip };
}

/** A test on a daemon of its own. It fails too where something is left when its pods have been removed. */
export function e2eTest(name: string, body: E2eBody, options: E2eOptions = {}): void {
  test(name, settings(options), async (context) => {
    const daemon = await startDaemon(options);
    try {
      await withoutLeftovers(daemon, async () => body(daemon, context));
    } finally {
      await daemon.destroy();
    }
  });
}

/** Tests of one file that share a daemon, which the first of them starts; each is checked for leftovers on its own. */
export function sharedDaemon(options: E2eOptions = {}): (name: string, body: E2eBody) => void {
  const started = shared(
    async () => startDaemon(options),
    async (daemon) => daemon.destroy(),
  );
  return (name, body) => {
    test(name, settings(options), async (context) => {
      const daemon = await started();
      await withoutLeftovers(daemon, async () => body(daemon, context));
    });
  };
}

/** What exists of the daemon's making, for a comparison later. */
export async function inventoryOf(daemon: TestDaemon): Promise<Inventory> {
  return takeInventory({
    home: daemon.directory,
    directories: [daemon.root, daemon.runDir],
    cgroup: daemon.cgroup,
    network: daemon.network,
    cniDataDir: daemon.cniDataDir,
    bridge: daemon.bridge,
    daemonPid: daemon.pid,
  });
}

/** Runs the work, removes every pod, and fails where the kernel or the disk keeps something that was not there before. */
async function withoutLeftovers(daemon: TestDaemon, work: () => Promise<void>): Promise<void> {
  if (!daemon.isRunning) await daemon.start();
  const inventoryBefore = await inventoryOf(daemon);
  try {
    await work();
    if (!daemon.isRunning) await daemon.start();
    await removeAllPods(daemon);
    await assertNothingNew(daemon, inventoryBefore);
  } catch (error) {
    process.stdout.write(await daemon.logTail());
    if (!daemon.isRunning) await daemon.start().catch(() => undefined);
    await removeAllPods(daemon).catch(() => undefined);
    throw error;
  }
}

/** Fails with the list of what exists now and did not then. */
export async function assertNothingNew(daemon: TestDaemon, earlier: Inventory): Promise<void> {
  const end = Date.now() + SETTLE_MS;
  for (;;) {
    const left = difference(earlier, await inventoryOf(daemon));
    if (left.length === 0) return;
    if (Date.now() > end) assert.fail(`left over:\n  ${left.join('\n  ')}`);
    await sleep(200);
  }
}
