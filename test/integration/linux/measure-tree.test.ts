/** What a tree takes, against what du(1) says of it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readdirSync, renameSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { createFileAt, makeDirectoryAt, openDirectory, openDirectoryAt } from '../../../src/linux/at-calls.ts';
import { close } from '../../../src/linux/libc.ts';
import { measureTree } from '../../../src/linux/measure-tree.ts';
import type { TreeUsage } from '../../../src/linux/measure-tree.ts';
import { run } from '../../../src/linux/spawn.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const MIB = 1024 * 1024;

async function output(program: string, args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await run(program, { args, timeoutMs: 120_000 });
  assert.equal(exit.code, 0, stderr.toString());
  return stdout.toString();
}

const shell = async (script: string, ...args: string[]): Promise<string> => output('/bin/sh', ['-ec', script, 'sh', ...args]);

async function du(path: string): Promise<TreeUsage> {
  const [bytes, inodes] = await Promise.all([output('du', ['-sx', '--block-size=1', path]), output('du', ['-sx', '--inodes', path])]);
  return { usedBytes: Number.parseInt(bytes), inodesUsed: Number.parseInt(inodes) };
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

interface Measured extends TreeUsage {
  readonly longestStepMs: number;
  readonly tookMs: number;
  /** Most files that were open at once for it. */
  readonly openFiles: number;
}

/** Runs the walk; `between` is done at each of its pauses. */
function measure(path: string, between: (pause: number) => void = () => undefined): Measured {
  const before = openFiles();
  const startedMs = performance.now();
  const steps = measureTree(path);
  let longestStepMs = 0;
  let mostOpen = 0;
  for (let pause = 1; ; pause += 1) {
    const stepMs = performance.now();
    const { done, value } = steps.next();
    longestStepMs = Math.max(longestStepMs, performance.now() - stepMs);
    mostOpen = Math.max(mostOpen, openFiles() - before);
    if (done === true) {
      assert.equal(openFiles(), before, 'files stay open');
      return { ...value, longestStepMs, tookMs: performance.now() - startedMs, openFiles: mostOpen };
    }
    between(pause);
  }
}

const usageOf = ({ usedBytes, inodesUsed }: TreeUsage): TreeUsage => ({ usedBytes, inodesUsed });

/** Trees by a shell script that makes them in its working directory. */
const TREES: Readonly<Record<string, string>> = {
  nothing: 'true',
  'one file of each kind':
    'echo x > f; mkdir d; ln -s /etc l; mkfifo p; mknod n c 0 0; head -c 3000000 /dev/zero > big; truncate -s 1G sparse',
  'hard links': 'mkdir a b; echo x > a/f; for i in $(seq 1 300); do ln a/f b/l$i; done; echo y > c; ln c b/c',
  'names that are not text':
    'touch "$(printf "\\377\\376")" "$(printf "a\\nb")"; mkdir "$(printf "d\\377")"; touch "$(printf "d\\377/f\\377")"',
  'one directory of 20000 files': 'mkdir d; cd d; seq 1 20000 | xargs touch; mkdir last; echo x > last/f',
};

/** Makes `depth` directories, each in the one before; a shell's `cd` would take a minute for them. */
async function deepen(path: string, depth: number, name: string, files: readonly string[]): Promise<void> {
  let fd = openDirectory(path);
  for (let level = 0; level < depth; level += 1) {
    for (const file of files) close(createFileAt(fd, file));
    makeDirectoryAt(fd, name);
    const inner = openDirectoryAt(fd, name);
    close(fd);
    fd = inner;
  }
  await writeFile(`/proc/self/fd/${fd}/big`, Buffer.alloc(5_000_000));
  close(fd);
}

const DEEP: Readonly<Record<string, (path: string) => Promise<void>>> = {
  '250 levels': async (path) => deepen(path, 250, 'd', []),
  '5000 levels, a file before and one behind each': async (path) => deepen(path, 5000, 'm', ['a', 'z']),
  '600 names that are longer than any path together': async (path) => deepen(path, 600, 'n'.repeat(200), []),
  'deep branches beside each other': async (path) => {
    for (const branch of ['a', 'b', 'c']) await deepen(path, 150, branch, [`${branch}-file`]);
    for (const branch of ['d', 'e', 'f']) await deepen(join(path, 'a/a/a/a'), 150, branch, [`${branch}-file`]);
  },
};

test('a tree of any depth takes what du says', async (t) => {
  const scratch = await scratchDirectory(t);
  for (const [name, make] of Object.entries(DEEP)) {
    const path = join(scratch, name);
    await mkdir(path);
    await make(path);
    const measured = measure(path);
    t.diagnostic(
      `${name}: ${measured.tookMs.toFixed(0)} ms, a step ${measured.longestStepMs.toFixed(1)} ms, ${measured.openFiles} files open`,
    );
    assert.deepEqual(usageOf(measured), await du(path), name);
    assert.ok(measured.openFiles < 100, `${name}: ${measured.openFiles} files open at once`);
    await shell('rm -rf "$1"', path);
  }
});

test('what is moved while the walk is below it costs its own branch only', async (t) => {
  const path = await scratchDirectory(t);
  await ensureDir(join(path, 'top/a'));
  await deepen(join(path, 'top/a'), 300, 'd', []);
  await mkdir(join(path, 'top/b'));
  await writeFile(join(path, 'top/z'), Buffer.alloc(3_000_000));
  const whole = measure(path);
  // The first pause is when the walk is 200 levels down: then the branch hangs elsewhere.
  const measured = measure(path, (pause) => {
    if (pause === 1) renameSync(join(path, 'top/a/d/d/d'), join(path, 'top/b/moved'));
  });
  assert.ok(measured.usedBytes >= 8_000_000, `${measured.usedBytes} bytes`);
  assert.ok(measured.inodesUsed >= 300 && measured.inodesUsed <= 2 * whole.inodesUsed, `${measured.inodesUsed} inodes`);
});

test('a tree of any shape takes what du says', async (t) => {
  const scratch = await scratchDirectory(t);
  for (const [name, script] of Object.entries(TREES)) {
    const path = join(scratch, name);
    await shell(`mkdir "$1"; cd "$1"; ${script}`, path);
    const measured = measure(path);
    t.diagnostic(
      `${name}: ${measured.tookMs.toFixed(0)} ms, a step ${measured.longestStepMs.toFixed(1)} ms, ${measured.openFiles} files open`,
    );
    assert.deepEqual(usageOf(measured), await du(path), name);
    assert.ok(measured.openFiles < 100, `${name}: ${measured.openFiles} files open at once`);
    await shell('rm -rf "$1"', path);
  }
});

test('nothing outside is counted: no symlink is followed, no other file system entered', async (t) => {
  const scratch = await scratchDirectory(t);
  const path = join(scratch, 'tree');
  await shell('mkdir -p "$1/other" "$2"; cd "$1"; ln -s "$2" link; head -c 4000000 /dev/zero > "$2/big"', path, join(scratch, 'outside'));
  await shell('mount -t tmpfs none "$1/other"; head -c 4000000 /dev/zero > "$1/other/big"', path);
  const { usedBytes, inodesUsed } = measure(path);
  await shell('umount "$1/other"', path);
  assert.ok(usedBytes < MIB, `${usedBytes} bytes`);
  assert.ok(inodesUsed <= 3, `${inodesUsed} inodes`);
});

test('100,000 files are counted in short steps and little memory', async (t) => {
  const path = await scratchDirectory(t);
  await shell('cd "$1"; for d in $(seq 1 100); do mkdir $d; (cd $d; seq 1 1000 | xargs touch); done', path);
  const before = process.memoryUsage().rss;
  const measured = measure(path);
  const grownBytes = process.memoryUsage().rss - before;
  t.diagnostic(
    `${measured.tookMs.toFixed(0)} ms, a step ${measured.longestStepMs.toFixed(1)} ms, memory ${(grownBytes / MIB).toFixed(1)} MiB`,
  );
  assert.deepEqual(usageOf(measured), await du(path));
  assert.ok(grownBytes < 64 * MIB, `${grownBytes} bytes more memory`);
});
