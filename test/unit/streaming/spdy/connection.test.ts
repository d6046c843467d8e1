import assert from 'node:assert/strict';
import { duplexPair, type Duplex } from 'node:stream';
import { test } from 'node:test';
import { SpdyConnection, type SpdyConnectionOptions } from '../../../../src/streaming/spdy/connection.ts';
import { FrameDecoder } from '../../../../src/streaming/spdy/decoder.ts';
import { goAway, ping, rstStream, RstStatus, type Frame } from '../../../../src/streaming/spdy/frames.ts';
import type { SpdyStream } from '../../../../src/streaming/spdy/stream.ts';
import { dataFrame, headerBlock, HeaderDeflater, synStream } from '../../../support/streaming/spdy-bytes.ts';

interface Peers {
  readonly connection: SpdyConnection;
  readonly client: Duplex;
  readonly streams: SpdyStream[];
  /** What the server has sent. */
  readonly received: Frame[];
  readonly closed: Promise<Error | undefined>;
  open(streamId: number, headers?: Record<string, string>): Promise<void>;
}

function connect(options: Partial<SpdyConnectionOptions> = {}): Peers {
  const [server, client] = duplexPair();
  const streams: SpdyStream[] = [];
  const received: Frame[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<Error | undefined>();
  const connection = new SpdyConnection(server, {
    streamBufferBytes: 1024,
    accept: () => undefined,
    opened: (stream) => streams.push(stream),
    active: () => undefined,
    closed: resolve,
    ...options,
  });
  const decoder = new FrameDecoder();
  client.on('data', (chunk: Buffer) => received.push(...decoder.push(chunk)));
  client.on('error', () => undefined);
  const deflater = new HeaderDeflater();
  return {
    connection,
    client,
    streams,
    received,
    closed,
    open: async (streamId, headers = { streamtype: 'data' }) => {
      client.write(synStream(streamId, await deflater.deflate(headerBlock(headers))));
    },
  };
}

/** Waits until the condition holds; the test's own time limit ends it otherwise. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function kinds(frames: readonly Frame[]): string[] {
  return frames.map((frame) => frame.is);
}

test('a stream is replied to, carries bytes both ways, and each side ends by itself', { timeout: 5000 }, async () => {
  const { client, streams, received, open, connection } = connect();
  await open(1, { streamtype: 'stdin', other: 'x' });
  client.write(dataFrame(1, Buffer.from('ping')));
  client.write(dataFrame(1, Buffer.alloc(0), true));
  await until(() => streams.length === 1);
  const [stream] = streams;
  assert.ok(stream);
  assert.deepEqual(Object.fromEntries(stream.headers), { streamtype: 'stdin', other: 'x' });
  assert.equal(Buffer.concat(await stream.toArray()).toString(), 'ping');
  stream.end('pong');
  await until(() => received.length >= 3);
  assert.deepEqual(received.slice(1), [
    { is: 'Data', streamId: 1, fin: false, data: Buffer.from('pong') },
    { is: 'Data', streamId: 1, fin: true, data: Buffer.alloc(0) },
  ]);
  assert.equal(received[0]?.is, 'SynReply');
  await until(() => connection.streamCount === 0);
});

test('a ping of the client is answered, one of ours not', { timeout: 5000 }, async () => {
  const { client, received } = connect();
  client.write(Buffer.concat([ping(1), ping(2), ping(3)]));
  await until(() => received.length === 2);
  assert.deepEqual(received, [
    { is: 'Ping', id: 1 },
    { is: 'Ping', id: 3 },
  ]);
});

test('streams with even, repeated or falling numbers, and data for unopened ones, are reset', { timeout: 5000 }, async () => {
  const { client, received, open, streams } = connect();
  await open(2);
  await open(5);
  await open(5);
  await open(3);
  client.write(dataFrame(7, Buffer.from('x')));
  await until(() => received.length === 5);
  const resets = received.filter((frame) => frame.is === 'RstStream').map(({ streamId, status }) => [streamId, status]);
  assert.deepEqual(resets, [
    [2, RstStatus.ProtocolError],
    [5, RstStatus.ProtocolError],
    [3, RstStatus.ProtocolError],
    [7, RstStatus.InvalidStream],
  ]);
  assert.equal(streams.length, 1);
});

test('a stream that is not accepted is reset, and the next one still works', { timeout: 5000 }, async () => {
  const { received, open, streams } = connect({
    accept: (headers) => (headers.get('streamtype') === 'bad' ? RstStatus.RefusedStream : undefined),
  });
  await open(1, { streamtype: 'bad' });
  await open(3, { streamtype: 'good' });
  await until(() => received.length === 2);
  assert.deepEqual(kinds(received), ['RstStream', 'SynReply']);
  assert.equal(streams.length, 1);
});

test("a stream's full buffer makes the client wait, and reading it lets the client go on", { timeout: 5000 }, async () => {
  const { client, streams, open, received } = connect({ watchMs: 20 });
  await open(1);
  await until(() => streams.length === 1);
  const [stream] = streams;
  assert.ok(stream);
  const piece = Buffer.alloc(8 * 1024, 'y');
  let sentBytes = 0;
  while (client.write(dataFrame(1, piece))) sentBytes += piece.length;
  for (let turn = 0; turn < 200; turn += 1) {
    client.write(dataFrame(1, piece));
    sentBytes += piece.length;
  }
  await until(() => received.filter((frame) => frame.is === 'Ping').length >= 2); // it is asked whether it is there
  assert.ok(stream.readableLength < 64 * 1024, `${stream.readableLength} bytes are held`);
  client.write(dataFrame(1, Buffer.alloc(0), true));
  let readBytes = 0;
  for await (const chunk of stream) readBytes += (chunk as Buffer).length;
  assert.equal(readBytes, sentBytes + piece.length);
});

test('a reset breaks a stream that is in use, and is the end of one that we have ended', { timeout: 5000 }, async () => {
  const { client, streams, open } = connect();
  await open(1);
  await open(3);
  await until(() => streams.length === 2);
  const [used, ended] = streams;
  assert.ok(used && ended);
  ended.end();
  client.write(dataFrame(3, Buffer.from('tail')));
  client.write(Buffer.concat([rstStream(1, RstStatus.Cancel), rstStream(3, RstStatus.Cancel)]));
  await assert.rejects(used.toArray(), /reset the stream/);
  assert.equal(Buffer.concat(await ended.toArray()).toString(), 'tail');
});

test('garbage ends the connection with GOAWAY and breaks its streams', { timeout: 5000 }, async () => {
  const { client, streams, open, received, closed } = connect();
  await open(1);
  await until(() => streams.length === 1);
  client.write(Buffer.from('GET / HTTP/1.1\r\n\r\n\xff\xff\xff\xff', 'latin1').fill(0x81));
  assert.match(String(await closed), /version/);
  assert.equal(streams[0]?.destroyed, true);
  await until(() => received.some((frame) => frame.is === 'GoAway' && frame.status === 1));
});

test('a zip bomb ends the connection', { timeout: 5000 }, async () => {
  const { client, closed } = connect();
  const deflater = new HeaderDeflater();
  client.write(synStream(1, await deflater.deflate(Buffer.alloc(4 * 1024 * 1024))));
  assert.match(String(await closed), /inflates to more than/);
});

test('a client that asks for answers and never reads them is cut off', { timeout: 5000 }, async () => {
  const { client, closed } = connect();
  client.pause();
  const questions = Buffer.concat(Array.from({ length: 2000 }, () => ping(1)));
  for (let turn = 0; turn < 20; turn += 1) client.write(questions);
  assert.match(String(await closed), /replies wait/);
});

test('GOAWAY, or the end of the transport, is the end of the connection in good order', { timeout: 5000 }, async () => {
  const [first, second] = [connect(), connect()];
  first.client.write(goAway(0, 0));
  second.client.end();
  assert.deepEqual(await Promise.all([first.closed, second.closed]), [undefined, undefined]);
});

test('close sends all that was written, then GOAWAY, and drops what still comes', { timeout: 5000 }, async () => {
  const { connection, client, streams, open, received, closed } = connect();
  await open(1);
  await until(() => streams.length === 1);
  streams[0]?.end(Buffer.alloc(100_000, 'z'));
  connection.close();
  for (let turn = 0; turn < 100; turn += 1) client.write(dataFrame(1, Buffer.alloc(10_000)));
  client.end();
  await closed;
  await until(() => kinds(received).includes('GoAway'));
  assert.equal(
    received.reduce((sum, frame) => sum + (frame.is === 'Data' ? frame.data.length : 0), 0),
    100_000,
  );
});

test('close does not wait for ever for a client that stays', { timeout: 5000 }, async () => {
  const { connection, closed } = connect({ lingerMs: 20 });
  connection.close();
  await closed;
});
