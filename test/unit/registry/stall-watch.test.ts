import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { reasonOf } from '../../../src/base/deadline.ts';
import { StallWatch } from '../../../src/registry/stall-watch.ts';

/** A watch and a clock that only goes on in the two ways. */
function setUp(t: TestContext, timeoutMs: number) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const watch = new StallWatch(timeoutMs);
  const wait = async (ms: number): Promise<void> => {
    const passed = Promise.withResolvers<undefined>();
    const done = watch.during(async () => passed.promise);
    for (let left = ms; left > 0; left -= 10) t.mock.timers.tick(10);
    passed.resolve(undefined);
    await done;
  };
  const idle = (ms: number): void => {
    t.mock.timers.tick(ms);
  };
  return { watch, wait, idle };
}

test('a watch ends what waits when nothing comes, and says for how long', async (t) => {
  const { watch, wait } = setUp(t, 200);
  await wait(190);
  assert.equal(watch.signal.aborted, false);
  await wait(20);
  assert.equal(reasonOf(watch.signal).kind, 'RegistryUnavailable');
  assert.match(reasonOf(watch.signal).message, /^RegistryUnavailable: received nothing in 0\.2 s/);
});

test('time in which nobody waits does not count, nor does it begin anew', async (t) => {
  const { watch, wait, idle } = setUp(t, 400);
  await wait(300);
  idle(10_000);
  await wait(90);
  assert.equal(watch.signal.aborted, false);
  idle(10_000);
  await wait(20);
  assert.equal(watch.signal.aborted, true);
});

test('two that wait are one wait', async (t) => {
  const { watch, wait } = setUp(t, 400);
  const never = Promise.withResolvers<undefined>();
  const other = watch.during(async () => never.promise);
  await wait(390);
  assert.equal(watch.signal.aborted, false);
  watch.answered();
  await wait(390);
  assert.equal(watch.signal.aborted, false);
  await wait(20);
  assert.equal(watch.signal.aborted, true);
  never.resolve(undefined);
  await other;
});

test('enough bytes begin anew, a few do not', async (t) => {
  const { watch, wait } = setUp(t, 1000);
  for (let turn = 0; turn < 10; turn += 1) {
    await wait(900);
    watch.received(256);
  }
  assert.equal(watch.signal.aborted, false);
  for (let turn = 0; turn < 4; turn += 1) {
    await wait(400);
    watch.received(20);
  }
  assert.match(reasonOf(watch.signal).message, /received only \d+ bytes in 1 s .*at least 256 bytes/);
});

test('what comes again is neither progress nor, while it really comes, a standstill', async (t) => {
  const { watch, wait } = setUp(t, 1000);
  for (let turn = 0; turn < 100; turn += 1) {
    await wait(50);
    watch.resent(64 * 1024);
  }
  assert.equal(watch.signal.aborted, false);
  for (let turn = 0; turn < 30; turn += 1) {
    await wait(50);
    watch.resent(1);
  }
  assert.equal(watch.signal.aborted, true);
});
