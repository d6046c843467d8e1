import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { decompressor } from '../../../src/storage/decompress.ts';

test('a decompressor that fails before anyone reads ends nothing, and tells its reader', async () => {
  const stream = decompressor('gzip');
  stream.end(gzipSync(Buffer.alloc(100_000, 'abc')).subarray(0, 60));
  stream.resume();
  // An error event without a listener would be an uncaught exception here.
  await sleep(50);
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  await assert.rejects(pipeline(stream, nowhere), { code: 'Z_BUF_ERROR' });
});
