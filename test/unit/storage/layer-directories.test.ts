import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LayerDirectories } from '../../../src/storage/layer-directories.ts';

const TIME = { seconds: 1, nanoseconds: 2 };

function described(directories: LayerDirectories): string[] {
  const found: string[] = [];
  directories.forEach(({ path, modified }) => {
    if (modified !== undefined) found.push(path);
  });
  return found.sort();
}

test('LayerDirectories forgets a directory with all below it, and nothing beside it', () => {
  const directories = new LayerDirectories();
  for (const path of ['a', 'a/b', 'a/b/c', 'ab', 'd/a']) directories.describe(path, TIME);
  directories.imply('a/i');
  assert.deepEqual(directories.implied(), ['', 'a/i']);
  directories.forget('a');
  directories.forget('nothing/here');
  assert.deepEqual(described(directories), ['ab', 'd/a']);
  assert.deepEqual(directories.implied(), ['']);
  directories.imply('a');
  directories.describe('', TIME);
  assert.deepEqual(directories.implied(), ['a']);
});

test('LayerDirectories lists parents before what is in them', () => {
  const directories = new LayerDirectories();
  for (const path of ['x', 'x/y', 'x/y/z', 'a', 'x/a']) directories.imply(path);
  const implied = directories.implied();
  assert.equal(implied.length, 6);
  for (const path of implied.slice(1)) {
    assert.ok(implied.indexOf(path.slice(0, Math.max(0, path.lastIndexOf('/')))) < implied.indexOf(path), path);
  }
});

test('LayerDirectories has a limit on the sum of names, and takes no more memory than that', () => {
  const directories = new LayerDirectories();
  const before = process.memoryUsage.rss();
  // Ten times the limit of 128 MiB: 3 million names of 250 bytes, with 200 for each.
  assert.throws(
    () => {
      for (let index = 0; index < 3_000_000; index += 1) directories.describe(`${index}`.padEnd(250, 'n'), TIME);
    },
    { kind: 'InvalidArgument', message: /names of its directories take more than 134217728 bytes: it has too many directories/ },
  );
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 256 * 1024 * 1024, `grown by ${grown} bytes`);
});

test('LayerDirectories does not hand on more paths than 32 MiB of them', () => {
  const directories = new LayerDirectories();
  // Names are shared by the paths below, but every path is handed on whole: 80,000 of 4000 bytes are 320 MB.
  const deep = Array.from({ length: 15 }, () => 'd'.repeat(250)).join('/');
  for (let index = 0; index < 80_000; index += 1) directories.imply(`${deep}/${index}`);
  assert.throws(() => directories.implied(), { kind: 'InvalidArgument', message: /more than 33554432 bytes: it has too many directories/ });
});
