import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLog } from '../../../src/base/log.ts';
import { RetryQueue } from '../../../src/cni/retry-queue.ts';

function queue(work: (id: string, signal: AbortSignal) => Promise<void>): RetryQueue {
  return new RetryQueue({ what: 'test', work, log: silentLog, firstDelayMs: 10, longestDelayMs: 40, concurrency: 2 });
}

test('RetryQueue tries until the work succeeds, with the last words in its list', async () => {
  let tries = 0;
  const done = Promise.withResolvers<undefined>();
  const retries = queue(async () => {
    tries += 1;
    if (tries < 4) throw new Error(`no ${tries}`);
    done.resolve(undefined);
  });
  retries.add('a');
  await pause(5);
  assert.deepEqual(retries.list(), [{ id: 'a', attempts: 1, lastError: 'no 1' }]);
  const keepAlive = setTimeout(() => undefined, 5000);
  await done.promise;
  clearTimeout(keepAlive);
  await pause(1);
  assert.deepEqual([tries, retries.list()], [4, []]);
  await retries.close();
});

test('RetryQueue runs as many at once as it may, and a hanging one does not keep the others', async () => {
  const done: string[] = [];
  const retries = queue(async (id, signal) => {
    if (id === 'hangs') await once(signal, 'abort');
    signal.throwIfAborted();
    done.push(id);
  });
  for (const id of ['hangs', 'a', 'b', 'a', 'hangs']) retries.add(id);
  await pause(20);
  assert.deepEqual(done, ['a', 'b']);
  await retries.close();
  assert.deepEqual(
    retries.list().map(({ id }) => id),
    ['hangs'],
    'what was aborted is still to be done',
  );
});
