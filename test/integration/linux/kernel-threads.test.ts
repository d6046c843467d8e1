import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { onThread, threadsAreBusy } from '../../../src/linux/kernel-threads.ts';
import { readMounts } from '../../../src/linux/mounts.ts';
import { scratchDirectory } from '../../support/scratch.ts';

test('an error of a thread is the error of the call: a system error with its code, or one of ours with its kind', async (t) => {
  const directory = await scratchDirectory(t);
  const missing = join(directory, 'nope');
  await assert.rejects(onThread('mountTmpfs', { target: missing, sizeBytes: 4096, mode: 0o755 }), {
    code: 'ENOENT',
    errno: -2,
    path: missing,
    message: `ENOENT: no such file or directory, mount tmpfs '${missing}'`,
  });
  await assert.rejects(onThread('mountOverlay', { lower: [], target: missing }), { name: 'DaemonError', kind: 'Internal' });
});

test('many jobs at once are all done, and need no thread each', async (t) => {
  const directory = await scratchDirectory(t);
  const targets = Array.from({ length: 50 }, (_, index) => join(directory, `m${index}`));
  await Promise.all(targets.map(async (target) => mkdir(target)));
  await Promise.all(targets.map(async (target) => onThread('mountTmpfs', { target, sizeBytes: 4096, mode: 0o755 })));
  const mounted = (await readMounts()).filter(({ target }) => target.startsWith(directory));
  assert.equal(mounted.length, 50);
  await onThread('unmountAllBelow', { prefix: directory });
  assert.equal((await readMounts()).filter(({ target }) => target.startsWith(directory)).length, 0);
  assert.equal(threadsAreBusy(), false);
});

test('a mount that hangs in the kernel holds up neither the event loop nor other mounts', async (t) => {
  const directory = await scratchDirectory(t);
  const [image, disk, target, other] = ['disk.img', 'disk', 'target', 'other'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ];
  const file = await open(image, 'w');
  await file.truncate(32 * 1024 * 1024);
  await file.close();
  for (const each of [disk, target, other]) await mkdir(each);
  await execa('mkfs.ext4', ['-q', image]);
  await execa('mount', ['-o', 'loop', image, disk]);
  for (const name of ['lower', 'upper', 'work']) await mkdir(join(disk, name));
  await execa('fsfreeze', ['-f', disk]);
  let hung: Promise<unknown> | undefined;
  try {
    const overlay = { lower: [join(disk, 'lower')], upper: join(disk, 'upper'), work: join(disk, 'work'), target };
    hung = onThread('mountOverlay', overlay).then(() => 'mounted');
    const longest = Promise.all(
      [1, 2, 3].map(async (index) => {
        const begin = performance.now();
        await onThread('mountTmpfs', { target: other, sizeBytes: 4096 * index, mode: 0o755 });
        await onThread('unmount', { path: other });
        return performance.now() - begin;
      }),
    );
    const times = await longest;
    assert.ok(Math.max(...times) < 20_000, `mounts beside a hung one took ${times.join(', ')} ms`);
    assert.equal(await Promise.race([hung, Promise.resolve('hangs')]), 'hangs');
    assert.equal(threadsAreBusy(), true);
  } finally {
    await execa('fsfreeze', ['-u', disk]);
    await hung?.catch(() => undefined);
    await onThread('unmountAllBelow', { prefix: directory });
  }
  assert.equal(await hung, 'mounted');
});

test('a flush that takes its time lets nobody wait for a thread', { timeout: 60_000 }, async (t) => {
  const directory = await scratchDirectory(t);
  const [outer, inner, other] = ['outer', 'inner', 'other'].map((name) => join(directory, name)) as [string, string, string];
  for (const each of [outer, inner, other]) await mkdir(each);
  const disks: [image: string, at: string, sizeBytes: number][] = [
    [join(directory, 'disk.img'), outer, 64 * 1024 * 1024],
    [join(outer, 'disk.img'), inner, 16 * 1024 * 1024],
  ];
  for (const [image, at, sizeBytes] of disks) {
    await writeFile(image, '');
    await truncate(image, sizeBytes);
    await execa('mkfs.ext4', ['-q', image]);
    await execa('mount', ['-o', 'loop', image, at]);
  }
  await writeFile(join(inner, 'dirty'), Buffer.alloc(1024 * 1024, 1));
  await execa('fsfreeze', ['-f', outer]);
  let flush: Promise<unknown> | undefined;
  try {
    await sleep(3000); // of threads without work one is left
    flush = onThread('syncFileSystem', { directory: inner });
    await sleep(500);
    const late = sleep(10_000).then(() => 'late');
    t.mock.timers.enable({ apis: ['setTimeout'] }); // nobody's patience ends
    const mounted = onThread('mountTmpfs', { target: other, sizeBytes: 4096, mode: 0o755 }).then(() => 'mounted');
    assert.equal(await Promise.race([mounted, late]), 'mounted');
    t.mock.timers.reset();
    assert.ok(threadsAreBusy());
  } finally {
    t.mock.timers.reset();
    await execa('fsfreeze', ['-u', outer]);
    await flush;
    await onThread('unmountAllBelow', { prefix: directory });
  }
});

test('of threads that have no more work one is kept, however many there were', async (t) => {
  const directory = await scratchDirectory(t);
  const [image, disk, other] = ['disk.img', 'disk', 'other'].map((name) => join(directory, name)) as [string, string, string];
  await writeFile(image, '');
  await truncate(image, 32 * 1024 * 1024);
  for (const each of [disk, other]) await mkdir(each);
  await execa('mkfs.ext4', ['-q', image]);
  await execa('mount', ['-o', 'loop', image, disk]);
  const overlays = await Promise.all(
    [1, 2].map(async (index) => {
      const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => join(disk, `${name}${index}`)) as [string, string, string];
      const target = join(directory, `target${index}`);
      for (const each of [lower, upper, work, target]) await mkdir(each);
      return { lower: [lower], upper, work, target };
    }),
  );
  await execa('fsfreeze', ['-f', disk]);
  let hung: Promise<unknown> | undefined;
  try {
    hung = Promise.all(overlays.map(async (overlay) => onThread('mountOverlay', overlay)));
    await onThread('mountTmpfs', { target: other, sizeBytes: 4096, mode: 0o755 });
    assert.ok((await kernelThreads()) >= 3);
  } finally {
    await execa('fsfreeze', ['-u', disk]);
    await hung?.catch(() => undefined);
    await onThread('unmountAllBelow', { prefix: directory });
  }
  // All are without work in the same moment: one does this, and is done at once.
  await assert.rejects(onThread('mountTmpfs', { target: join(directory, 'nope'), sizeBytes: 4096, mode: 0o755 }), { code: 'ENOENT' });
  for (let tries = 0; tries < 100 && (await kernelThreads()) > 1; tries += 1) await sleep(100);
  assert.equal(await kernelThreads(), 1);
  await sleep(3_000); // longer than a spare thread is kept
  assert.equal(await kernelThreads(), 1);
});

async function kernelThreads(): Promise<number> {
  const names = (await readdir('/proc/self/task')).map(async (id) => readFile(`/proc/self/task/${id}/comm`, 'utf8').catch(() => ''));
  return (await Promise.all(names)).filter((name) => name.includes('kernel')).length;
}

const noFuse = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';
const FIXTURES = join(import.meta.dirname, '../../fixtures');

test('a process whose thread hangs in the kernel ends all the same', { skip: noFuse }, async (t) => {
  const directory = join(await scratchDirectory(t), 'hung');
  await mkdir(directory);
  const fuse = spawn(process.execPath, [join(FIXTURES, 'hung-fuse.ts'), directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(fuse.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
    const program = `
      import('${join(import.meta.dirname, '../../../src/linux/kernel-threads.ts')}').then(({ exitProcess, onThread }) => {
        onThread('unmount', { path: '${join(directory, 'sub/mount')}' }).finally(() => exitProcess(1));
        setTimeout(() => exitProcess(7), 1000);
      });`;
    const child = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
    const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(20_000) }).finally(() => child.kill('SIGKILL'))) as [number];
    assert.equal(code, 7);
  } finally {
    fuse.kill('SIGKILL');
    if (fuse.exitCode === null && fuse.signalCode === null) await once(fuse, 'exit');
    await execa('umount', ['-l', directory]).catch(() => undefined);
  }
});
