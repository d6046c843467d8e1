import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { messages } from '../../../../api/ttrpc/messages.ts';
import { TtrpcClient } from '../../../../src/nri/ttrpc/client.ts';
import {
  Code,
  TtrpcClosedError,
  TtrpcError,
  TtrpcOversizedError,
  TtrpcProtocolError,
  TtrpcTimeoutError,
} from '../../../../src/nri/ttrpc/errors.ts';
import { FrameReader } from '../../../../src/nri/ttrpc/frame.ts';
import type { Frame } from '../../../../src/nri/ttrpc/frame.ts';
import { bytesValue, frameBytes, joinPieces, recordedCalls, valueOf } from '../../../support/nri-recorded.ts';

const CALLS = await recordedCalls();
const IN_TIME = { timeoutMs: 60_000 };
const NOTHING = new Uint8Array(0);

/** A client whose other end is the test's: the frames that it has sent, in order. */
function lab(): { client: TtrpcClient; peer: Duplex; sent: Frame[]; answer: (streamId: number, payload: string) => void } {
  const [ours, peer] = duplexPair();
  const sent: Frame[] = [];
  const reader = new FrameReader({ frame: (frame) => void sent.push(frame), oversized: () => assert.fail() });
  peer.on('data', (chunk: Buffer) => {
    reader.push(chunk);
  });
  const answer = (streamId: number, payload: string): void => {
    peer.write(frameBytes(streamId, 2, messages.Response.encode({ payload: Buffer.from(payload) })));
  };
  return { client: new TtrpcClient(ours), peer, sent, answer };
}

test('calls have the bytes that a Go client gives them, and the answers of a Go server are understood', async () => {
  const { client, peer, sent } = lab();
  const outcomes: string[] = [];
  for (const { service, method, payload, response } of CALLS) {
    const call = client.call(service, method, bytesValue(payload), IN_TIME).then(
      (answer) => valueOf(answer).toString('hex'),
      (error: unknown) => (error instanceof TtrpcError ? `${error.code}: ${error.message}` : String(error)),
    );
    peer.write(joinPieces(response));
    outcomes.push(await call);
  }
  for (const [index, { request }] of CALLS.entries()) {
    const theirs = messages.Request.decode(joinPieces(request).subarray(10));
    const { streamId, type, payload } = sent[index]!;
    const ours = messages.Request.decode(payload);
    assert.deepEqual([streamId, type], [2 * index + 1, 1]);
    assert.ok(ours.timeoutNano > 59_000_000_000n && ours.timeoutNano <= 60_000_000_000n);
    const { timeoutNano } = theirs;
    assert.deepEqual({ ...ours, timeoutNano }, theirs);
    assert.deepEqual(Buffer.from(messages.Request.encode({ ...ours, timeoutNano })), joinPieces(request).subarray(10), 'the same bytes');
  }
  assert.deepEqual(outcomes, [
    ...CALLS.slice(0, 4).map(({ payload }) => payload.toString('hex')),
    '9: not like this',
    '2: something',
    '12: method Nothing',
    '12: service podwright.test.Nobody',
  ]);
});

test('answers come in any order', async () => {
  const { client, sent, answer } = lab();
  const calls = ['a', 'b', 'c'].map((method) => client.call('s', method, NOTHING, IN_TIME));
  await nextTurn();
  assert.deepEqual(
    sent.map(({ streamId }) => streamId),
    [1, 3, 5],
  );
  for (const streamId of [5, 1, 3]) answer(streamId, `to ${streamId}`);
  assert.deepEqual(
    (await Promise.all(calls)).map(String).map((text) => Buffer.from(text.split(',').map(Number)).toString()),
    ['to 1', 'to 3', 'to 5'],
  );
});

test('no more than a hundred calls are on the way; the next begins when one is answered, in order', async () => {
  const { client, sent, answer } = lab();
  const calls = Array.from({ length: 250 }, (_, index) => client.call('s', String(index), NOTHING, IN_TIME));
  await nextTurn();
  assert.equal(sent.length, 100);
  answer(31, 'x');
  await calls[15];
  await nextTurn();
  assert.equal(sent.length, 101);
  for (let index = 0; index < 250; index += 1) {
    if (index !== 15) answer(2 * index + 1, 'x');
    await calls[index];
  }
  assert.deepEqual(
    sent.map(({ payload }) => messages.Request.decode(payload).method),
    Array.from({ length: 250 }, (_, index) => String(index)),
  );
});

test('a peer that reads nothing gets sixteen megabytes, others wait, and what is too much is refused', async () => {
  const [ours] = duplexPair();
  const client = new TtrpcClient(ours);
  const payload = new Uint8Array(3 << 20);
  const outcomes = Array.from({ length: 40 }, () =>
    client.call('s', 'm', payload, IN_TIME).then(
      () => 0,
      (error: unknown) => (error instanceof TtrpcError ? error.code : error instanceof TtrpcClosedError ? -1 : -2),
    ),
  );
  await nextTurn();
  assert.ok(ours.writableLength <= 17 << 20, `${ours.writableLength} bytes are written`);
  client.close();
  const codes = await Promise.all(outcomes);
  // 5 on the way and 21 that wait, of 3 MiB each.
  assert.deepEqual(codes, [...Array<number>(26).fill(-1), ...Array<number>(14).fill(Code.ResourceExhausted)]);
});

test('a call that is not answered in time fails, its late answer is nobody’s, and others go on', async () => {
  const { client, answer } = lab();
  const other = client.call('s', 'other', NOTHING, IN_TIME);
  await assert.rejects(client.call('s', 'slow', NOTHING, { timeoutMs: 20 }), (error: unknown) => {
    assert.ok(error instanceof TtrpcTimeoutError);
    assert.equal(error.message, 's/slow: no answer after 0.02 s');
    return true;
  });
  answer(3, 'late');
  answer(1, 'fine');
  assert.equal(Buffer.from(await other).toString(), 'fine');
});

test('a call ends with its signal, also one that waits for its turn', async () => {
  const { client, sent } = lab();
  const controller = new AbortController();
  const others = Array.from({ length: 100 }, () => client.call('s', 'm', NOTHING, IN_TIME).catch(() => 'closed'));
  const waiting = client.call('s', 'waits', NOTHING, { ...IN_TIME, signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(client.call('s', 'm', NOTHING, { ...IN_TIME, signal: controller.signal }), /enough/);
  client.close();
  assert.deepEqual(new Set(await Promise.all(others)), new Set(['closed']));
  assert.equal(
    sent.some(({ payload }) => messages.Request.decode(payload).method === 'waits'),
    false,
  );
});

test('a request over the limit is not sent, an answer over it fails its call alone', async () => {
  const { client, peer, sent, answer } = lab();
  await assert.rejects(client.call('s', 'm', new Uint8Array(4 << 20), IN_TIME), (error: unknown) => {
    assert.ok(error instanceof TtrpcOversizedError);
    assert.ok(error.rejected > error.maximum);
    assert.equal(error.maximum, 4 << 20);
    return true;
  });
  const calls = [client.call('s', 'a', NOTHING, IN_TIME), client.call('s', 'b', NOTHING, IN_TIME)];
  peer.write(frameBytes(1, 2, Buffer.alloc((4 << 20) + 1)));
  await assert.rejects(calls[0]!, new TtrpcOversizedError((4 << 20) + 1, 4 << 20));
  answer(3, 'b');
  await calls[1];
  assert.equal(sent.length, 2);
});

test('what is no answer fails its call alone; messages of other streams and of later types are left', async () => {
  const { client, peer, answer } = lab();
  const calls = ['a', 'b', 'c'].map((method) => client.call('s', method, NOTHING, IN_TIME));
  peer.write(Buffer.concat([frameBytes(77, 2, NOTHING), frameBytes(2, 2, NOTHING), frameBytes(5, 9, NOTHING)]));
  peer.write(frameBytes(1, 2, Buffer.from([0xff])));
  peer.write(frameBytes(3, 3, NOTHING));
  answer(5, 'c');
  await assert.rejects(calls[0]!, TtrpcProtocolError);
  await assert.rejects(calls[1]!, TtrpcProtocolError);
  await calls[2];
});

test('the end of the connection ends all calls, with why, and later ones', async () => {
  const cases: [end: (peer: Duplex) => void, expected: RegExp, type: new (...args: never) => Error][] = [
    [(peer) => peer.end(), /the peer has closed$/, TtrpcClosedError],
    [(peer) => peer.end(frameBytes(1, 2, Buffer.alloc(100)).subarray(0, 50)), /in the middle of a message/, TtrpcClosedError],
    [(peer) => peer.write('HTTP/1.1 400 Bad Request\r\n'), /this is not ttrpc/, TtrpcProtocolError],
  ];
  for (const [end, expected, type] of cases) {
    const { client, peer } = lab();
    const calls = Array.from({ length: 120 }, () => assert.rejects(client.call('s', 'm', NOTHING, IN_TIME), type));
    end(peer);
    await client.closed;
    await Promise.all(calls);
    assert.match(client.reason!.message, expected);
    await assert.rejects(client.call('s', 'm', NOTHING, IN_TIME), expected);
  }
});

test('a stream that fails ends the calls with its error', async () => {
  const [ours, peer] = duplexPair();
  const client = new TtrpcClient(ours);
  const call = assert.rejects(client.call('s', 'm', NOTHING, IN_TIME), /the connection has failed: read ECONNRESET/);
  ours.destroy(new Error('read ECONNRESET'));
  await call;
  peer.destroy();
});
