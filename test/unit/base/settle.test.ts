import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { allSettledOrThrow, runAllInOrder } from '../../../src/base/settle.ts';

test('allSettledOrThrow() gives all results', async () => {
  assert.deepStrictEqual(await allSettledOrThrow([Promise.resolve(1), Promise.resolve('two')]), [1, 'two']);
});

test('allSettledOrThrow() fails only when all have ended', async () => {
  let ended = false;
  const slow = turn().then(async () => {
    await turn();
    ended = true;
  });

  await assert.rejects(allSettledOrThrow([Promise.reject(new Error('broken')), slow]), /broken/);
  assert.equal(ended, true);
});

test('runAllInOrder() runs every step, and throws the first failure', async () => {
  const ran: number[] = [];
  const step = (number: number, error?: Error) => async (): Promise<void> => {
    ran.push(number);
    if (error !== undefined) throw error;
  };

  await assert.rejects(runAllInOrder([step(1), step(2, new Error('second')), step(3, new Error('third')), step(4)]), /second/);
  assert.deepStrictEqual(ran, [1, 2, 3, 4]);
  await runAllInOrder([step(5)]);
});
