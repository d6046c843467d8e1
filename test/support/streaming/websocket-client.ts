import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';

/** A client of the channel protocols over WebSocket. */
export class WebSocketClient {
  readonly socket: WebSocket;
  readonly channels = new Map<number, Buffer[]>();
  readonly sizes = new Map<number, number>();
  keep = true;
  closeCode: number | undefined;
  readonly #closed: Promise<unknown>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.#closed = new Promise<void>((resolve) => {
      socket.on('close', (code) => {
        this.closeCode = code;
        resolve();
      });
    });
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const [first = 0] = data;
      const channel = this.#base64 ? first - 48 : first;
      const bytes = this.#base64 ? Buffer.from(data.subarray(1).toString(), 'base64') : data.subarray(1);
      this.sizes.set(channel, (this.sizes.get(channel) ?? 0) + bytes.length);
      if (this.keep) this.channels.set(channel, [...(this.channels.get(channel) ?? []), bytes]);
    });
  }

  get #base64(): boolean {
    return this.socket.protocol.includes('base64');
  }

  async send(channel: number, data: Uint8Array | string): Promise<void> {
    const bytes = Buffer.from(data);
    const message = this.#base64 ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.of(channel), bytes]);
    await new Promise<void>((resolve) => {
      this.socket.send(message, () => {
        resolve();
      });
    });
  }

  text(channel: number): string {
    return Buffer.concat(this.channels.get(channel) ?? []).toString();
  }

  async over(): Promise<void> {
    await this.#closed;
  }
}

/** Connects; a refusal rejects with the HTTP status in its message. */
export async function connectWebSocket(url: string, protocols: string[], options: ClientOptions = {}): Promise<WebSocketClient> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { perMessageDeflate: false, ...options });
  const client = new WebSocketClient(socket);
  await once(socket, 'open');
  return client;
}
