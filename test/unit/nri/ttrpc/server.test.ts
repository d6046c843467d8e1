import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { messages } from '../../../../api/ttrpc/messages.ts';
import type { Response } from '../../../../api/ttrpc/messages.ts';
import { Code, TtrpcClosedError, TtrpcError, TtrpcProtocolError } from '../../../../src/nri/ttrpc/errors.ts';
import { FrameReader } from '../../../../src/nri/ttrpc/frame.ts';
import { serve } from '../../../../src/nri/ttrpc/server.ts';
import type { Handler, TtrpcServer } from '../../../../src/nri/ttrpc/server.ts';
import { bytesValue, frameBytes, joinPieces, recordedCalls, valueOf } from '../../../support/nri-recorded.ts';

const CALLS = await recordedCalls();

/** What came for each stream. */
type Answers = Record<string, Response>;

interface Lab {
  readonly server: TtrpcServer;
  readonly peer: Duplex;
  readonly answers: Answers;
  call(streamId: number, method: string, payload?: Uint8Array, timeoutNano?: bigint): void;
}

function lab(methods: Readonly<Record<string, Handler>>): Lab {
  const [ours, peer] = duplexPair();
  const answers: Answers = {};
  const reader = new FrameReader({
    frame: ({ streamId, payload }) => {
      assert.ok(!(streamId in answers), `stream ${streamId} is answered once`);
      answers[streamId] = messages.Response.decode(payload);
    },
    oversized: () => assert.fail(),
  });
  peer.on('data', (chunk: Buffer) => {
    reader.push(chunk);
  });
  const call = (streamId: number, method: string, payload = new Uint8Array(0), timeoutNano = 0n): void => {
    peer.write(frameBytes(streamId, 1, messages.Request.encode({ service: 's', method, payload, timeoutNano })));
  };
  return { server: serve(ours, { s: methods }), peer, answers, call };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

test('the calls of a Go client get the answers of a Go server', async () => {
  const [ours, peer] = duplexPair();
  const got: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => got.push(chunk));
  serve(ours, {
    'podwright.test.Peer': {
      Echo: async (payload) => bytesValue(valueOf(payload)),
      Fail: async (payload) => Promise.reject(new TtrpcError(Code.FailedPrecondition, valueOf(payload).toString())),
      Plain: async (payload) => Promise.reject(new Error(valueOf(payload).toString())),
    },
  });
  for (const { name, request, response } of CALLS) {
    peer.write(joinPieces(request));
    await settled();
    const [answer, expected] = [Buffer.concat(got.splice(0)), joinPieces(response)];
    assert.deepEqual(messages.Response.decode(answer.subarray(10)), messages.Response.decode(expected.subarray(10)), name);
    assert.deepEqual(answer.subarray(4, 10), expected.subarray(4, 10), name);
    // Go writes an empty payload, which is the same as none.
    if (name !== 'empty') assert.ok(answer.equals(expected), name);
  }
});

test('a hundred calls run at once, the others after them, and are answered as they end', async () => {
  const gates: (() => void)[] = [];
  const { call, answers } = lab({
    Wait: async (payload) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return payload;
    },
  });
  for (let index = 0; index < 300; index += 1) call(2 * index + 1, 'Wait', Buffer.from(String(index)));
  await settled();
  assert.equal(gates.length, 100);
  gates[99]!();
  await settled();
  assert.deepEqual(Object.keys(answers), ['199']);
  assert.equal(gates.length, 101);
  for (let index = 0; index < 300; index += 1) {
    gates[index]!();
    await settled();
  }
  assert.equal(Object.keys(answers).length, 300);
  assert.equal(Buffer.from(answers[21]!.payload).toString(), '10');
});

test('streams that are even, used before or of another kind are refused in upstream’s words, and the connection goes on', async () => {
  const { call, answers, peer } = lab({ Echo: async (payload) => payload });
  call(4, 'Echo');
  call(5, 'Echo', Buffer.from('x'));
  call(3, 'Echo');
  peer.write(frameBytes(9, 1, Buffer.from([0xff])));
  peer.write(frameBytes(7, 3, new Uint8Array(0)));
  peer.write(frameBytes(11, 8, new Uint8Array(0)));
  call(13, 'Echo', Buffer.from('y'));
  await settled();
  const words = Object.fromEntries(
    Object.entries(answers).map(([id, { status, payload }]) => [
      id,
      status === undefined ? String.fromCharCode(...payload) : `${status.code}: ${status.message}`,
    ]),
  );
  assert.deepEqual(words, {
    3: '3: StreamID cannot be re-used and must increment',
    4: '3: StreamID must be odd for client initiated streams',
    5: 'x',
    7: '3: StreamID is no longer active',
    9: '3: unmarshal request error: index out of range: 1 + 1 > 1',
    13: 'y',
  });
});

test('a piece of a stream ends the call that runs, which is answered once', async () => {
  let reason: unknown;
  const { call, answers, peer } = lab({
    Wait: async (payload, signal) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      reason = signal.reason;
      return payload;
    },
  });
  call(1, 'Wait');
  await settled();
  peer.write(frameBytes(1, 3, new Uint8Array(0)));
  await settled();
  assert.equal(answers[1]?.status?.code, Code.InvalidArgument);
  assert.ok(reason instanceof TtrpcError);
});

test('a message over the limit is refused both ways, and the connection goes on', async () => {
  const { call, answers, peer } = lab({ Echo: async (payload) => payload, Long: async () => new Uint8Array(4 << 20) });
  peer.write(frameBytes(1, 1, Buffer.alloc((4 << 20) + 1)));
  call(3, 'Long');
  call(5, 'Echo', Buffer.from('x'));
  await settled();
  assert.deepEqual(answers[1]?.status, {
    code: Code.ResourceExhausted,
    message: 'message length 4194305 exceed maximum message size of 4194304',
    details: [],
  });
  assert.equal(answers[3]?.status?.code, Code.ResourceExhausted);
  assert.equal(Buffer.from(answers[5]!.payload).toString(), 'x');
});

test('a failure of any length is an answer', async () => {
  const { call, answers } = lab({ Fail: async () => Promise.reject(new Error('no'.repeat(4 << 20))) });
  call(1, 'Fail');
  await settled();
  assert.equal(answers[1]?.status?.code, Code.Unknown);
  assert.ok(answers[1].status.message.startsWith('nono'));
});

test('a handler hears of the caller’s deadline, and may answer after it', async () => {
  const { call, answers } = lab({
    Wait: async (_payload, signal) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      throw signal.reason;
    },
  });
  call(1, 'Wait', undefined, 20_000_000n);
  call(3, 'Wait', undefined, -1n);
  await sleep(60);
  assert.deepEqual([answers[1]?.status?.code, answers[3]?.status?.code], [Code.DeadlineExceeded, Code.DeadlineExceeded]);
});

test('the end of the connection aborts what runs', async () => {
  for (const [end, type] of [
    [(peer: Duplex) => peer.end(), TtrpcClosedError],
    [(peer: Duplex) => peer.write('garbage, no doubt of it'), TtrpcProtocolError],
    [undefined, TtrpcClosedError],
  ] as const) {
    const reasons: unknown[] = [];
    const { call, server, peer } = lab({
      Wait: async (payload, signal) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        reasons.push(signal.reason);
        return payload;
      },
    });
    call(1, 'Wait');
    await settled();
    if (end === undefined) server.close();
    else end(peer);
    await server.closed;
    await settled();
    assert.ok(server.reason instanceof type);
    assert.deepEqual(reasons, [server.reason]);
  }
});

test('calls over sixteen megabytes at once are refused, but never the only one', async () => {
  const gate = Promise.withResolvers<Uint8Array>();
  const { call, answers } = lab({ Wait: async () => gate.promise });
  for (let index = 0; index < 8; index += 1) call(2 * index + 1, 'Wait', new Uint8Array(3 << 20));
  await settled();
  assert.deepEqual(
    Object.entries(answers).map(([id, { status }]) => [id, status?.code]),
    [
      ['11', Code.ResourceExhausted],
      ['13', Code.ResourceExhausted],
      ['15', Code.ResourceExhausted],
    ],
  );
  gate.resolve(new Uint8Array(0));
  await settled();
  call(17, 'Wait', new Uint8Array(3 << 20));
  await settled();
  assert.equal(answers[17]?.status, undefined);
  assert.equal(Object.keys(answers).length, 9);
});

test('a peer that does not read its answers is not read either', async () => {
  const [ours, peer] = duplexPair();
  let calls = 0;
  serve(ours, {
    s: {
      Answer: async () => {
        calls += 1;
        return new Uint8Array(10_000);
      },
    },
  });
  let taken = 0;
  for (let index = 0; index < 100_000; index += 1) {
    const bytes = frameBytes(2 * index + 1, 1, messages.Request.encode({ service: 's', method: 'Answer' }));
    if (!peer.write(bytes)) {
      await settled();
      if (peer.writableNeedDrain) break;
    }
    taken = index;
  }
  assert.ok(calls > 0 && calls <= taken + 2);
  assert.ok(taken < 20_000, `${taken} calls were read`);
  assert.ok(ours.writableLength < 2 << 20, `${ours.writableLength} bytes wait for the peer`);
  const before = calls;
  peer.resume();
  await settled();
  await sleep(10);
  assert.ok(calls > before, 'it goes on when the peer reads');
});
