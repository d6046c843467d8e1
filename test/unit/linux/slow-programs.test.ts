import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { timeProgram, watchSlowPrograms, type SlowProgram } from '../../../src/linux/slow-programs.ts';

/** No process has it: the kernel's greatest is 4194304. */
const NO_PID = 5_000_000;

test('a program that takes long is told once, in the context of its start; one that has ended, and any where the threshold is 0, is not', async () => {
  const told: string[] = [];
  const context = new AsyncLocalStorage<string>();
  let thresholdMs = 500;
  const stop = watchSlowPrograms({
    thresholdMs: () => thresholdMs,
    tell: ({ program, what, ranMs }: SlowProgram) => {
      assert.ok(ranMs >= thresholdMs && ranMs < 30_000, String(ranMs));
      told.push(`${program} ${what} for ${context.getStore() ?? 'nobody'}`);
    },
  });
  try {
    timeProgram(NO_PID, 'true', () => 'true')();
    const end = context.run('call 1', () => timeProgram(NO_PID, 'runc', () => 'runc start 1'));
    for (const limitMs = performance.now() + 10_000; told.length === 0 && performance.now() < limitMs;) await sleep(20);
    // Two more looks: it is told once.
    await sleep(2_200);
    end();
    assert.deepEqual(told, ['runc runc start 1 for call 1']);
    thresholdMs = 0;
    const endSecond = timeProgram(NO_PID, 'runc', () => 'runc start 2');
    await sleep(1_100);
    endSecond();
    assert.equal(told.length, 1);
  } finally {
    stop();
  }
});
