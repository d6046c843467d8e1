import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface ProxyFaults {
  /** What CONNECT is answered with; `silent`: nothing. Default 200. */
  readonly connect?: number | 'silent';
  /** User and password that it wants, `user:password`. */
  readonly account?: string;
}

/** A proxy for http and, by CONNECT, for https. It knows every host, and each is this machine: only who asks it gets anywhere. */
export class HttpProxy {
  readonly address: string;
  /** What it was asked: `CONNECT host:port` or `GET http://host/path`. */
  readonly asked: string[] = [];
  /** All headers that it could read. */
  readonly headers: string[] = [];
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  readonly #faults: ProxyFaults;

  private constructor(server: ReturnType<typeof createServer>, faults: ProxyFaults) {
    this.#server = server;
    this.#faults = faults;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (incoming, response) => {
      this.#forward(incoming, response);
    });
    server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
      this.#tunnel(incoming, socket);
    });
    server.on('connection', (socket) => {
      this.#keep(socket);
    });
  }

  static async start(t: TestContext, faults: ProxyFaults = {}): Promise<HttpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new HttpProxy(server, faults);
    t.after(async () => proxy.stop());
    return proxy;
  }

  /** Connections that are open now, of both sides. */
  get open(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
  }

  #note({ method = '', url = '', headers }: IncomingMessage): boolean {
    this.asked.push(`${method} ${url}`);
    this.headers.push(JSON.stringify(headers));
    const { account } = this.#faults;
    return account === undefined || headers['proxy-authorization'] === `Basic ${Buffer.from(account).toString('base64')}`;
  }

  #tunnel(incoming: IncomingMessage, socket: Socket): void {
    const mayPass = this.#note(incoming);
    const status = mayPass ? (this.#faults.connect ?? 200) : 407;
    if (status === 'silent') return;
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const port = Number(/:(\d+)$/.exec(incoming.url ?? '')?.[1]);
    const target = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    this.#keep(target);
    target.on('close', () => socket.destroy());
    socket.on('close', () => target.destroy());
  }

  #forward(incoming: IncomingMessage, response: ServerResponse): void {
    if (!this.#note(incoming)) {
      response.writeHead(407).end();
      return;
    }
    const { port, pathname, search } = new URL(incoming.url ?? '');
    const { method, headers } = incoming;
    const asked = request({ host: '127.0.0.1', port, path: pathname + search, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    incoming.pipe(asked);
  }
}
