import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import type { StreamingServer } from '../../../src/streaming/server.ts';
import { eventually, openDescriptors, quiet, sleep, startServer } from '../../support/streaming/harness.ts';
import { SpdyClient, upgradeToSpdy } from '../../support/streaming/spdy-client.ts';
import { connectWebSocket, type WebSocketClient } from '../../support/streaming/websocket-client.ts';

/** How many sessions; half of them are broken off. `STREAMING_SESSIONS=10000` for the long run. */
const SESSIONS = Number(process.env['STREAMING_SESSIONS'] ?? 1000);
const PARALLEL = 16;
const request = { containerId: 'local', command: ['cat'], ...quiet, stdin: true };

/** A sequence that is random enough and the same in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * sides);
  };
}

/** Takes a session over SPDY through its phases, and leaves in phase `leaveAt` (8 is its proper end). */
async function spdySession(url: string, attach: boolean, leaveAt: number): Promise<void> {
  if (leaveAt === 0) {
    const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST ${new URL(url).pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n`,
      () => socket.destroy(),
    );
    return;
  }
  const client = await upgradeToSpdy(url, ['v4.channel.k8s.io']);
  if (!(client instanceof SpdyClient)) throw new Error(`no upgrade: ${client.status}`);
  const leave = (phase: number): boolean => {
    if (phase !== leaveAt) return false;
    if (client.socket instanceof net.Socket && phase % 2 === 0) client.socket.resetAndDestroy();
    else client.socket.destroy();
    return true;
  };
  if (leave(1)) return;
  const error = await client.open({ streamtype: 'error' });
  if (leave(2)) return;
  const stdin = await client.open({ streamtype: 'stdin' });
  if (leave(3)) return;
  const stdout = await client.open({ streamtype: 'stdout' });
  if (leave(4)) return;
  await stdin.write(attach ? 'some input' : Buffer.alloc(20_000, 'x'));
  if (leave(5)) return;
  await client.until(() => stdout.sizeBytes > 0);
  if (leave(6)) return;
  if (attach) await stdin.write('exit');
  else await stdin.end();
  if (leave(7)) return;
  await error.over();
  assert.match(error.text, /Success/);
  await client.until(() => false);
}

async function webSocketSession(url: string, attach: boolean, leaveAt: number): Promise<void> {
  const client: WebSocketClient = await connectWebSocket(url, ['v5.channel.k8s.io']);
  const leave = (phase: number): boolean => {
    if (phase !== leaveAt) return false;
    client.socket.terminate();
    return true;
  };
  if (leave(0) || leave(1) || leave(2)) return;
  await client.send(0, 'some input');
  if (leave(3) || leave(4)) return;
  await eventually('output', () => (client.sizes.get(1) ?? 0) > 0);
  if (leave(5) || leave(6)) return;
  await (attach ? client.send(0, 'exit') : client.send(255, Buffer.of(0)));
  if (leave(7)) return;
  await client.over();
  assert.match(client.text(3), /Success/);
}

async function runSessions(server: StreamingServer, count: number, seed: number): Promise<void> {
  const roll = dice(seed);
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const attach = roll(2) === 0;
      const leaveAt = roll(2) === 0 ? 8 : roll(8);
      const url = attach ? server.attachUrl({ ...request }) : server.execUrl(request);
      if (roll(2) === 0) await spdySession(url, attach, leaveAt);
      else await webSocketSession(url, attach, leaveAt);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

function memoryBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

test(
  `${SESSIONS} exec and attach sessions, half of them broken off in any phase, leave nothing behind`,
  { timeout: SESSIONS * 60 + 60_000 },
  async (t) => {
    const { server, backend } = await startServer(t);
    await runSessions(server, Math.min(200, SESSIONS), 1);
    await eventually('the first are over', () => server.sessionCount === 0 && backend.running === 0);
    await sleep(300);
    const before = { descriptors: await openDescriptors(), memoryBytes: memoryBytes() };

    await runSessions(server, SESSIONS, 2);
    await eventually('all are over', () => server.sessionCount === 0 && backend.running === 0, 10_000);
    await eventually('descriptors are closed', async () => (await openDescriptors()) <= before.descriptors);
    const grownBytes = memoryBytes() - before.memoryBytes;
    t.diagnostic(
      `descriptors ${before.descriptors} -> ${await openDescriptors()}, tokens ${server.tokenCount}, memory +${Math.round(grownBytes / 1024)} KiB`,
    );
    assert.deepEqual([server.tokenCount, server.sessionCount, backend.running], [0, 0, 0]);
    if (globalThis.gc !== undefined) assert.ok(grownBytes < 5 * 1024 * 1024, `${grownBytes} bytes`);
  },
);
