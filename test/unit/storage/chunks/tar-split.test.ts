import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { tarSplitEntries } from '../../../../src/storage/chunks/tar-split.ts';

const TEXT = [
  { type: 2, payload: Buffer.from('header').toString('base64'), position: 0 },
  { type: 1, name: 'dir/', payload: null, position: 1 },
  { type: 2, payload: '', position: 2 },
  { type: 1, name: 'file', size: 12, payload: 'AAAA', position: 3 },
]
  .map((entry) => `${JSON.stringify(entry)}\n`)
  .join('');

async function read(text: string, pieceBytes: number): Promise<unknown[]> {
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, at) =>
    bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  );
  return await Array.fromAsync(tarSplitEntries(Readable.from(pieces)));
}

test('a tar-split is read in pieces of any size, with and without a newline at its end', async () => {
  for (const text of [TEXT, TEXT.trimEnd()]) {
    for (const pieceBytes of [1, 10, 1000]) {
      assert.deepEqual(await read(text, pieceBytes), [
        { is: 'segment', bytes: Buffer.from('header') },
        { is: 'file', sizeBytes: 0 },
        { is: 'segment', bytes: Buffer.alloc(0) },
        { is: 'file', sizeBytes: 12 },
      ]);
    }
  }
});

test('a tar-split that is none is refused', async () => {
  await assert.rejects(read('{"type":2,', 100), /no JSON/);
  await assert.rejects(read('{"type":3}\n', 100), /neither a segment nor a file/);
  await assert.rejects(read('null\n', 100), /neither a segment nor a file/);
  await assert.rejects(read('{"type":1,"size":-1}\n', 100), /neither a segment nor a file/);
  await assert.rejects(read(`{"type":2,"payload":"${'A'.repeat(20 << 20)}`, 1 << 20), /a line of its tar-split has more than/);
});
