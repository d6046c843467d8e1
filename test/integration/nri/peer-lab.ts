import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { Mux, PLUGIN_SERVICE_CONNECTION, RUNTIME_SERVICE_CONNECTION } from '../../../src/nri/mux.ts';
import { TtrpcClient } from '../../../src/nri/ttrpc/client.ts';
import { serve } from '../../../src/nri/ttrpc/server.ts';
import type { Handler, TtrpcServer } from '../../../src/nri/ttrpc/server.ts';
import { bytesValue, valueOf } from '../../support/nri-recorded.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const built = await execa('bash', [join(import.meta.dirname, '../../../scripts/build-nri-peer.sh')], { reject: false });
/** Why tests with the Go peer are skipped; false where they are not. */
export const noPeer = built.exitCode !== 0 && `the peer of NRI's connection is not built: ${built.stderr.split('\n').at(-1) ?? ''}`;

export const SERVICE = 'podwright.test.Peer';

/** Calls that the peer is to make at once. */
interface Order {
  readonly method: string;
  readonly text?: string;
  readonly count?: number;
  readonly size?: number;
  readonly timeoutMs?: number;
}

interface Outcome {
  readonly ok: number;
  /** Of all answers. */
  readonly bytes: number;
  /** `CODE: WORDS`, of each call that failed. */
  readonly errors: readonly string[];
}

/** A Go peer that has connected, as a plugin does, and is ended with the test. */
export interface Peer {
  readonly pid: number;
  readonly socket: Socket;
  readonly mux: Mux;
  readonly client: TtrpcClient;
  readonly server: TtrpcServer;
  /** Calls a method of the peer; the values are what is in its BytesValue. */
  call(method: string, value?: Uint8Array | string, timeoutMs?: number): Promise<Buffer>;
  order(order: Order): Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
}

/** A method over what is in a BytesValue. */
export function answering(answer: (value: Buffer, signal: AbortSignal) => Promise<Uint8Array | string>): Handler {
  return async (payload, signal) => bytesValue(await answer(valueOf(payload), signal));
}

/** Starts a peer in a mode (`connect`, `plain`); @returns what the other end of its connection is, and its process. */
export async function startPeer(t: TestContext, mode: 'connect' | 'plain') {
  const path = join(await scratchDirectory(t), 'socket');
  const listener = createServer();
  listener.listen(path);
  await once(listener, 'listening');
  const child = execa(built.stdout, [mode, path], { reject: false, stdin: 'pipe', buffer: false, stderr: 'inherit' });
  const [socket] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  t.after(async () => {
    socket.destroy();
    child.kill('SIGKILL');
    await child;
  });
  return { socket, child };
}

export async function connectPeer(t: TestContext, methods: Readonly<Record<string, Handler>> = {}): Promise<Peer> {
  const { socket, child } = await startPeer(t, 'connect');
  const mux = new Mux(socket);
  const client = new TtrpcClient(mux.open(PLUGIN_SERVICE_CONNECTION));
  const server = serve(mux.open(RUNTIME_SERVICE_CONNECTION), { [SERVICE]: methods });
  const lines = createInterface(child.stdout);
  return {
    pid: child.pid!,
    socket,
    mux,
    client,
    server,
    call: async (method, value = '', timeoutMs = 20_000) => valueOf(await client.call(SERVICE, method, bytesValue(value), { timeoutMs })),
    order: async (order) => {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      const [line] = (await once(lines, 'line')) as [string];
      return JSON.parse(line) as Outcome;
    },
    kill: (signal) => void child.kill(signal),
  };
}
