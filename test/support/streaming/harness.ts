import { readdir } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { StreamingServer, type StreamingServerOptions } from '../../../src/streaming/server.ts';
import { LocalBackend } from './local-backend.ts';
import { type ClientStream, SpdyClient, upgradeToSpdy } from './spdy-client.ts';

export interface Harness {
  readonly server: StreamingServer;
  readonly backend: LocalBackend;
}

/** A streaming server over local processes, closed after the test, which fails if anything is left open. */
export async function startServer(t: TestContext, options: Partial<StreamingServerOptions> = {}): Promise<Harness> {
  const backend = new LocalBackend();
  const server = new StreamingServer({ address: '127.0.0.1', port: 0, log: silentLog, backend, ...options });
  await server.start();
  t.after(async () => {
    await server.close();
    if (server.sessionCount > 0 || backend.running > 0) throw new Error(`left: ${server.sessionCount} sessions, ${backend.running} calls`);
  });
  return { server, backend };
}

export const quiet = { tty: false, stdin: false, stdout: true, stderr: false };

export interface Streams {
  readonly client: SpdyClient;
  readonly error: ClientStream;
  readonly stdin: ClientStream | undefined;
  readonly stdout: ClientStream | undefined;
  readonly stderr: ClientStream | undefined;
  readonly resize: ClientStream | undefined;
}

/** Does what a remote command client does over SPDY: upgrades and opens the streams, one after another. */
export async function openSpdy(
  url: string,
  types: readonly string[],
  protocols: readonly string[] = ['v4.channel.k8s.io'],
): Promise<Streams> {
  const client = await upgradeToSpdy(url, protocols);
  if (!(client instanceof SpdyClient)) throw new Error(`no upgrade: ${client.status} ${client.body}`);
  const open = async (type: string): Promise<ClientStream | undefined> =>
    types.includes(type) ? await client.open({ streamtype: type }) : undefined;
  const error = await client.open({ streamtype: 'error' });
  return {
    client,
    error,
    stdin: await open('stdin'),
    stdout: await open('stdout'),
    stderr: await open('stderr'),
    resize: await open('resize'),
  };
}

export async function openDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

/** Waits until the condition holds. @throws after `withinMs`. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, withinMs = 5000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** By how much a measure rises over `before` at most within `forMs`. */
export async function mostGrowth(before: number, forMs: number, measure: () => number | Promise<number>): Promise<number> {
  let most = 0;
  for (const endMs = performance.now() + forMs; performance.now() < endMs;) {
    await sleep(50);
    most = Math.max(most, (await measure()) - before);
  }
  return most;
}
