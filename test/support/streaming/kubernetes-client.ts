/**
 * Exec, attach and port-forward over WebSocket by the client of Kubernetes' own JavaScript package, which nobody here wrote.
 * It would ask an API server for /api/v1/namespaces/...; here it is led to the URL that the runtime handed out. For malformed
 * traffic, and for protocols that it does not speak, there is websocket-client.ts.
 */
import { PassThrough, Writable } from 'node:stream';
import type { Readable } from 'node:stream';
import { Attach, Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
import type { V1Status } from '@kubernetes/client-node';
import { WebSocketHandler } from '@kubernetes/client-node/dist/web-socket-handler.js';
import { WebSocket } from 'ws';

/** Takes what the client hands out. */
export class Output extends Writable {
  readonly chunks: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }
}

/** An output that the client takes for a terminal: it tells the size at first, and every new one. */
export class Terminal extends Output {
  columns: number;
  rows: number;

  constructor(columns: number, rows: number) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.emit('resize');
  }
}

export interface Channels {
  readonly stdin?: Readable;
  readonly stdout?: Output;
  readonly stderr?: Output;
  readonly tty?: boolean;
  /** What the client may choose from; default all that it knows. */
  readonly protocols?: readonly string[];
}

/** How a session ended: the WebSocket's close code, and what the server said of the command. */
export interface SessionEnd {
  readonly closeCode: number;
  readonly status: V1Status | undefined;
}

export interface Session {
  readonly socket: WebSocket;
  over(): Promise<SessionEnd>;
}

/** Runs the command that the URL stands for. */
export async function execByUrl(url: string, channels: Channels): Promise<Session> {
  const { stdout = null, stderr = null, stdin = null, tty = false, protocols } = channels;
  let status: V1Status | undefined;
  const call = new Call(url, protocols);
  await new Exec(NO_CLUSTER, call.handler).exec('default', 'pod', 'container', 'command', stdout, stderr, stdin, tty, (said) => {
    status = said;
  });
  return call.session(() => status);
}

/** Attaches to the container that the URL stands for. */
export async function attachByUrl(url: string, channels: Channels): Promise<Session> {
  const { stdout = null, stderr = null, stdin = null, tty = false, protocols } = channels;
  const call = new Call(url, protocols);
  await new Attach(NO_CLUSTER, call.handler).attach('default', 'pod', 'container', stdout, stderr, stdin, tty);
  return call.session(() => call.lastStatus); // the client reads it, but hands it to nobody
}

/** Forwards to the one port that the URL stands for; the client takes away the number that each channel begins with. */
export async function forwardByUrl(url: string, port: number, input: Readable, output: Output, error: Output): Promise<Session> {
  const call = new Call(url);
  await new PortForward(NO_CLUSTER, undefined, call.handler).portForward('default', 'pod', [port], output, error, input);
  return call.session(() => undefined);
}

const NO_CLUSTER = new KubeConfig();
NO_CLUSTER.loadFromOptions({
  clusters: [{ name: 'none', server: 'https://none.invalid' }],
  users: [{ name: 'nobody' }],
  contexts: [{ name: 'none', cluster: 'none', user: 'nobody' }],
  currentContext: 'none',
});

/** One connection of the client. */
class Call {
  readonly handler: WebSocketHandler;
  lastStatus: V1Status | undefined;
  readonly #socket = Promise.withResolvers<WebSocket>();
  readonly #closeCode = Promise.withResolvers<number>();

  constructor(url: string, only?: readonly string[]) {
    // Where a server closes a channel, the client ends one of these; the process's own by default.
    const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
    this.handler = new WebSocketHandler(NO_CLUSTER, (_url, known) => this.#dial(url, only ?? known), streams);
  }

  async session(status: () => V1Status | undefined): Promise<Session> {
    const end = this.#closeCode.promise;
    return { socket: await this.#socket.promise, over: async () => ({ closeCode: await end, status: status() }) };
  }

  #dial(url: string, protocols: readonly string[]): WebSocket {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), [...protocols]);
    socket.on('close', this.#closeCode.resolve);
    socket.on('message', (data: Buffer) => {
      if (data[0] === WebSocketHandler.StatusStream) this.lastStatus = JSON.parse(data.subarray(1).toString()) as V1Status;
    });
    this.#socket.resolve(socket);
    return socket;
  }
}
