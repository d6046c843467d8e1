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
