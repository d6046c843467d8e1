import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Slots } from '../../../src/base/slots.ts';
import { download } from '../../../src/image/download.ts';
import type { OpenContent } from '../../../src/image/receive.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const PIECE_BYTES = 100_000;
const PIECES = 12;

/** How many of a layer's pieces still have their memory when it has come. */
async function keptOf(t: TestContext, isHandedOver: boolean, rangeBytes: number): Promise<number> {
  const all = Buffer.concat(Array.from({ length: PIECES }, (_, index) => Buffer.alloc(PIECE_BYTES, index + 1)));
  const given: ArrayBufferLike[] = [];
  const open: OpenContent = async (offsetBytes, _signal, endBytes = all.length) => {
    const pieces = (async function* () {
      for (let at = offsetBytes; at < endBytes; at += PIECE_BYTES) {
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, endBytes - at));
        all.copy(piece, 0, at);
        given.push(piece.buffer);
        yield await Promise.resolve(piece);
      }
    })();
    return Promise.resolve({ content: pieces, offsetBytes, isRange: rangeBytes > 0, isHandedOver });
  };
  const path = join(await scratchDirectory(t), 'layer');
  await writeFile(path, '');
  const slots = new Slots(() => 2);
  const { signal } = new AbortController();
  const source = { open, sizeBytes: all.length };
  await download(path, source, { slots, rangeBytes }, await slots.acquire(signal), {
    what: 'layer',
    signal,
    sizeBytes: all.length,
    written: () => undefined,
  });
  assert.ok((await readFile(path)).equals(all));
  return given.filter(({ byteLength }) => byteLength > 0).length;
}

test('the memory of what came is let go when it is written, where nobody else has it', async (t) => {
  for (const rangeBytes of [0, 3 * PIECE_BYTES]) {
    assert.equal(await keptOf(t, true, rangeBytes), 0, `ranges of ${rangeBytes} bytes`);
    assert.equal(await keptOf(t, false, rangeBytes), PIECES, `ranges of ${rangeBytes} bytes, another's pieces`);
  }
});
