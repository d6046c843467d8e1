import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { run } from '../../../src/linux/spawn.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { unpackFile } from '../../support/unpacking.ts';

const DIRECTORIES = 32_000;
/** Replacing a directory opens, lists and removes it, which making one does not. */
const MAX_RATIO = 4;

function* entries(fileName: (directory: string) => string): Generator<TarEntry> {
  const names = Array.from({ length: DIRECTORIES }, (_, index) => `parent/d${index}`);
  for (const path of names) yield { path, kind: 'directory' };
  for (const name of names) yield { path: fileName(name), kind: 'file' };
}

/** Milliseconds of processor that work takes: what the file system waits for, its disk and others on it, is not ours. */
async function processorMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('a layer of 32,000 replaced directories takes at most four times the processor of one of as many entries without', async (t) => {
  // In memory: on a disk, removing so many directories waits for whatever else is written to it.
  const memory = join(await scratchDirectory(t), 'memory');
  await mkdir(memory);
  const { exit, stderr } = await run('/bin/mount', { args: ['-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', memory], timeoutMs: 10_000 });
  assert.equal(exit.code, 0, stderr.toString());
  const layers = {
    plain: makeTar(entries((name) => `${name}-file`)),
    replaced: makeTar(entries((name) => name)),
  };
  const times: Record<string, number> = {};
  for (const [name, tar] of Object.entries(layers)) {
    const directory = join(memory, name);
    await mkdir(directory);
    await writeFile(`${directory}.tar`, tar);
    times[name] = await processorMs(async () => unpackFile(`${directory}.tar`, tar.length, directory));
  }
  const { plain = 0, replaced = 0 } = times;
  t.diagnostic(`plain ${Math.round(plain)} ms, replaced ${Math.round(replaced)} ms`);
  assert.ok(replaced < MAX_RATIO * plain, `replaced directories took ${replaced} ms, others ${plain} ms`);
});
