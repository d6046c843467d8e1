import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Mux, PLUGIN_SERVICE_CONNECTION, RUNTIME_SERVICE_CONNECTION } from '../../../src/nri/mux.ts';
import { TtrpcClient } from '../../../src/nri/ttrpc/client.ts';
import { TtrpcClosedError, TtrpcProtocolError } from '../../../src/nri/ttrpc/errors.ts';
import { serve } from '../../../src/nri/ttrpc/server.ts';
import { bytesValue, pieceBytes, recordedCalls, valueOf } from '../../support/nri-recorded.ts';

const IN_TIME = { timeoutMs: 10_000 };

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

/** A multiplexer with both connections open, whose other end is the test's. */
function lab(): { mux: Mux; peer: Duplex; plugin: Duplex; runtime: Duplex; came: (from: Duplex) => Buffer[] } {
  const [trunk, peer] = duplexPair();
  const mux = new Mux(trunk);
  const came = (from: Duplex): Buffer[] => {
    const chunks: Buffer[] = [];
    from.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  };
  return { mux, peer, plugin: mux.open(PLUGIN_SERVICE_CONNECTION), runtime: mux.open(RUNTIME_SERVICE_CONNECTION), came };
}

test('the pieces of a Go peer are answered with pieces of a Go peer, whatever they are cut into', async () => {
  const calls = (await recordedCalls()).filter(({ method, service }) => method === 'Echo' && service === 'podwright.test.Peer').slice(1);
  const bytes = Buffer.concat(calls.map(({ request }) => request));
  for (const size of [1, 7, 8, 9, 50, 4096, bytes.length]) {
    const { peer, plugin, came } = lab();
    serve(plugin, { 'podwright.test.Peer': { Echo: async (payload) => bytesValue(valueOf(payload)) } });
    const got = came(peer);
    for (let at = 0; at < bytes.length; at += size) peer.write(bytes.subarray(at, at + size));
    while (Buffer.concat(got).length < Buffer.concat(calls.map(({ response }) => response)).length) await nextTurn();
    assert.ok(Buffer.concat(got).equals(Buffer.concat(calls.map(({ response }) => response))), `cut into ${size}`);
  }
});

test('each write is a piece, each connection has its own, and what is for none is dropped', async () => {
  const { peer, plugin, runtime, came } = lab();
  const [toPeer, toPlugin, toRuntime] = [came(peer), came(plugin), came(runtime)];
  plugin.write('ab');
  runtime.write('c');
  plugin.write('d');
  peer.write(Buffer.concat([pieceBytes(2, Buffer.from('x')), pieceBytes(9, Buffer.from('lost')), pieceBytes(0, Buffer.from('lost'))]));
  peer.write(Buffer.concat([pieceBytes(1, Buffer.alloc(0)), pieceBytes(1, Buffer.from('y'))]));
  await settled();
  assert.deepEqual(
    Buffer.concat(toPeer),
    Buffer.concat([pieceBytes(1, Buffer.from('ab')), pieceBytes(2, Buffer.from('c')), pieceBytes(1, Buffer.from('d'))]),
  );
  assert.deepEqual([Buffer.concat(toPlugin).toString(), Buffer.concat(toRuntime).toString()], ['y', 'x']);
});

test('what is longer than a piece is written in pieces', async () => {
  const { peer, plugin, came } = lab();
  const got = came(peer);
  const max = (4 << 20) + 10;
  plugin.write(Buffer.alloc(max + 1, 5));
  while (Buffer.concat(got).length < max + 17) await nextTurn();
  assert.deepEqual(Buffer.concat(got), Buffer.concat([pieceBytes(1, Buffer.alloc(max, 5)), pieceBytes(1, Buffer.alloc(1, 5))]));
});

test('a client and a server share a connection', async () => {
  const [one, other] = duplexPair();
  const [here, there] = [new Mux(one), new Mux(other)];
  const echo = { s: { Echo: async (payload: Uint8Array) => payload } };
  serve(there.open(1), echo);
  serve(here.open(2), echo);
  const clients = [new TtrpcClient(here.open(1)), new TtrpcClient(there.open(2))];
  const sizes = [0, 1, 4000, 4096, 70_000, 2 << 20];
  await Promise.all(
    clients.flatMap((client) =>
      sizes.map(async (size) => {
        assert.equal((await client.call('s', 'Echo', new Uint8Array(size), IN_TIME)).length, size);
      }),
    ),
  );
});

test('a connection that nobody reads stops the trunk, and goes on where it is read', async () => {
  const { peer, runtime } = lab();
  let written = 0;
  while (written < 10_000 && peer.write(pieceBytes(RUNTIME_SERVICE_CONNECTION, Buffer.alloc(4096)))) {
    written += 1;
    if (written % 8 === 0) await settled();
  }
  await settled();
  assert.ok(written < 100, `${written} pieces were taken`);
  assert.ok(runtime.readableLength < 1 << 20);
  let got = 0;
  runtime.on('data', (chunk: Buffer) => {
    got += chunk.length;
  });
  while (got < (written + 1) * 4096) await nextTurn();
});

test('a peer that does not read stops the writers, and they go on where it reads', async () => {
  const { peer, plugin, came } = lab();
  let written = 0;
  while (written < 10_000 && plugin.write(Buffer.alloc(4096))) {
    written += 1;
    if (written % 8 === 0) await settled();
  }
  assert.ok(written < 100, `${written} pieces were taken`);
  const got = came(peer);
  while (got.reduce((sum, { length }) => sum + length, 0) < (written + 1) * 4104) await nextTurn();
});

test('garbage, and an end in the middle of a piece, end all connections with why', async () => {
  const cases: [end: (peer: Duplex) => void, expected: RegExp, type: new (...args: never) => Error][] = [
    [(peer) => peer.write('GET / HTTP/1.1\r\n\r\n'), /this is not NRI/, TtrpcProtocolError],
    [(peer) => peer.write(pieceBytes(1, Buffer.from('GET / HTTP/1.1\r\n'))), /this is not ttrpc/, TtrpcProtocolError],
    [(peer) => peer.end(pieceBytes(1, Buffer.alloc(100)).subarray(0, 50)), /in the middle of a message/, TtrpcClosedError],
    [(peer) => peer.end('abc'), /in the middle of a message/, TtrpcClosedError],
    [(peer) => peer.end(), /the peer has closed$/, TtrpcClosedError],
  ];
  for (const [end, expected, type] of cases) {
    const { mux, peer, plugin, runtime } = lab();
    const client = new TtrpcClient(plugin);
    const server = serve(runtime, {});
    const call = assert.rejects(client.call('s', 'm', new Uint8Array(0), IN_TIME), type);
    end(peer);
    await Promise.all([mux.closed, client.closed, server.closed, call]);
    for (const { reason } of [mux, client, server]) {
      assert.ok(reason instanceof type);
      assert.match(reason.message, expected);
    }
    mux.open(1).on('error', () => undefined);
  }
});

test('closing one connection leaves the other, closing the multiplexer ends all; what nobody listens to ends quietly', async () => {
  const { mux, peer, plugin, runtime, came } = lab();
  const got = came(runtime);
  const client = new TtrpcClient(plugin);
  client.close();
  peer.write(Buffer.concat([pieceBytes(1, Buffer.from('late')), pieceBytes(2, Buffer.from('x'))]));
  await settled();
  assert.equal(Buffer.concat(got).toString(), 'x');
  assert.equal(mux.reason, undefined);
  const other = serve(runtime, {});
  mux.close();
  await Promise.all([mux.closed, other.closed]);
  assert.ok(peer.destroyed || peer.readableEnded || other.reason instanceof TtrpcClosedError);
});
