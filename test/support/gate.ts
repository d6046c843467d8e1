import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A way to a server that can be held shut: what the server sends stops after some bytes until it is opened. */
export class Gate {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #held = new Set<Socket>();
  /** Bytes that each connection may still bring while it is shut; undefined while it is open. */
  #limit: number | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param target where it leads to, `127.0.0.1:5000`. */
  static async to(target: string): Promise<Gate> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer();
    const gate = new Gate(server);
    server.on('connection', (client) => {
      gate.#join(client, connect(Number(port), host));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return gate;
  }

  /** `127.0.0.1:41234`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections wait for it to be opened. */
  get waiting(): number {
    return this.#held.size;
  }

  /** Lets each connection bring this many more bytes, and then no more. */
  shut(bytesLeft: number): void {
    this.#limit = bytesLeft;
  }

  open(): void {
    this.#limit = undefined;
    for (const server of this.#held) server.resume();
    this.#held.clear();
  }

  /** Breaks every connection. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.breakAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    let brought = 0;
    client.pipe(server);
    server.on('data', (piece: Buffer) => {
      brought = this.#limit === undefined ? 0 : brought + piece.length;
      client.write(piece);
      if (this.#limit === undefined || brought < this.#limit) return;
      this.#held.add(server);
      server.pause();
    });
    server.on('end', () => client.end());
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        this.#held.delete(one);
        other.destroy();
      });
    }
  }
}
