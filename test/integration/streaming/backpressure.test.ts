// long: 63 s
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { eventually, mostGrowth, openSpdy, quiet, sleep, startServer } from '../../support/streaming/harness.ts';
import { SpdyClient, upgradeToSpdy } from '../../support/streaming/spdy-client.ts';
import { connectWebSocket } from '../../support/streaming/websocket-client.ts';

const STOP_MS = 10_000;
const MOST_GROWTH_BYTES = 20 * 1024 * 1024;
const OUTPUT_BYTES = 100_000_000;
const producer = { containerId: 'local', command: ['head', '-c', String(OUTPUT_BYTES), '/dev/zero'], ...quiet };

/** Watches the memory for ten seconds. @returns by how much it grew at most. */
const growthWhileStopped = async (before: number): Promise<number> => mostGrowth(before, STOP_MS, () => process.memoryUsage.rss());

/** What the code and the sockets take by being used once is no growth. */
async function warmUp(t: TestContext): ReturnType<typeof startServer> {
  const harness = await startServer(t);
  const { client, stdout } = await openSpdy(harness.server.execUrl(producer), ['stdout']);
  if (stdout) stdout.keep = false;
  await client.until(() => false);
  return harness;
}

test('a SPDY client that stops reading for 10 s slows the command, costs no memory, and loses nothing', { timeout: 60_000 }, async (t) => {
  const { server, backend } = await warmUp(t);
  const { client, stdout, error } = await openSpdy(server.execUrl(producer), ['stdout']);
  assert.ok(stdout);
  stdout.keep = false;
  client.socket.pause();
  const growth = await growthWhileStopped(process.memoryUsage.rss());
  t.diagnostic(`memory +${Math.round(growth / 1024)} KiB`);
  assert.ok(growth < MOST_GROWTH_BYTES, `${growth} bytes`);
  assert.equal(backend.running, 1);
  client.socket.resume();
  await error.over();
  await stdout.over();
  assert.equal(stdout.sizeBytes, OUTPUT_BYTES);
});

test(
  'a WebSocket client that stops reading for 10 s slows the command, costs no memory, and loses nothing',
  { timeout: 60_000 },
  async (t) => {
    const { server, backend } = await warmUp(t);
    const client = await connectWebSocket(server.execUrl(producer), ['v5.channel.k8s.io']);
    client.keep = false;
    client.socket.pause();
    const growth = await growthWhileStopped(process.memoryUsage.rss());
    t.diagnostic(`memory +${Math.round(growth / 1024)} KiB`);
    assert.ok(growth < MOST_GROWTH_BYTES, `${growth} bytes`);
    assert.equal(backend.running, 1);
    client.socket.resume();
    await client.over();
    assert.equal(client.sizes.get(1), OUTPUT_BYTES);
  },
);

test('a command that does not read its input for 10 s makes the client wait', { timeout: 60_000 }, async (t) => {
  const { server } = await warmUp(t);
  const { stdin, stdout, error } = await openSpdy(server.execUrl({ ...producer, command: ['sh', '-c', 'sleep 10; wc -c'], stdin: true }), [
    'stdin',
    'stdout',
  ]);
  assert.ok(stdin && stdout);
  const piece = Buffer.alloc(32 * 1024);
  const before = process.memoryUsage.rss();
  const sending = (async () => {
    for (let turn = 0; turn < 2000; turn += 1) await stdin.write(piece);
    await stdin.end();
  })();
  const growth = await growthWhileStopped(before);
  t.diagnostic(`memory +${Math.round(growth / 1024)} KiB`);
  assert.ok(growth < MOST_GROWTH_BYTES, `${growth} bytes`);
  await Promise.all([sending, error.over(), stdout.over()]);
  assert.equal(stdout.text.trim(), String(2000 * piece.length));
});

test('a client that vanishes while the command does not read its input is noticed', { timeout: 60_000 }, async (t) => {
  const { server, backend } = await startServer(t);
  const { client, stdin } = await openSpdy(server.execUrl({ ...producer, command: ['sleep', '1000'], stdin: true }), ['stdin', 'stdout']);
  let sentBytes = 0;
  const sending = (async () => {
    while (!client.socket.destroyed) {
      await stdin?.write(Buffer.alloc(32 * 1024));
      sentBytes += 32 * 1024;
    }
  })();
  await eventually('the server has stopped reading', async () => {
    const before = sentBytes;
    await sleep(300);
    return before > 0 && before === sentBytes;
  });
  client.socket.destroy();
  await sending;
  await eventually('the session is over', () => server.sessionCount === 0 && backend.running === 0, 25_000);
});

test('port-forward: a client that stops reading for 10 s slows its port and costs no memory', { timeout: 60_000 }, async (t) => {
  const { server } = await warmUp(t);
  const source = net.createServer((socket) => {
    socket.on('error', () => undefined);
    const piece = Buffer.alloc(64 * 1024);
    let leftBytes = OUTPUT_BYTES;
    const send = (): void => {
      while (leftBytes > 0) {
        const part = piece.subarray(0, leftBytes);
        leftBytes -= part.length;
        if (!socket.write(part)) {
          socket.once('drain', send);
          return;
        }
      }
      socket.end();
    };
    send();
  });
  source.listen(0, '127.0.0.1');
  await once(source, 'listening');
  t.after(() => source.close());
  const port = String((source.address() as AddressInfo).port);
  const client = await upgradeToSpdy(server.portForwardUrl({ sandboxId: 'local', ports: [] }), ['portforward.k8s.io']);
  assert.ok(client instanceof SpdyClient);
  await client.open({ streamtype: 'error', port, requestid: '1' });
  const data = await client.open({ streamtype: 'data', port, requestid: '1' });
  data.keep = false;
  client.socket.pause();
  const growth = await growthWhileStopped(process.memoryUsage.rss());
  t.diagnostic(`memory +${Math.round(growth / 1024)} KiB`);
  assert.ok(growth < MOST_GROWTH_BYTES, `${growth} bytes`);
  client.socket.resume();
  await data.over();
  assert.equal(data.sizeBytes, OUTPUT_BYTES);
  client.socket.destroy();
});
