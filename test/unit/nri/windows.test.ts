import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { KeyedMutex } from '../../../src/base/keyed-mutex.ts';
import { Windows } from '../../../src/nri/windows.ts';

const PATIENCE_MS = 2000;

/** A piece of work that ends when told to, and says whether it has begun. */
class Piece {
  hasBegun = false;
  hasEnded = false;
  readonly #end = Promise.withResolvers<undefined>();

  readonly work = async (): Promise<void> => {
    this.hasBegun = true;
    await this.#end.promise;
    this.hasEnded = true;
  };

  async end(): Promise<void> {
    this.#end.resolve(undefined);
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) await turn();
}

function begin(windows: Windows, kind: 'window' | 'alone'): Piece {
  const piece = new Piece();
  void windows[kind](piece.work);
  return piece;
}

test('windows run side by side, and give what the work gives', async () => {
  const windows = new Windows(() => PATIENCE_MS);
  const first = begin(windows, 'window');
  const second = begin(windows, 'window');
  assert.deepEqual([first.hasBegun, second.hasBegun, windows.openCount], [true, true, 2]);
  await Promise.all([first.end(), second.end()]);
  assert.equal(await windows.window(async () => Promise.resolve(7)), 7);
  assert.equal(windows.openCount, 0);
});

test('a window whose work fails is over', async () => {
  const windows = new Windows(() => PATIENCE_MS);
  await assert.rejects(
    windows.window(async () => Promise.reject(new Error('no'))),
    /no/,
  );
  const joiner = begin(windows, 'alone');
  await settled();
  assert.equal(joiner.hasBegun, true);
});

test('a plugin is synchronized when the windows under way have ended, and new windows wait for the end of that', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const windows = new Windows(() => PATIENCE_MS);
  const running = begin(windows, 'window');
  const joiner = begin(windows, 'alone');
  const late = begin(windows, 'window');
  await settled();
  assert.deepEqual([joiner.hasBegun, late.hasBegun], [false, false]);

  await running.end();
  assert.deepEqual([joiner.hasBegun, late.hasBegun], [true, false]);

  // The patience that it took to get here says nothing of the synchronization itself.
  t.mock.timers.tick(PATIENCE_MS * 10);
  await settled();
  assert.equal(late.hasBegun, false);

  await joiner.end();
  assert.equal(late.hasBegun, true);
});

test('a synchronization that fails lets windows go on', async () => {
  const windows = new Windows(() => PATIENCE_MS);
  const failed = windows.alone(async () => Promise.reject(new Error('dropped')));
  const late = begin(windows, 'window');
  assert.equal(late.hasBegun, false);
  await assert.rejects(failed, /dropped/);
  await settled();
  assert.equal(late.hasBegun, true);
});

test('a window that hangs costs others one patience, and the plugin joins when it has ended', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const windows = new Windows(() => PATIENCE_MS);
  const hung = begin(windows, 'window');
  const joiner = begin(windows, 'alone');
  const second = begin(windows, 'window');
  t.mock.timers.tick(PATIENCE_MS - 1);
  await settled();
  assert.equal(second.hasBegun, false);
  t.mock.timers.tick(1);
  await settled();
  assert.deepEqual([second.hasBegun, joiner.hasBegun], [true, false]);

  // As long as that one hangs, nobody waits again.
  const third = begin(windows, 'window');
  assert.equal(third.hasBegun, true);
  t.mock.timers.tick(PATIENCE_MS * 5);
  await third.end();
  const fourth = begin(windows, 'window');
  assert.equal(fourth.hasBegun, true);

  // When it has ended, the joiner holds new ones up again until those under way are over.
  await hung.end();
  const fifth = begin(windows, 'window');
  assert.deepEqual([joiner.hasBegun, fifth.hasBegun], [false, false]);
  for (const piece of [second, fourth]) await piece.end();
  assert.deepEqual([joiner.hasBegun, fifth.hasBegun], [true, false]);
  await joiner.end();
  assert.equal(fifth.hasBegun, true);
});

test('one that waits under a lock, for which an open window waits, begins after one patience', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const windows = new Windows(() => PATIENCE_MS);
  const locks = new KeyedMutex<string>();
  const order: string[] = [];
  const gate = new Piece();
  const open = windows.window(async () => {
    await gate.work();
    await locks.run('container', async () => Promise.resolve(order.push('open window')));
  });
  const joined = windows.alone(async () => Promise.resolve(order.push('synchronization')));
  const late = locks.run('container', async () => windows.window(async () => Promise.resolve(order.push('late window'))));
  await gate.end();
  t.mock.timers.tick(PATIENCE_MS - 1);
  await settled();
  assert.deepEqual(order, []);

  t.mock.timers.tick(1);
  await Promise.all([open, joined, late]);
  assert.deepEqual(order, ['late window', 'open window', 'synchronization']);
});

test('plugins that wait together are synchronized together, also one that comes meanwhile', async () => {
  const windows = new Windows(() => PATIENCE_MS);
  const running = begin(windows, 'window');
  const joiners = [begin(windows, 'alone'), begin(windows, 'alone')];
  await running.end();
  joiners.push(begin(windows, 'alone'));
  await settled();
  assert.deepEqual(
    joiners.map(({ hasBegun }) => hasBegun),
    [true, true, true],
  );
  const late = begin(windows, 'window');
  await joiners[0]!.end();
  await joiners[2]!.end();
  assert.equal(late.hasBegun, false);
  await joiners[1]!.end();
  assert.equal(late.hasBegun, true);
});

test('plugins that keep joining do not starve a window', async () => {
  const windows = new Windows(() => PATIENCE_MS);
  const first = begin(windows, 'alone');
  await settled();
  const waiting = begin(windows, 'window');
  const second = begin(windows, 'alone');
  await settled();
  assert.deepEqual([first.hasBegun, second.hasBegun], [true, false]);
  await first.end();
  assert.deepEqual([waiting.hasBegun, second.hasBegun], [true, false]);
  await waiting.end();
  assert.equal(second.hasBegun, true);
});

test('under load a joining plugin gets its turn and no window overlaps it', async () => {
  const windows = new Windows(() => 50);
  let open = 0;
  let alone = 0;
  let joined = 0;
  let passed = 0;
  const until = Date.now() + 400;
  const work = async (): Promise<void> => {
    while (Date.now() < until) {
      await windows.window(async () => {
        assert.equal(alone, 0);
        open += 1;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        open -= 1;
        passed += 1;
      });
    }
  };
  const join = async (): Promise<void> => {
    while (Date.now() < until) {
      await windows.alone(async () => {
        assert.equal(open, 0);
        alone += 1;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        alone -= 1;
        joined += 1;
      });
    }
  };
  await Promise.all([...Array.from({ length: 20 }, work), ...Array.from({ length: 3 }, join)]);
  assert.ok(joined >= 9, `joined ${joined} times`);
  assert.ok(passed >= 100, `${passed} windows`);
});
