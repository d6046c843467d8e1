import http from 'node:http';
import type { Duplex } from 'node:stream';
import { FrameDecoder } from '../../../src/streaming/spdy/decoder.ts';
import { rstStream, RstStatus, type Frame } from '../../../src/streaming/spdy/frames.ts';
import { dataFrame, headerBlock, HeaderDeflater, synStream } from './spdy-bytes.ts';

/** What came on one stream, and the way to answer. */
export class ClientStream {
  readonly id: number;
  readonly chunks: Buffer[] = [];
  sizeBytes = 0;
  ended = false;
  reset = false;
  replied = false;
  keep = true;
  readonly #client: SpdyClient;

  constructor(client: SpdyClient, id: number) {
    this.#client = client;
    this.id = id;
  }

  async write(data: Uint8Array | string): Promise<void> {
    await this.#client.send(dataFrame(this.id, Buffer.from(data)));
  }

  async end(): Promise<void> {
    await this.#client.send(dataFrame(this.id, Buffer.alloc(0), true));
  }

  async cancel(): Promise<void> {
    await this.#client.send(rstStream(this.id, RstStatus.Cancel));
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  /** Waits until the server has ended or reset the stream, or has closed the connection. */
  async over(): Promise<void> {
    await this.#client.until(() => this.ended || this.reset);
  }
}

/** A SPDY/3.1 client after the upgrade, that the tests can make misbehave. */
export class SpdyClient {
  readonly socket: Duplex;
  readonly protocol: string | undefined;
  readonly frames: Frame[] = [];
  closed = false;
  readonly #decoder = new FrameDecoder();
  readonly #deflater = new HeaderDeflater();
  readonly #streams = new Map<number, ClientStream>();
  readonly #waiters = new Set<() => void>();
  #nextId = 1;

  constructor(socket: Duplex, protocol: string | undefined) {
    this.socket = socket;
    this.protocol = protocol;
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.#decoder.push(chunk)) this.#handle(frame);
      this.#wake();
    });
    socket.on('error', () => undefined);
    const over = (): void => {
      this.closed = true;
      this.#deflater.close();
      this.#wake();
    };
    socket.on('close', over);
    socket.on('end', () => {
      socket.end();
    });
  }

  async open(headers: Readonly<Record<string, string>>): Promise<ClientStream> {
    const stream = new ClientStream(this, this.#nextId);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    await this.send(synStream(stream.id, await this.#deflater.deflate(headerBlock(headers))));
    await this.until(() => stream.replied || stream.reset);
    return stream;
  }

  async send(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.write(bytes, () => {
        resolve();
      });
    });
  }

  /** Waits for a condition that changes with what the server sends, or for the end of the connection. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  #handle(frame: Frame): void {
    if (frame.is === 'Data') {
      const stream = this.#streams.get(frame.streamId);
      if (stream === undefined) return;
      if (stream.keep) stream.chunks.push(frame.data);
      stream.sizeBytes += frame.data.length;
      if (frame.fin) stream.ended = true;
      return;
    }
    this.frames.push(frame);
    const stream = 'streamId' in frame ? this.#streams.get(frame.streamId) : undefined;
    if (stream === undefined) return;
    if (frame.is === 'SynReply') stream.replied = true;
    if (frame.is === 'RstStream') stream.reset = true;
  }
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Asks for the upgrade to SPDY/3.1; an answer without one comes back as its status and body. */
export async function upgradeToSpdy(
  url: string,
  protocols: readonly string[],
  options: http.RequestOptions = {},
): Promise<SpdyClient | Answer> {
  const request = http.request(url, {
    method: 'POST',
    agent: false,
    ...options,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'SPDY/3.1',
      'Content-Length': 0,
      'X-Stream-Protocol-Version': [...protocols],
      ...(options.headers as http.OutgoingHttpHeaders | undefined),
    },
  });
  request.end();
  return await new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('upgrade', (response, socket, head) => {
      const client = new SpdyClient(socket, String(response.headers['x-stream-protocol-version']));
      if (head.length > 0) socket.unshift(head);
      resolve(client);
    });
    request.on('response', (response) => {
      void response.toArray().then((chunks: Buffer[]) => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      }, reject);
    });
  });
}
