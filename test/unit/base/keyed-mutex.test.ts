import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { KeyedMutex } from '../../../src/base/keyed-mutex.ts';

test('work of one key runs one at a time, in the order of asking', async () => {
  const mutex = new KeyedMutex<string>();
  const events: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    events.push(`${name} begins`);
    await turn();
    events.push(`${name} ends`);
    return name;
  };

  assert.deepStrictEqual(await Promise.all(['a', 'b', 'c'].map((name) => mutex.run('key', work(name)))), ['a', 'b', 'c']);
  assert.deepStrictEqual(events, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('different keys never wait for each other', async () => {
  const mutex = new KeyedMutex<string>();
  const { promise: never } = Promise.withResolvers<undefined>();
  void mutex.run('stuck', () => never);

  assert.equal(await mutex.run('other', async () => 'done'), 'done');
});

test('a failing job fails for its own caller only', async () => {
  const mutex = new KeyedMutex<string>();
  const failing = mutex.run('key', async () => Promise.reject(new Error('broken')));
  const next = mutex.run('key', async () => 'done');

  await assert.rejects(failing, /broken/);
  assert.equal(await next, 'done');
});

test('work that throws at once frees the key too', async () => {
  const mutex = new KeyedMutex<string>();
  await assert.rejects(
    mutex.run('key', () => {
      throw new Error('at once');
    }),
    /at once/,
  );
  assert.equal(await mutex.run('key', async () => 'done'), 'done');
});

test('who gives up waiting is told at once, does no work, and those behind wait on for the one at work', { timeout: 10_000 }, async () => {
  const mutex = new KeyedMutex<string>();
  const events: string[] = [];
  const first = Promise.withResolvers<undefined>();
  const working = mutex.run('key', () => first.promise);
  const stop = new AbortController();
  const waiting = mutex.run('key', async () => events.push('given up'), stop.signal);
  setImmediate(() => {
    stop.abort();
  });
  await assert.rejects(waiting, { kind: 'Canceled' });

  const behind = mutex.run('key', async () => events.push('behind'));
  await turn();
  assert.deepEqual(events, []);
  first.resolve(undefined);
  await Promise.all([working, behind]);
  assert.deepEqual(events, ['behind']);
});

test('work that has begun is not left when its wait could have been given up', async () => {
  const mutex = new KeyedMutex<string>();
  const stop = new AbortController();
  const work = Promise.withResolvers<string>();
  const working = mutex.run('key', () => work.promise, stop.signal);
  await turn();
  stop.abort();
  await turn();
  work.resolve('done');
  assert.equal(await working, 'done');
});
