// alone: it compares the watch with the clock.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { timed } from '../../../src/base/timed.ts';
import { EventLoopWatch } from '../../../src/linux/event-loop-watch.ts';
import type { Standstill } from '../../../src/linux/event-loop-watch.ts';
import { bind } from '../../../src/linux/libc.ts';

const poll = bind<(fds: null, count: number, timeoutMs: number) => number>('int poll(void *fds, unsigned long nfds, int timeout)');
const FIXTURE = new URL('../../fixtures/standstills.ts', import.meta.url).pathname;

const seen: Standstill[] = [];
const watch = EventLoopWatch.start((standstill) => seen.push(standstill));
after(() => {
  watch.stop();
});

/** The standstills that `work` brings about. */
async function during(work: () => void): Promise<Standstill[]> {
  await sleep(60);
  seen.length = 0;
  work();
  await sleep(100);
  return [...seen];
}

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test('a system call that waits is told by its name, with all its time as ours', async () => {
  const [first, ...more] = await during(() => poll(null, 0, 150));
  assert.deepEqual(more, []);
  assert.equal(first?.what, 'poll');
  assert.ok(first.durationMs >= 145 && first.ownMs >= 100, JSON.stringify(first));
  assert.ok(first.processorMs < 50, `it slept: ${JSON.stringify(first)}`);
  assert.match(first.parts[0] ?? '', /^poll 1\d\d ms$/);
});

test('of two names, one inside the other, the inner one is told; what has no name is other', async () => {
  const [inner] = await during(() => {
    timed('outside', () => poll(null, 0, 120));
  });
  assert.equal(inner?.what, 'poll');
  const [outer] = await during(() => {
    timed('outside', () => {
      spin(200);
    });
  });
  assert.ok(outer?.what === 'outside' || outer?.what === 'machine', JSON.stringify(outer));
  await sleep(300); // the watch looks once a second now
  seen.length = 0;
  spin(200);
  await sleep(1200);
  const [nameless] = seen;
  assert.ok(nameless?.what === 'other' || nameless?.what === 'machine', JSON.stringify(nameless));
});

test('many short turns are no standstill, also after the watch has gone to sleep', async () => {
  await sleep(1500);
  seen.length = 0;
  for (let round = 0; round < 30; round += 1) {
    spin(5);
    await sleep(1);
  }
  await sleep(100);
  assert.deepEqual(
    seen.filter(({ what }) => what === 'other'),
    [],
  );
  await sleep(1500);
  const [first] = await during(() => poll(null, 0, 150));
  assert.equal(first?.what, 'poll');
});

/** A process that spins 300 ms under the watch, again and again, and prints what the watch told. */
async function spinner(prefix: readonly string[]): Promise<{ child: ChildProcess; told: () => Promise<Standstill> }> {
  const child = spawn('/usr/bin/env', [...prefix, process.execPath, FIXTURE], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const told = async (): Promise<Standstill> => {
    const silence = sleep(60_000, undefined, { ref: false }).then(() => assert.fail('the watch has told nothing for 60 s'));
    return JSON.parse((await Promise.race([lines.next(), silence])).value as string) as Standstill;
  };
  await lines.next();
  return { child, told };
}

test('a process that is stopped by a signal has not stood still by itself', async () => {
  const { child, told } = await spinner([]);
  try {
    child.stdin?.write('wait\n');
    await sleep(50);
    child.kill('SIGSTOP');
    await sleep(400);
    child.kill('SIGCONT');
    let standstill = await told();
    while (standstill.durationMs < 300) standstill = await told();
    assert.deepEqual({ what: standstill.what, ownMs: standstill.ownMs }, { what: 'stopped', ownMs: 0 }, JSON.stringify(standstill));
    assert.ok(standstill.durationMs > 300);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

test('time without a processor is the machine’s: the same spin takes longer, and what is ours stays', async () => {
  const rival = spawn('taskset', ['-c', '0', process.execPath, '-e', 'console.log(1); for (;;);'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(rival.stdout, 'data');
  const { child, told } = await spinner(['taskset', '-c', '0', 'nice', '-n', '10']);
  try {
    child.stdin?.write('spin\n');
    let standstill = await told(); // its start may have been one too
    while (standstill.durationMs < 300) standstill = await told();
    const { durationMs, ownMs, processorMs } = standstill;
    assert.ok(durationMs - ownMs > 150, `of ${durationMs} ms beside a rival ${ownMs} ms count as ours`);
    assert.ok(processorMs < durationMs - 100, `it ran ${processorMs} of ${durationMs} ms`);
    // posix_spawn waits until its child runs, which has no processor either.
    // How much of one wait the kernel puts down to what differs on a busy machine; without the child's account all of it is ours.
    const tries: Standstill[] = [];
    while (tries.length < 5 && !tries.some(({ ownMs: ours, durationMs: whole }) => ours < whole / 2)) {
      child.stdin?.write('spawn\n');
      tries.push(await told());
    }
    assert.ok(
      tries.some(({ ownMs: ours, durationMs: whole }) => ours < whole / 2),
      JSON.stringify(tries),
    );
  } finally {
    for (const each of [child, rival]) {
      each.kill('SIGKILL');
      if (each.exitCode === null && each.signalCode === null) await once(each, 'exit');
    }
  }
});
