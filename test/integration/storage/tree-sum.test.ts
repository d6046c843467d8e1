import assert from 'node:assert/strict';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { startImageStorage } from '../../support/image-storage.ts';
import { processorMsOf } from '../../support/processor-time.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { readSum, unpackBytes } from '../../support/unpacking.ts';

const ENTRIES: readonly TarEntry[] = [
  { path: 'd', kind: 'directory', mode: 0o1777, mtime: 1_500_000_000 },
  { path: 'd/file', kind: 'file', data: 'content', mode: 0o4755, uid: 7, gid: 8, xattrs: { 'user.a': 'b' } },
  { path: 'd/e/implied/file', kind: 'file', data: 'x'.repeat(300_000) },
  { path: 'd/again', kind: 'hardlink', linkTarget: 'd/file' },
  { path: 'link', kind: 'symlink', linkTarget: 'd/file' },
  { path: 'through', kind: 'symlink', linkTarget: 'd' },
  { path: 'through/it', kind: 'file', data: '' },
  { path: 'link-again', kind: 'hardlink', linkTarget: 'link' },
  { path: 'fifo', kind: 'fifo' },
  { path: 'd/.wh.gone', kind: 'file', data: '' },
  { path: 'd/e/.wh..wh..opq', kind: 'file', data: '' },
];

async function unpacked(
  t: TestContext,
  entries: readonly TarEntry[],
): Promise<{ directory: string; tree: ReturnType<typeof readSum> | undefined }> {
  const directory = join(await scratchDirectory(t), 'layer');
  await mkdir(directory);
  const { tree } = await unpackBytes(makeTar(entries), directory);
  return { directory, tree };
}

test('the sum of a tree that was added up while it was written is what a walk through it finds', async (t) => {
  const { directory, tree } = await unpacked(t, ENTRIES);
  assert.deepEqual(tree, readSum(directory));
  assert.equal(tree.entries, 12);
});

test('it is left to a walk where an entry took the place of another, or is very deep', async (t) => {
  for (const more of [
    { path: 'd/file', data: 'other' },
    { path: 'n/'.repeat(100) + 'file', data: 'deep' },
  ]) {
    const { tree } = await unpacked(t, [...ENTRIES, { ...more, kind: 'file' }]);
    assert.equal(tree, undefined, more.path);
  }
});

test('a layer is sound by its record, whatever it was unpacked from', async (t) => {
  const { layers, close } = await startImageStorage(await scratchDirectory(t));
  t.after(close);
  const lower: TarEntry[] = [
    { path: 'd', kind: 'directory', mode: 0o700, uid: 5 },
    { path: 'd/e', kind: 'directory', mode: 0o711, xattrs: { 'user.a': 'b' } },
  ];
  const replacing: TarEntry[] = [...ENTRIES, { path: 'd/file', kind: 'symlink', linkTarget: 'again' }];
  const deep: TarEntry[] = [{ path: `d/e/${'n/'.repeat(100)}file`, kind: 'file', data: 'deep' }];
  const implied: TarEntry[] = [{ path: 'd/e/file', kind: 'file', data: 'in directories of the layer below' }];
  const trees: string[] = [];
  let parent: Parameters<typeof layers.complete>[1];
  for (const entries of [lower, implied, ENTRIES, replacing, deep]) {
    const staged = layers.newStaged();
    await layers.stage(staged);
    const { blobDigest, ...rest } = await unpackBytes(makeTar(entries), staged.tree);
    await rm(`${staged.tree}.tar`);
    const record = await layers.complete(staged, parent, rest, trees);
    await layers.adopt(staged, record);
    assert.equal(await layers.verify(record.chain), 'sound', `layer ${blobDigest} of ${entries.length} entries`);
    parent = record.chain;
    trees.splice(0, trees.length, ...layers.lowerDirs(parent));
  }
});

test('holes of any size are summed up without being read', async (t) => {
  const directory = join(await scratchDirectory(t), 'layer');
  await mkdir(directory);
  const file = await open(join(directory, 'sparse'), 'wx');
  await file.write('in the middle', 7 * 2 ** 40);
  await file.truncate(8 * 2 ** 40);
  await file.close();
  const tookMs = processorMsOf(() => readSum(directory));
  assert.ok(tookMs < 1000, `${tookMs} ms`);
});
