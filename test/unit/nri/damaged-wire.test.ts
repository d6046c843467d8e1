/**
 * What a Go peer has sent, cut, changed and mixed up: every call ends with one of the connection's own errors or an answer, every
 * connection ends where it is closed, and nothing is thrown past them. PODWRIGHT_TEST_SEED and PODWRIGHT_DAMAGED_ROUNDS: other ones, or more.
 */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Mux, PLUGIN_SERVICE_CONNECTION, RUNTIME_SERVICE_CONNECTION } from '../../../src/nri/mux.ts';
import { TtrpcClient } from '../../../src/nri/ttrpc/client.ts';
import { serve } from '../../../src/nri/ttrpc/server.ts';
import { frameBytes, pieceBytes, recordedCalls } from '../../support/nri-recorded.ts';
import { seededRandom } from '../../support/random-messages.ts';

const SEED = Number(process.env['PODWRIGHT_TEST_SEED'] ?? 1);
const ROUNDS = Number(process.env['PODWRIGHT_DAMAGED_ROUNDS'] ?? 400);
const SERVICE = 'podwright.test.Peer';
const LENGTHS = [0, 1, 4 << 20, (4 << 20) + 10, (4 << 20) + 11, 2 ** 24, 2 ** 32 - 1];
const OURS = new Set(['TtrpcError', 'TtrpcClosedError', 'TtrpcTimeoutError', 'TtrpcProtocolError', 'TtrpcOversizedError']);

/** A trunk whose other end takes all that is written. */
class Trunk extends Duplex {
  override _read(): void {
    // What comes is pushed.
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    written();
  }
}

const recorded = await recordedCalls();
/** Requests come over the other connection in these. */
const toRuntime = recorded.map(({ request }) => {
  const bytes = Buffer.from(request);
  for (let at = 0; at < bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) bytes.writeUInt32BE(RUNTIME_SERVICE_CONNECTION, at);
  return bytes;
});
const SOURCES = [...recorded.map(({ response }) => response), ...toRuntime];

/** One source with one fault, or without. */
function damaged(pick: (below: number) => number, faults: number): Buffer {
  const bytes = Buffer.from(SOURCES[pick(SOURCES.length)]!);
  const some = (): Buffer => Buffer.from(Array.from({ length: pick(60) }, () => pick(256)));
  switch (pick(faults)) {
    case 0:
      bytes[pick(bytes.length)] = pick(256);
      return bytes;
    case 1:
      return bytes.subarray(0, pick(bytes.length));
    case 2:
      return bytes.subarray(pick(bytes.length));
    case 3:
      bytes.writeUInt32BE(LENGTHS[pick(LENGTHS.length)]!, 4 * pick(4));
      return bytes;
    case 4: {
      const at = pick(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), some(), bytes.subarray(at)]);
    }
    case 5:
      bytes[16] = pick(6); // the type of the frame
      return bytes;
    case 6:
      return pieceBytes(1 + pick(3), frameBytes(pick(40), pick(5), some()));
    default:
      return bytes;
  }
}

async function round(seed: number): Promise<string[]> {
  const random = seededRandom(seed);
  const pick = (below: number): number => Math.floor(random() * below);
  const bytes = Buffer.concat(Array.from({ length: 1 + pick(20) }, () => damaged(pick, seed % 2 === 0 ? 9 : 60)));
  const trunk = new Trunk({ allowHalfOpen: false });
  const mux = new Mux(trunk);
  const client = new TtrpcClient(mux.open(PLUGIN_SERVICE_CONNECTION));
  const server = serve(mux.open(RUNTIME_SERVICE_CONNECTION), {
    [SERVICE]: { Echo: async (payload) => payload, Fail: async () => Promise.reject(new Error('no')) },
  });
  const calls = Array.from({ length: 8 }, async () =>
    client.call(SERVICE, 'Echo', Buffer.from('hello'), { timeoutMs: 20 }).then(
      () => 'an answer',
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    ),
  );
  for (let at = 0; at < bytes.length && !trunk.destroyed;) {
    const length = 1 + pick(random() < 0.3 ? 12 : 5000);
    trunk.push(bytes.subarray(at, at + length));
    at += length;
    if (pick(4) === 0) await nextTurn();
  }
  if (pick(2) === 0) trunk.push(null);
  const outcomes = await Promise.all(calls);
  mux.close();
  await Promise.all([mux.closed, client.closed, server.closed]);
  return outcomes;
}

test('damaged messages end in an answer or in an error of the connection', { timeout: 60_000 * (1 + ROUNDS / 1000) }, async (t) => {
  const counts: Record<string, number> = {};
  for (let index = 0; index < ROUNDS; index += 1) {
    for (const outcome of await round(SEED * 1_000_003 + index)) {
      assert.ok(outcome === 'an answer' || OURS.has(outcome), `round ${index}: ${outcome}`);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
  }
  t.diagnostic(JSON.stringify(counts));
  assert.ok(process.memoryUsage().arrayBuffers < 200 << 20);
  for (const outcome of ['an answer', 'TtrpcTimeoutError', 'TtrpcClosedError', 'TtrpcProtocolError'])
    assert.ok((counts[outcome] ?? 0) > 0, `${outcome} was among the ends`);
});
