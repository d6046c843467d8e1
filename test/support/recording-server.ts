import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** All of a request that came in. */
export interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** An http server on a free port of the loopback that keeps what it was sent, as a thief would. */
export class RecordingServer {
  readonly host: string;
  readonly received: Recorded[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(answer: (request: Recorded, response: ServerResponse) => void): Promise<RecordingServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const recording = new RecordingServer(server);
    server.on('request', (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const recorded = { method, url, headers, body: Buffer.concat(pieces).toString() };
        recording.received.push(recorded);
        answer(recorded, response);
      });
    });
    return recording;
  }

  /** Everything that came, as one text to look for secrets in. */
  get text(): string {
    return JSON.stringify(this.received);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
