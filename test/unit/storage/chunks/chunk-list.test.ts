import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ChunkListReader, ChunkListWriter } from '../../../../src/storage/chunks/chunk-list.ts';
import { ChunkTable } from '../../../../src/storage/chunks/chunk-table.ts';
import { scratchDirectory } from '../../../support/scratch.ts';

const PATH_MAX = 4096;

test('a chunk list has no names that cannot be opened, and no more than 32 MiB, and is read as far as it goes', async (t) => {
  const path = join(await scratchDirectory(t), 'chunks');
  const list = new ChunkListWriter(path);
  const table: ChunkTable = new ChunkTable((file) => {
    list.add(table, file);
  });
  const none = { type: 'reg', chunkBytes: 0, chunkOffset: 0, chunkDigest: '', isZeros: false, sizeBytes: 1 };
  const take = (name: string, at: number): void => {
    table.take({ ...none, name, digest: `sha256:${at.toString(16).padStart(64, '0')}`, offset: at * 10 + 1, endOffset: at * 10 + 9 });
  };
  take('d/'.repeat(PATH_MAX), 0);
  for (let at = 1; at < 12_000; at += 1) take(`${at}-`.padEnd(PATH_MAX - 1, 'n'), at);
  table.finish();
  list.close();
  const { size } = await stat(path);
  assert.ok(size > 31 * 1024 * 1024 && size <= 32 * 1024 * 1024, String(size));
  const reader = new ChunkListReader(path);
  try {
    const chunks = [...reader.chunks()];
    assert.equal(chunks.length, Math.floor(size / (PATH_MAX - 1 + 26)));
    assert.match(reader.pathAt(chunks[0]?.pathPosition ?? 0), /^1-n+$/);
    assert.match(reader.pathAt(chunks.at(-1)?.pathPosition ?? 0), new RegExp(`^${chunks.length}-n+$`));
  } finally {
    reader.close();
  }
});
