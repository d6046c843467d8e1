/** ttrpc over NRI's multiplexer with a Go peer that has upstream's of both. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { messages } from '../../../api/ttrpc/messages.ts';
import type { Response } from '../../../api/ttrpc/messages.ts';
import { Mux, PLUGIN_SERVICE_CONNECTION } from '../../../src/nri/mux.ts';
import { TtrpcClient } from '../../../src/nri/ttrpc/client.ts';
import {
  Code,
  TtrpcClosedError,
  TtrpcError,
  TtrpcOversizedError,
  TtrpcProtocolError,
  TtrpcTimeoutError,
} from '../../../src/nri/ttrpc/errors.ts';
import { FrameReader, MAX_MESSAGE_BYTES } from '../../../src/nri/ttrpc/frame.ts';
import { memoryHeld } from '../../support/memory.ts';
import { bytesValue, frameBytes, valueOf } from '../../support/nri-recorded.ts';
import { answering, connectPeer, noPeer, SERVICE, startPeer } from './peer-lab.ts';

const skip = noPeer;
const TIMEOUT_MS = 60_000;
const options = { skip, timeout: TIMEOUT_MS };
const echo = { Echo: answering(async (value) => value) };

function noise(bytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 255));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The answer to a frame that no client of ours would send. */
async function sendRaw(connection: Duplex, streamId: number, payload: Uint8Array): Promise<Response> {
  const answer = Promise.withResolvers<Response>();
  const reader = new FrameReader({
    frame: (frame) => {
      if (frame.streamId === streamId) answer.resolve(messages.Response.decode(frame.payload));
    },
    oversized: (_header, error) => {
      answer.reject(error);
    },
  });
  const read = (chunk: Buffer): void => {
    reader.push(chunk);
  };
  connection.on('data', read);
  const bytes = frameBytes(streamId, 1, payload);
  connection.write(bytes.subarray(0, 4096));
  if (bytes.length > 4096) connection.write(bytes.subarray(4096));
  return answer.promise.finally(() => connection.off('data', read));
}

test('two hundred calls at once, in both directions at once, of all sizes of pieces', options, async (t) => {
  const peer = await connectPeer(t, echo);
  const sizes = [0, 1, 4000, 4050, 4086, 4096, 8192, 8180, 50_000];
  const calls = Array.from({ length: 200 }, async (_, index) => {
    const value = noise(sizes[index % sizes.length]!, index);
    assert.equal((await peer.call('Hash', value)).toString('hex'), sha256(value), `call ${index}`);
    assert.ok((await peer.call('Echo', value)).equals(value));
  });
  const orders = [
    await peer.order({ method: 'Echo', count: 200, size: 3000 }),
    await peer.order({ method: 'Echo', count: 200, size: 20_000 }),
  ];
  await Promise.all(calls);
  assert.deepEqual(orders, [
    { ok: 200, bytes: 600_000, errors: [] },
    { ok: 200, bytes: 4_000_000, errors: [] },
  ]);
});

test('a thousand calls at once do not overflow the multiplexer of the peer', options, async (t) => {
  const peer = await connectPeer(t);
  peer.kill('SIGSTOP');
  const calls = Array.from({ length: 1000 }, async () => peer.call('Echo', 'x'.repeat(5000)));
  await sleep(50);
  peer.kill('SIGCONT');
  await Promise.all(calls);
  assert.equal(peer.mux.reason, undefined);
});

test('a call at the limit of four megabytes goes through, both ways', options, async (t) => {
  const peer = await connectPeer(t, echo);
  const envelope = messages.Request.encode({
    service: SERVICE,
    method: 'Hash',
    payload: bytesValue('x'.repeat(1 << 21)),
    timeoutNano: 20_000_000_000n,
  });
  const value = noise(MAX_MESSAGE_BYTES - (envelope.length - (1 << 21)), 1);
  assert.equal((await peer.call('Hash', value)).toString('hex'), sha256(value));
  await assert.rejects(peer.call('Hash', Buffer.concat([value, Buffer.alloc(16)])), TtrpcOversizedError);
  assert.equal((await peer.call('Size', '4194290')).length, 4_194_290);
  assert.deepEqual(await peer.order({ method: 'Echo', size: 4_194_200 }), { ok: 1, bytes: 4_194_200, errors: [] });
  const [refused] = (await peer.order({ method: 'Echo', size: 4_194_304 })).errors;
  assert.match(refused ?? '', /^ResourceExhausted: .*exceed maximum message size/);
  assert.equal((await peer.call('Echo', 'still here')).toString(), 'still here');
});

test('a request over the limit is skipped and refused by the peer, which goes on', options, async (t) => {
  // Not over the multiplexer: upstream's other end skips in steps of 4096 bytes, and fails at a piece that is longer.
  const { socket } = await startPeer(t, 'plain');
  const { status } = await sendRaw(socket, 1, new Uint8Array(MAX_MESSAGE_BYTES + 1));
  assert.deepEqual(status, { code: 8, message: 'message length 4194305 exceed maximum message size of 4194304', details: [] });
  const next = await sendRaw(socket, 3, messages.Request.encode({ service: SERVICE, method: 'Echo', payload: bytesValue('next') }));
  assert.equal(valueOf(next.payload).toString(), 'next');
});

test('failures come with their codes and words, both ways', options, async (t) => {
  const peer = await connectPeer(t, {
    Fail: answering(async (value) => Promise.reject(new TtrpcError(Code.NotFound, `no ${value.toString()}`))),
    Break: answering(async () => Promise.reject(new Error('it broke'))),
    Long: answering(async () => new Uint8Array(MAX_MESSAGE_BYTES)),
  });
  await assert.rejects(peer.call('Fail', 'not like this'), { name: 'TtrpcError', code: Code.FailedPrecondition, message: 'not like this' });
  await assert.rejects(peer.call('Plain', 'it broke'), { code: Code.Unknown, message: 'it broke' });
  await assert.rejects(peer.call('Nothing'), { code: Code.Unimplemented, message: 'method Nothing' });
  await assert.rejects(peer.client.call('nobody', 'm', new Uint8Array(0), { timeoutMs: 5000 }), { code: Code.Unimplemented });
  const failure = async (method: string): Promise<string | undefined> => (await peer.order({ method, text: 'such thing' })).errors[0];
  assert.match((await failure('Fail'))!, /^NotFound: .*desc = no such thing$/);
  assert.match((await failure('Break'))!, /^Unknown: .*desc = it broke$/);
  assert.match((await failure('Long'))!, /^ResourceExhausted: .*exceed maximum message size/);
  assert.match((await failure('Nothing'))!, /^Unimplemented: .*desc = method Nothing$/);
});

test('deadlines are told to the other side, both ways', options, async (t) => {
  let heard: unknown;
  const peer = await connectPeer(t, {
    Wait: answering(async (_value, signal) => {
      await once(signal, 'abort');
      heard = signal.reason;
      throw heard;
    }),
  });
  await assert.rejects(peer.call('Oversleep', '1500', 200), TtrpcTimeoutError);
  assert.equal((await peer.call('Echo', 'next')).toString(), 'next');

  const request = { service: SERVICE, method: 'Sleep', payload: bytesValue('10000'), timeoutNano: 150_000_000n };
  const { payload } = await sendRaw(peer.mux.open(PLUGIN_SERVICE_CONNECTION), 1001, messages.Request.encode(request));
  const waitedMs = Number(valueOf(payload).toString());
  assert.ok(waitedMs >= 100 && waitedMs < 2000, `the peer has waited ${waitedMs} ms`);

  const [timedOut] = (await peer.order({ method: 'Wait', timeoutMs: 150 })).errors;
  assert.match(timedOut ?? '', /DeadlineExceeded|deadline exceeded/);
  for (let waits = 0; waits < 100 && heard === undefined; waits += 1) await sleep(20);
  assert.ok(heard instanceof TtrpcError);
});

test('a peer that is killed in the middle of a message ends every call, here and there', options, async (t) => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const peer = await connectPeer(t, { Wait: answering(async (_value, aborted) => String(await once(aborted, 'abort'))) });
    const order = peer.order({ method: 'Wait', count: 5 }).catch(() => undefined);
    const calls = Array.from({ length: 50 }, async () => peer.call('Size', '3000000'));
    const outcomes = Promise.allSettled(calls);
    await Promise.any(calls);
    peer.kill(signal);
    const errors = (await outcomes).flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
    assert.ok(errors.length > 10, `${errors.length} of 50 calls have failed`);
    for (const error of errors) assert.ok(error instanceof TtrpcClosedError, String(error));
    await Promise.all([peer.mux.closed, peer.client.closed, peer.server.closed]);
    void order;
  }
});

test('a peer that exits in a call ends it', options, async (t) => {
  const peer = await connectPeer(t);
  await assert.rejects(peer.call('Exit'), TtrpcClosedError);
  await assert.rejects(peer.call('Echo'), TtrpcClosedError);
});

test('a peer that stands still takes little memory, and what it had taken is answered when it goes on', options, async (t) => {
  const peer = await connectPeer(t);
  peer.kill('SIGSTOP');
  const before = memoryHeld();
  const value = noise(1 << 20, 3);
  const payload = bytesValue(value);
  let refused = 0;
  const calls = Array.from({ length: 300 }, async () =>
    peer.client.call(SERVICE, 'Hash', payload, { timeoutMs: 30_000 }).catch((error: unknown) => {
      if (!(error instanceof TtrpcError) || error.code !== Code.ResourceExhausted) throw error;
      refused += 1;
      return undefined;
    }),
  );
  await sleep(300);
  const grownMb = (memoryHeld().arrayBuffers - before.arrayBuffers) / 2 ** 20;
  t.diagnostic(`${refused} of 300 calls of 1 MiB refused, ${grownMb.toFixed(0)} MB held`);
  assert.ok(refused > 200, `${refused} calls were refused`);
  assert.ok(grownMb < 60, `${grownMb} MB are held`);
  peer.kill('SIGCONT');
  const answers = (await Promise.all(calls)).filter((answer) => answer !== undefined);
  assert.equal(answers.length, 300 - refused);
  for (const answer of answers) assert.equal(valueOf(answer).toString('hex'), sha256(value));
  assert.equal((await peer.call('Echo', 'fine')).toString(), 'fine');
});

test('garbage to the peer ends in words, on this side too', options, async (t) => {
  const peer = await connectPeer(t);
  const call = assert.rejects(peer.call('Sleep', '10000'), TtrpcClosedError);
  peer.socket.write(Buffer.alloc(4000, 0xee));
  peer.socket.end();
  await call;

  // What a peer of another protocol sends.
  const { socket } = await startPeer(t, 'plain');
  const mux = new Mux(socket);
  const client = new TtrpcClient(mux.open(PLUGIN_SERVICE_CONNECTION));
  const failed = assert.rejects(
    client.call(SERVICE, 'Echo', bytesValue('to one without a multiplexer'), { timeoutMs: 2000 }),
    (error) => error instanceof TtrpcTimeoutError || error instanceof TtrpcProtocolError || error instanceof TtrpcClosedError,
  );
  await failed;
  mux.close();
});

test('a plain connection works without the multiplexer', options, async (t) => {
  const { socket } = await startPeer(t, 'plain');
  const client = new TtrpcClient(socket);
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const value = noise(index * 100, index);
      return valueOf(await client.call(SERVICE, 'Echo', bytesValue(value), { timeoutMs: 20_000 })).equals(value);
    }),
  );
  assert.ok(answers.every((same) => same));
  client.close();
  await client.closed;
});
