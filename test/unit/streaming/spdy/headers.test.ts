import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createInflate, deflateSync } from 'node:zlib';
import { kindOf } from '../../../../src/base/errors.ts';
import { HEADER_DICTIONARY } from '../../../../src/streaming/spdy/dictionary.ts';
import { EmptyHeaderWriter, HeaderReader, parseHeaders } from '../../../../src/streaming/spdy/headers.ts';
import { headerBlock, HeaderDeflater, word } from '../../../support/streaming/spdy-bytes.ts';

const isInvalid = (error: unknown): boolean => kindOf(error) === 'InvalidArgument';

function reader(t: TestContext): HeaderReader {
  const made = new HeaderReader();
  t.after(() => {
    made.close();
  });
  return made;
}

/** Adler-32, by which a zlib stream names its dictionary (RFC 1950). */
function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}

test('the dictionary is the one of SPDY/3', () => {
  assert.equal(HEADER_DICTIONARY.length, 1423);
  assert.equal(adler32(HEADER_DICTIONARY), 0xe3c6a7c2);
});

test('HeaderReader reads block after block of one stream', async (t) => {
  const deflater = new HeaderDeflater();
  const headers = reader(t);
  for (let index = 0; index < 50; index += 1) {
    const expected = { streamtype: 'data', port: '8080', requestid: String(index) };
    assert.deepEqual(Object.fromEntries(await headers.read(await deflater.deflate(headerBlock(expected)))), expected);
  }
  deflater.close();
});

test('HeaderReader stops at a zip bomb', async (t) => {
  const deflater = new HeaderDeflater();
  const bomb = await deflater.deflate(Buffer.alloc(8 * 1024 * 1024));
  deflater.close();
  assert.ok(bomb.length < 16 * 1024, `${bomb.length} bytes`);
  const headers = reader(t);

  await assert.rejects(headers.read(bomb), /more than 65536 bytes/);
  await assert.rejects(headers.read(Buffer.from('00', 'hex')), isInvalid);
});

test('HeaderReader refuses garbage, another dictionary, and an ended stream', async (t) => {
  await assert.rejects(reader(t).read(Buffer.from('no zlib at all')), isInvalid);
  await assert.rejects(reader(t).read(deflateSync(headerBlock({ a: 'b' }), { dictionary: Buffer.from('another') })), isInvalid);
  const ended = reader(t);
  await ended.read(deflateSync(headerBlock({ a: 'b' }), { dictionary: HEADER_DICTIONARY }));
  await assert.rejects(ended.read(deflateSync(headerBlock({ a: 'b' }))), isInvalid);
});

test('parseHeaders refuses blocks whose lengths do not fit', () => {
  const whole = headerBlock({ streamtype: 'stdin' });
  for (let length = 0; length < whole.length; length += 1)
    assert.throws(() => parseHeaders(whole.subarray(0, length)), isInvalid, `${length} bytes`);
  assert.throws(() => parseHeaders(Buffer.concat([word(101), Buffer.alloc(5000)])), /101 headers/);
  assert.throws(() => parseHeaders(Buffer.concat([word(1), word(0xffffffff), Buffer.alloc(8)])), isInvalid);
});

test('EmptyHeaderWriter writes blocks that one inflater reads, each complete at once', async () => {
  const writer = new EmptyHeaderWriter();
  const inflate = createInflate();
  let sizeBytes = 0;
  inflate.on('data', (piece: Buffer) => (sizeBytes += piece.length));
  for (let index = 1; index <= 3; index += 1) {
    await new Promise((resolve) => inflate.write(writer.next(), resolve));
    assert.equal(sizeBytes, index * 4);
  }
  inflate.destroy();
});
