import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { onThread } from '../../../src/linux/kernel-threads.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const LIMIT = { mostPauses: 1 };

test('files and trees are removed, of any depth and with names that are no text, and no link is followed', async (t) => {
  const directory = await scratchDirectory(t);
  const kept = join(directory, 'kept');
  await mkdir(kept);
  await writeFile(join(kept, 'file'), '');
  const tree = join(directory, 'tree');
  for (const name of ['a/b/c', 'empty', `deep${'/d'.repeat(150)}`]) await mkdir(join(tree, name), { recursive: true });
  for (const name of ['one', 'a/two', 'a/b/c/three']) await writeFile(join(tree, name), 'x');
  await mkdir(Buffer.concat([Buffer.from(`${tree}/a/`), Buffer.from([0xff, 0xfe])]));
  await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff])]), 'x');
  for (const name of ['link', 'a/link']) await symlink(kept, join(tree, name));
  const file = join(directory, 'file');
  await writeFile(file, '');
  const link = join(directory, 'link');
  await symlink(kept, link);

  const paths = [tree, file, link, join(directory, 'absent'), join(directory, 'absent', 'too')];
  assert.deepEqual(await onThread('removeTrees', { paths, ...LIMIT }), []);
  assert.deepEqual(await readdir(directory), ['kept']);
  assert.deepEqual(await readdir(kept), ['file']);
});

test('of a large tree some is left and told, the others go; one without a limit goes whole', async (t) => {
  const directory = await scratchDirectory(t);
  const [large, small] = [join(directory, 'large'), join(directory, 'small')];
  for (const path of [large, small]) await mkdir(path);
  for (let index = 0; index < 1000; index += 1) await writeFile(join(large, String(index)), '');

  assert.deepEqual(await onThread('removeTrees', { paths: [large, small], ...LIMIT }), [large]);
  assert.deepEqual(await readdir(directory), ['large']);
  assert.ok((await readdir(large)).length > 0);
  assert.deepEqual(await onThread('removeTrees', { paths: [large], mostPauses: Infinity }), []);
  assert.deepEqual(await readdir(directory), []);
});

test('what cannot be removed is told when all was tried', async (t) => {
  const directory = await scratchDirectory(t);
  const small = join(directory, 'small');
  await mkdir(small);
  // A directory of the kernel's, which nobody may remove.
  await assert.rejects(onThread('removeTrees', { paths: ['/proc/sys/kernel', small], ...LIMIT }), { code: 'EACCES' });
  assert.deepEqual(await readdir(directory), []);
});
