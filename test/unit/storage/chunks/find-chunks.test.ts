import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { CHUNK_LIST, ChunkListWriter } from '../../../../src/storage/chunks/chunk-list.ts';
import { ChunkTable } from '../../../../src/storage/chunks/chunk-table.ts';
import { findChunks } from '../../../../src/storage/chunks/find-chunks.ts';
import { scratchDirectory } from '../../../support/scratch.ts';

const MIB = 1024 * 1024;
const HOLE_BYTES = 64 * MIB;

/** A table of files, each of one chunk, that is also the list of a layer with a file of a hole and one of text. */
async function layerWith(t: TestContext, files: readonly (readonly [name: string, sizeBytes: number, digest: string])[]) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'fs'));
  await writeFile(join(directory, 'fs/text'), 'text');
  await writeFile(join(directory, 'fs/hole'), '');
  await truncate(join(directory, 'fs/hole'), HOLE_BYTES);
  const list = new ChunkListWriter(join(directory, CHUNK_LIST));
  const table: ChunkTable = new ChunkTable((file) => {
    list.add(table, file);
  });
  const none = { type: 'reg', chunkBytes: 0, chunkOffset: 0, chunkDigest: '', isZeros: false };
  for (const [at, [name, sizeBytes, digest]] of files.entries())
    table.take({ ...none, name, sizeBytes, digest, offset: at * 10 + 1, endOffset: at * 10 + 9 });
  table.finish();
  list.close();
  return { directory, table };
}

const wrong = (seed: number): string => `sha256:${seed.toString(16).padStart(8, '0').repeat(8)}`;
const text: readonly [string, number, string] = ['text', 4, `sha256:${createHash('sha256').update('text').digest('hex')}`];

test('findChunks stops when it has read too much in vain: a list may name any digest for a large file', async (t) => {
  const lies = Array.from({ length: 100 }, (_, seed) => ['hole', HOLE_BYTES, wrong(seed)] as const);
  const late: typeof text = ['hole', 4, `sha256:${createHash('sha256').update(Buffer.alloc(4)).digest('hex')}`];
  const { directory, table } = await layerWith(t, [text, ...lies, late]);
  const found = await findChunks(table, [directory, directory], AbortSignal.timeout(60_000));
  assert.notEqual(found.get(0), undefined);
  for (let chunk = 1; chunk < table.count; chunk += 1) assert.equal(found.get(chunk), undefined);
});

test('findChunks ends within a large chunk when it is cancelled', async (t) => {
  const { directory, table } = await layerWith(t, [['hole', HOLE_BYTES, wrong(1)]]);
  const stop = new AbortController();
  setImmediate(() => {
    stop.abort(new Error('enough'));
  });
  await assert.rejects(findChunks(table, [directory], stop.signal), /enough/);
});
