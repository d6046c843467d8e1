import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventLoopWatch } from '../../../src/linux/event-loop-watch.ts';
import { adopt, becomeSubreaper, noteSpawning, startZombieSweep, sweepZombies } from '../../../src/linux/children.ts';
import { identify } from '../../../src/linux/process.ts';
import { statOfProcess } from '../../../src/linux/proc-stat.ts';
import { isStillPinned } from '../../../src/linux/namespaces.ts';
import { run } from '../../../src/linux/spawn.ts';

/** Starts a process that runs its script when its parent is gone, which would reap it, and returns its pid. */
async function orphan(script: string): Promise<number> {
  const { stdout } = await run('sh', {
    args: ['-c', `sh -c "while kill -0 $$; do sleep 0.01; done; ${script}" >/dev/null 2>&1 & echo $!`],
    timeoutMs: 5000,
  });
  return Number(stdout.toString());
}

/** The kernel lets a zombie go a moment after its end is told. */
async function untilGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 100 && (await statOfProcess(pid)) !== undefined; tries += 1) await sleep(20);
  assert.equal(await statOfProcess(pid), undefined);
}

test('adopt gives the true end of an orphan, code or signal', async () => {
  becomeSubreaper();
  assert.deepEqual(await adopt(await orphan('sleep 0.1; exit 42')), { code: 42 });
  const pid = await orphan('sleep 100');
  assert.equal((await statOfProcess(pid))?.parentPid, process.pid);
  const end = adopt(pid);
  assert.equal(adopt(pid), end, 'asking twice is one wait');
  process.kill(pid, 'SIGKILL');
  assert.deepEqual(await end, { signal: 9 });
  assert.deepEqual(await adopt(await orphan('kill -SEGV \\$\\$')), { signal: 11 });
});

test('adopt finds an orphan that has ended before', async () => {
  becomeSubreaper();
  const pid = await orphan('exit 9');
  await sleep(300);
  assert.equal((await statOfProcess(pid))?.state, 'Z');
  assert.deepEqual(await adopt(pid), { code: 9 });
  await untilGone(pid);
});

test('adopt of a process that is not ours fails with ECHILD', async () => {
  await assert.rejects(adopt(1), { code: 'ECHILD' });
});

test('sweepZombies takes a forgotten zombie at the second look, and never one that is waited for', async () => {
  becomeSubreaper();
  const forgotten = await orphan('exit 1');
  await sleep(300);
  const first = await sweepZombies(new Set());
  assert.ok(first.has(forgotten));
  assert.equal((await statOfProcess(forgotten))?.state, 'Z', 'the first look leaves it');
  const second = await sweepZombies(first);
  assert.ok(!second.has(forgotten));
  await untilGone(forgotten);
});

test('sweepZombies takes nothing while a program is being started, which may have ended before its pid is known', async () => {
  becomeSubreaper();
  const unknown = await orphan('exit 1');
  await sleep(300);
  const first = await sweepZombies(new Set());
  const isWatched = noteSpawning();
  const second = await sweepZombies(first);
  assert.ok(second.has(unknown));
  assert.equal((await statOfProcess(unknown))?.state, 'Z');
  isWatched();
  await sweepZombies(second);
  await untilGone(unknown);
});

test('startZombieSweep cleans up by itself', async () => {
  becomeSubreaper();
  const pid = await orphan('exit 1');
  const sweep = startZombieSweep(50);
  for (let tries = 0; tries < 100 && (await statOfProcess(pid)) !== undefined; tries += 1) await sleep(20);
  sweep.stop();
  assert.equal(await identify(pid), undefined);
  assert.equal(await statOfProcess(pid), undefined);
});

test('looking after children and namespaces of a daemon at rest leaves the watch of the event loop asleep', async () => {
  const child = run('sleep', { args: ['6'], timeoutMs: 20_000 });
  const sweep = startZombieSweep(200);
  let looks = 0;
  const watch = EventLoopWatch.start(
    () => undefined,
    () => (looks += 1),
  );
  const pins = setInterval(() => isStillPinned('/proc/self/ns/net'), 200);
  try {
    await sleep(1000);
    looks = 0;
    await sleep(4000);
    assert.ok(looks >= 3 && looks <= 6, `${looks} looks in 4 s, one each second is meant`);
  } finally {
    clearInterval(pins);
    watch.stop();
    sweep.stop();
    await child;
  }
});
