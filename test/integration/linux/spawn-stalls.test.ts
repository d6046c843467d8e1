// alone: it holds up the loop for as long as its timers are, and no longer.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as nextCheck, setTimeout as sleep } from 'node:timers/promises';
import { settledWithin, waitFor, withTimeout } from '../../../src/base/deadline.ts';
import { pipe, readText, writeAndClose } from '../../../src/linux/pipes.ts';
import { runWith, spawn, type Child, type SpawnOptions } from '../../../src/linux/spawn.ts';

/** Holds up the event loop, milliseconds. */
function holdUp(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Holds it up once the work under way has set its timers: they are due before the loop gets to its I/O. */
function holdUpSoon(ms: number, turns = 100): void {
  queueMicrotask(() => {
    if (turns === 0) holdUp(ms);
    else holdUpSoon(ms, turns - 1);
  });
}

/** Whether a child has ended; it may have been reaped already. */
function hasEnded(pid: number): boolean {
  return !existsSync(`/proc/${pid}`) || / \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

/**
 * Spawns, and returns when the program has ended and its end is known, but nothing of its output has been read; then the
 * event loop is held up.
 */
function heldUpAfterEnd(stallMs: number): typeof spawn {
  return (file: string, options: SpawnOptions): Child => {
    const child = spawn(file, options);
    const end = performance.now() + 20_000;
    while (!hasEnded(child.pid)) {
      // Thrown, since no timer would come: it may wait for a reader where a pipe holds less than it writes.
      assert.ok(performance.now() < end, `process ${child.pid} has not ended`);
      holdUp(1);
    }
    process.emit('SIGCHLD', 'SIGCHLD');
    holdUpSoon(stallMs);
    return child;
  };
}

test('output is read to its end, however long the event loop is held up after the end of its program', async () => {
  for (const [stallMs, drainMs] of [
    [700, 500],
    [100, 20],
    [100, 0],
  ] as const) {
    await nextCheck(); // the loop's next phase is that of timers: one that is due by then comes before any I/O
    const result = await runWith(heldUpAfterEnd(stallMs), 'sh', {
      args: ['-c', 'head -c 60000 /dev/zero; echo words >&2'],
      timeoutMs: 20_000,
      drainMs,
    });
    assert.deepEqual([result.stdout.length, result.stderr.toString(), result.heldOpen], [60_000, 'words\n', false]);
  }
});

test('a program that ended in time has its result, though the event loop saw that too late', async () => {
  await nextCheck();
  const stalled: typeof spawn = (file, options) => {
    const child = spawn(file, options);
    holdUpSoon(400);
    return child;
  };
  const { exit, stdout } = await runWith(stalled, 'echo', { args: ['done'], timeoutMs: 200 });
  assert.deepEqual([exit, stdout.toString()], [{ code: 0 }, 'done\n']);
});

test('an answer that is in a pipe when the time is over still counts', async () => {
  const { readEnd, writeEnd } = pipe();
  const answer = readText(readEnd, 100);
  const deadline = withTimeout(undefined, 50, 'wait for an answer');
  try {
    writeAndClose(writeEnd, 'here');
    holdUp(100);
    assert.equal(await waitFor(answer.text, deadline.signal), 'here');
  } finally {
    deadline.clear();
    answer.stop();
  }
  const { readEnd: otherEnd, writeEnd: silentEnd } = pipe();
  const silent = readText(otherEnd, 100);
  assert.equal(await settledWithin(silent.text, 20), false);
  writeAndClose(silentEnd, 'late');
  await nextCheck();
  assert.equal(await settledWithin(silent.text, 0), true);
  silent.stop();
});

test('a time that is over says so, and one that is cleared says nothing', async () => {
  const never = Promise.withResolvers<undefined>().promise;
  const deadline = withTimeout(undefined, 20, 'wait for nothing');
  await assert.rejects(waitFor(never, deadline.signal), {
    kind: 'DeadlineExceeded',
    message: 'wait for nothing: not finished after 0.02 s',
  });
  const cleared = withTimeout(undefined, 20, 'wait for nothing');
  setTimeout(cleared.clear, 1);
  await sleep(50);
  assert.equal(cleared.signal.aborted, false);
});
