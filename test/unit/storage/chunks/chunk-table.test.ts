import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkTable } from '../../../../src/storage/chunks/chunk-table.ts';
import type { FileOfChunks } from '../../../../src/storage/chunks/chunk-table.ts';
import type { TocEntry } from '../../../../src/storage/chunks/toc-reader.ts';

const digest = (seed: number): string => `sha256:${seed.toString(16).padStart(64, '0')}`;
const none = { sizeBytes: 0, digest: '', offset: 0, endOffset: 0, chunkBytes: 0, chunkOffset: 0, chunkDigest: '', isZeros: false };

function whole(name: string, sizeBytes: number, offset: number, endOffset: number): TocEntry {
  return { ...none, type: 'reg', name, sizeBytes, offset, endOffset, digest: digest(offset) };
}

function read(entries: readonly TocEntry[]): { table: ChunkTable; files: FileOfChunks[] } {
  const files: FileOfChunks[] = [];
  const table = new ChunkTable((file) => files.push(file));
  for (const entry of entries) table.take(entry);
  table.finish();
  return { table, files };
}

test('ChunkTable has a file in one chunk, and one in several, which end where the next begins', () => {
  const { table, files } = read([
    { ...none, type: 'dir', name: 'd' },
    whole('one', 5, 10, 20),
    { ...none, type: 'reg', name: 'empty' },
    { ...none, type: 'reg', name: 'three', sizeBytes: 60, offset: 30, endOffset: 90, chunkBytes: 10, chunkDigest: digest(1) },
    { ...none, type: 'chunk', name: 'three', offset: 45, chunkBytes: 20, chunkOffset: 10, chunkDigest: digest(2), isZeros: true },
    { ...none, type: 'chunk', name: 'three', offset: 50, chunkBytes: 30, chunkOffset: 30, chunkDigest: digest(3) },
  ]);
  assert.deepEqual(files, [
    { name: 'one', first: 0, end: 1 },
    { name: 'three', first: 1, end: 4 },
  ]);
  const chunks = Array.from({ length: table.count }, (_, at) => [table.start(at), table.end(at), table.sizeBytes(at), table.isZeros(at)]);
  assert.deepEqual(chunks, [
    [10, 20, 5, false],
    [30, 45, 10, false],
    [45, 50, 20, true],
    [50, 90, 30, false],
  ]);
  assert.equal(table.digest(3).toString('hex'), digest(3).slice(7));
});

test('ChunkTable grows', () => {
  const { table } = read(Array.from({ length: 5000 }, (_, at) => whole(`f${at}`, at + 1, at * 10 + 1, at * 10 + 9)));
  assert.equal(table.count, 5000);
  assert.deepEqual([table.start(4999), table.end(4999), table.sizeBytes(4999)], [49_991, 49_999, 5000]);
  assert.equal(table.digest(0).toString('hex'), digest(1).slice(7));
});

const first: TocEntry = {
  ...none,
  type: 'reg',
  name: 'f',
  sizeBytes: 30,
  offset: 30,
  endOffset: 90,
  chunkBytes: 10,
  chunkDigest: digest(1),
};
const BAD: readonly [string, readonly TocEntry[], RegExp][] = [
  ['files that overlap', [whole('a', 1, 10, 30), whole('b', 1, 20, 40)], /overlap/],
  ['files that go back', [whole('a', 1, 10, 20), whole('b', 1, 5, 8)], /overlap/],
  ['a file that ends before it begins', [whole('a', 1, 10, 5)], /overlap/],
  ['a chunk without a file', [{ ...none, type: 'chunk', name: 'x', chunkBytes: 1 }], /does not follow/],
  ['a chunk that leaves a gap', [first, { ...first, type: 'chunk', chunkOffset: 11, offset: 40 }], /does not follow/],
  ['a chunk that goes back', [first, { ...first, type: 'chunk', chunkOffset: 10, offset: 20 }], /overlap/],
  ['chunks that are too few', [first, whole('b', 1, 95, 99)], /have 10 bytes, must have 30/],
  ['chunks that are too many', [{ ...first, sizeBytes: 5 }], /have 10 bytes, must have 5/],
  ['an empty chunk', [first, { ...first, type: 'chunk', chunkOffset: 10, offset: 40, chunkBytes: 0 }], /is empty/],
  ['a chunk without a digest', [{ ...whole('a', 1, 10, 20), digest: 'md5:x' }], /has no digest/],
];

for (const [what, entries, why] of BAD) {
  test(`ChunkTable refuses ${what}`, () => {
    assert.throws(() => read(entries), why);
  });
}

test('ChunkTable does not repeat a long name as a whole', () => {
  assert.throws(
    () => read([whole('n'.repeat(1_000_000), 1, 10, 5)]),
    (error: Error) => error.message.length < 1000,
  );
  assert.throws(
    () => read([{ ...whole('n'.repeat(1_000_000), 1, 10, 20), digest: 'md5:x' }]),
    (error: Error) => error.message.length < 1000,
  );
});
