import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { until } from '../../support/pods.ts';
import { lookAtThreads, starvedMs, type ThreadsLook } from '../../support/starved-threads.ts';

/** Its first thread waits for another one, which never ends its work. */
const WAITS = `
  const { Worker } = require('node:worker_threads');
  const cell = new Int32Array(new SharedArrayBuffer(4));
  new Worker('for (;;);', { eval: true }).once('online', () => { console.log(1); Atomics.wait(cell, 0, 0); });`;

async function started(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('what a process waits for is seen not to run beside a rival', async () => {
  const children: ChildProcess[] = [];
  try {
    children.push(await started(['nice', '-n', '19', process.execPath, '-e', WAITS]));
    children.push(await started([process.execPath, '-e', 'console.log(1); for (;;);']));
    const pid = children[0]?.pid ?? assert.fail('it has not started');
    let before: ThreadsLook | undefined;
    await until('it waits for a thread that is starved', async () => {
      const now = lookAtThreads(pid);
      const isStarved = now !== undefined && before !== undefined && starvedMs(before, now) > (now.atMs - before.atMs) / 2;
      before = now;
      return Promise.resolve(isStarved);
    });
  } finally {
    for (const child of children) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }
});

test('a process that waits for no thread of its own is not looked at further, and one that is gone throws', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const pid = child.pid ?? assert.fail('it has not started');
  try {
    assert.equal(lookAtThreads(pid), undefined);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  assert.throws(() => lookAtThreads(pid), { code: 'ENOENT' });
});
