import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { StopLoops, type StopTarget } from '../../../src/container/stop-loops.ts';
import { identify, type ProcessIdentity } from '../../../src/linux/process.ts';
import { spawn, type Child } from '../../../src/linux/spawn.ts';

const SIGTERM = 15;
const SIGKILL = 9;
const HOUR_MS = 3_600_000;

async function start(t: TestContext, script: string): Promise<{ child: Child; identity: ProcessIdentity }> {
  const child = spawn('sh', { args: ['-c', script], newSession: true, stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  const identity = await identify(child.pid);
  assert.ok(identity !== undefined);
  // The script says so when its traps are set.
  await new Promise((resolve) => child.pipes[1]?.once('data', resolve));
  return { child, identity };
}

/** What is being stopped: a process, whose own end is what is waited for unless said otherwise. */
function target({ child, identity }: Awaited<ReturnType<typeof start>>, more: Partial<StopTarget> = {}): StopTarget {
  return {
    containerId: 'c1',
    process: identity,
    monitor: identity,
    stopSignal: SIGTERM,
    exited: child.exit.then(() => undefined),
    killAll: async () => undefined,
    lookForEnd: async () => undefined,
    started: true,
    ...more,
  };
}

const POLITE = 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done';
const DEAF = 'trap "" TERM; echo ready; while :; do sleep 0.05; done';

test('a process that ends at its stop signal is not waited for longer', async (t) => {
  const running = await start(t, POLITE);
  const loops = new StopLoops(silentLog);
  await loops.stop(target(running), HOUR_MS);
  assert.deepStrictEqual(await running.child.exit, { code: 7 });
  assert.equal(loops.isKilling('c1'), false);
});

test('a process that does not listen is killed after the timeout', async (t) => {
  const running = await start(t, DEAF);
  const begun = performance.now();
  await new StopLoops(silentLog).stop(target(running), 500);
  assert.deepStrictEqual(await running.child.exit, { signal: SIGKILL });
  assert.ok(performance.now() - begun >= 490);
});

test('a container is being killed from the first SIGKILL on, not in the time that it has to end by itself', async (t) => {
  const running = await start(t, DEAF);
  const loops = new StopLoops(silentLog);
  // Its end is on record when the test says so.
  const { promise: exited, resolve } = Promise.withResolvers<undefined>();
  const stop = loops.stop(target(running, { exited }), HOUR_MS);
  await new Promise((done) => setTimeout(done, 200));
  assert.equal(loops.isKilling('c1'), false);
  void loops.stop(target(running, { exited }), 0);
  assert.deepStrictEqual(await running.child.exit, { signal: SIGKILL });
  assert.equal(loops.isKilling('c1'), true);
  resolve(undefined);
  await stop;
  await new Promise(setImmediate);
  assert.equal(loops.isKilling('c1'), false);
});

test('a shorter timeout that comes later wins, a longer one does not', async (t) => {
  const running = await start(t, DEAF);
  const loops = new StopLoops(silentLog);
  const begun = performance.now();
  const stops = [loops.stop(target(running), HOUR_MS), loops.stop(target(running), 300), loops.stop(target(running), HOUR_MS)];
  await Promise.all(stops);
  assert.ok(performance.now() - begun < 60_000);
  assert.deepStrictEqual(await running.child.exit, { signal: SIGKILL });
});

test('one that never started gets no stop signal', async (t) => {
  const running = await start(t, POLITE);
  await new StopLoops(silentLog).stop(target(running, { started: false }), HOUR_MS);
  assert.deepStrictEqual(await running.child.exit, { signal: SIGKILL });
});

test('a monitor that does not tell the end of its container is killed, so that the stop ends', async (t) => {
  const container = await start(t, POLITE);
  const monitor = await start(t, DEAF);
  const warnings: string[] = [];
  const loops = new StopLoops({ ...silentLog, warn: (message) => warnings.push(message) });
  // The end is on record when the monitor has ended, as Exits has it.
  await loops.stop(target(container, { monitor: monitor.identity, exited: monitor.child.exit.then(() => undefined) }), 0);
  assert.deepStrictEqual(await container.child.exit, { signal: SIGKILL });
  assert.deepStrictEqual(await monitor.child.exit, { signal: SIGKILL });
  assert.deepStrictEqual(warnings, ['the monitor of a container that has ended does not tell so; it is killed']);
});
