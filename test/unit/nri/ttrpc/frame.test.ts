import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { messages } from '../../../../api/ttrpc/messages.ts';
import { TtrpcOversizedError, TtrpcProtocolError } from '../../../../src/nri/ttrpc/errors.ts';
import { FrameReader, MAX_MESSAGE_BYTES, writeFrame } from '../../../../src/nri/ttrpc/frame.ts';
import type { Frame } from '../../../../src/nri/ttrpc/frame.ts';
import { bytesValue, frameBytes, joinPieces, recordedCalls } from '../../../support/nri-recorded.ts';

interface Read {
  readonly frames: Frame[];
  readonly oversized: number[];
}

function collector(): { reader: FrameReader } & Read {
  const frames: Frame[] = [];
  const oversized: number[] = [];
  const reader = new FrameReader({
    frame: (frame) => {
      frames.push({ ...frame, payload: Buffer.from(frame.payload) });
    },
    oversized: ({ streamId }, { rejected }) => {
      oversized.push(streamId, rejected);
    },
  });
  return { reader, frames, oversized };
}

/** What a writer gets, a write an entry. */
class Writes extends Writable {
  readonly writes: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.writes.push(chunk);
    written();
  }
}

const CALLS = await recordedCalls();

test('the frames of a Go peer are read, whatever they are cut into', () => {
  const bytes = Buffer.concat(CALLS.map(({ request }) => joinPieces(request)));
  for (const size of [1, 2, 3, 9, 10, 11, 100, 4096, bytes.length]) {
    const { reader, frames } = collector();
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    assert.equal(reader.isMidFrame, false);
    assert.deepEqual(
      frames.map(({ streamId, type }) => [streamId, type]),
      CALLS.map((_, index) => [2 * index + 1, 1]),
    );
    for (const [index, { service, method, payload }] of CALLS.entries()) {
      const request = messages.Request.decode(frames[index]!.payload);
      assert.deepEqual([request.service, request.method], [service, method]);
      assert.deepEqual(Buffer.from(request.payload), Buffer.from(bytesValue(payload)));
    }
  }
});

test('a frame is written in the bytes and the pieces of a Go peer', () => {
  for (const [index, { name, request }] of CALLS.entries()) {
    const stream = new Writes();
    const bytes = joinPieces(request);
    writeFrame(stream, { streamId: 2 * index + 1, type: 1, payload: bytes.subarray(10) });
    const pieces = stream.writes.map((piece) =>
      Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, piece.length >> 8, piece.length & 255]), piece]),
    );
    assert.ok(Buffer.concat(pieces).equals(request), name);
  }
});

test('a message over the limit is not written, one at the limit is', () => {
  const stream = new Writes();
  const send = (bytes: number): boolean => writeFrame(stream, { streamId: 1, type: 1, payload: Buffer.alloc(bytes) });
  assert.throws(() => send(MAX_MESSAGE_BYTES + 1), new TtrpcOversizedError(4194305, 4194304));
  assert.equal(stream.writes.length, 0);
  send(MAX_MESSAGE_BYTES);
  const { reader, frames } = collector();
  for (const bytes of stream.writes) reader.push(bytes);
  assert.equal(frames[0]?.payload.length, MAX_MESSAGE_BYTES);
});

test('a message over the limit is skipped, and the next one read', () => {
  const long = frameBytes(5, 1, Buffer.alloc(MAX_MESSAGE_BYTES + 7, 1));
  for (const size of [999, 65536, long.length]) {
    const { reader, frames, oversized } = collector();
    for (let at = 0; at < long.length; at += size) {
      assert.equal(reader.isMidFrame, at > 0);
      reader.push(long.subarray(at, at + size));
    }
    reader.push(frameBytes(7, 1, Buffer.from('x')));
    assert.deepEqual(oversized, [5, MAX_MESSAGE_BYTES + 7]);
    assert.deepEqual(frames, [{ streamId: 7, type: 1, payload: Buffer.from('x') }]);
  }
});

test('what cannot be ttrpc is refused in words', () => {
  for (const text of ['GET / HTTP/1.1\r\n', '\x01\x00\x00\x00aaaaaa']) {
    assert.throws(() => {
      collector().reader.push(Buffer.from(text, 'latin1'));
    }, TtrpcProtocolError);
  }
});

test('an announced length takes no memory, a message byte by byte little', () => {
  const { reader, frames } = collector();
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 500 }, () => collector().reader);
  for (const one of readers) one.push(frameBytes(1, 1, Buffer.alloc(0)).fill(0x3f, 1, 2).subarray(0, 10));
  assert.ok(process.memoryUsage().arrayBuffers - before < 10 << 20);

  const long = frameBytes(1, 1, Buffer.alloc(300_000, 2));
  for (let at = 0; at < long.length; at += 1) reader.push(long.subarray(at, at + 1));
  assert.equal(frames[0]?.payload.length, 300_000);
});
