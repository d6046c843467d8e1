import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLog } from '../../../src/base/log.ts';
import { RetryQueue } from '../../../src/cni/retry-queue.ts';

type Work = (id: string, signal: AbortSignal, failures: number) => Promise<void>;

function queue(work: Work, roundMs = 60_000): RetryQueue {
  return new RetryQueue({ what: 'test', work, log: silentLog, firstDelayMs: 10, longestDelayMs: 40, concurrency: 2, roundMs, leastMs: 5 });
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

/** Work that hangs until it is aborted, but for these ids. */
const hanging =
  (done: string[], ...well: readonly string[]): Work =>
  async (id, signal) => {
    if (!well.includes(id)) {
      await once(signal, 'abort');
      throw signal.reason;
    }
    done.push(id);
  };

test('RetryQueue tries all that is due within a round, however many hang', async () => {
  const done: string[] = [];
  const retries = queue(hanging(done, 'well'), 100);
  for (let index = 0; index < 20; index += 1) retries.add(`hangs-${index}`);
  retries.add('well');
  const begin = performance.now();
  await retries.tried('well');
  assert.deepEqual(done, ['well']);
  assert.ok(performance.now() - begin < 1000, `took ${performance.now() - begin} ms`);
  assert.match(retries.list()[0]?.lastError ?? '', /^no answer after \d+\.\d s, and \d+ others wait$/);
  await retries.close();
});

test('RetryQueue lets what nobody waits behind take its time, and tries the new before the old', async () => {
  const done: string[] = [];
  const retries = queue(hanging(done, 'new', 'newer'), 40);
  retries.add('a');
  retries.add('b');
  await pause(100);
  assert.deepEqual(
    retries.list().map(({ attempts }) => attempts),
    [0, 0],
  );
  for (const id of ['c', 'd', 'new']) retries.add(id);
  await retries.tried('new');
  retries.add('newer');
  await retries.tried('newer');
  assert.deepEqual(done, ['new', 'newer']);
  await retries.close();
});

test('RetryQueue tells who waits when a try has ended, failed or aborted or not there', async () => {
  const begun: number[] = [];
  const retries = queue(async (id, signal, failures) => {
    begun.push(failures);
    if (id === 'hangs') await once(signal, 'abort');
    throw new Error('no');
  });
  await retries.tried('unknown');
  retries.add('a');
  await retries.tried('a');
  assert.deepEqual([begun, retries.list()[0]?.attempts], [[0], 1]);
  await retries.tried('a'); // It waits for its next time.
  retries.add('a');
  await retries.tried('a');
  assert.deepEqual(begun, [0, 1]);
  retries.add('hangs');
  const waiting = retries.tried('hangs');
  await retries.close();
  await waiting;
});
