import assert from 'node:assert/strict';
import net from 'node:net';
import { eventually } from './harness.ts';
import { SpdyClient, upgradeToSpdy } from './spdy-client.ts';
import { connectWebSocket, type WebSocketClient } from './websocket-client.ts';

/** The phase in which a session comes to its proper end; in one before it the client vanishes. */
export const PROPER_END = 8;

/** A sequence that is random enough and the same in every run. */
export function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * sides);
  };
}

/** Takes a session with `cat` over SPDY through its phases, and leaves in phase `leaveAt`. */
export async function spdySession(url: string, attach: boolean, leaveAt: number, tty = false): Promise<void> {
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
  if (tty) await client.open({ streamtype: 'resize' });
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

export async function webSocketSession(url: string, attach: boolean, leaveAt: number): Promise<void> {
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
