import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { describeWait, type WaitDescription } from '../../../src/linux/describe-wait.ts';
import { HungMount, noFuse } from '../../support/hung-mount.ts';

const place = await mkdtemp(join(tmpdir(), 'pw-wait-'));
after(async () => remove(place));

/** Looks until the description is `wanted`, or for five seconds: a program takes a moment to get where it waits, and its parent one more. */
async function describedAs(child: ChildProcess, wanted: RegExp, ofParent?: string): Promise<WaitDescription> {
  for (let tries = 0; ; tries += 1) {
    const described = await describeWait(child.pid ?? 0);
    const isWanted =
      described !== undefined && wanted.test(described.words) && (ofParent === undefined || described.processes[0]?.waitsFor === ofParent);
    if (described !== undefined && (isWanted || tries === 100)) {
      assert.match(described.words, wanted);
      if (ofParent !== undefined) assert.equal(described.processes[0]?.waitsFor, ofParent);
      return described;
    }
    assert.ok(tries < 100, `${child.spawnfile} is gone`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function whileRunning(child: ChildProcess, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

test('a process that waits for a lock is described with the file and who holds it', async () => {
  const file = join(place, 'ipam.lock');
  await writeFile(file, '');
  const holder = spawn('flock', ['--no-fork', file, 'sleep', '60'], { stdio: 'ignore' });
  await whileRunning(holder, async () => {
    await describedAs(holder, /^sleep \(process \d+, sleeping\) waits in clock_nanosleep for time to pass/);
    const waiter = spawn('sh', ['-c', `flock ${file} true; true`], { stdio: 'ignore' });
    await whileRunning(waiter, async () => {
      const described = await describedAs(
        waiter,
        new RegExp(`^flock \\(process \\d+, sleeping\\) waits in flock for a lock on ${file}, held by process ${holder.pid} \\(sleep\\)$`),
        'a child process',
      );
      assert.deepEqual(described.processes.map(({ name, parent }) => [name, parent]), [['sh', undefined], ['flock', waiter.pid]]); // prettier-ignore
      process.kill(described.deepest.pid, 'SIGKILL');
    });
  });
});

test('a process that waits for a FUSE file system is described while nothing can be read of it', { skip: noFuse }, async () => {
  const directory = join(place, 'hung');
  const fuse = new HungMount(directory);
  try {
    await fuse.start();
    const reader = spawn('cat', [join(directory, 'x')], { stdio: 'ignore' });
    const described = await describedAs(
      reader,
      new RegExp(
        `^cat \\(process \\d+, in the kernel, not to be interrupted\\) waits in (openat|open) for the answer of a FUSE file system: (one of .*)?${directory} \\(hung\\)`,
      ),
    );
    assert.ok(
      described.deepest.stack.some((name) => name.startsWith('fuse_')),
      described.deepest.stack.join(),
    );
  } finally {
    await fuse.release();
  }
});

test('a program of many threads is described by the one that waits', async () => {
  // Node opens a FIFO on a thread of its pool.
  await execa('mkfifo', [join(place, 'fifo')]);
  const code = `require('fs').open(${JSON.stringify(join(place, 'fifo'))}, 'r', () => undefined)`;
  const node = spawn(process.execPath, ['-e', code], { stdio: 'ignore' });
  await whileRunning(node, async () => {
    const described = await describedAs(node, /waits in openat for the other side of a FIFO to be opened$/);
    assert.notEqual(described.deepest.thread, node.pid);
  });
});

test('a process that is gone has no description', async () => {
  const child = spawn('true', { stdio: 'ignore' });
  await once(child, 'exit');
  assert.equal(await describeWait(child.pid ?? 0), undefined);
});
