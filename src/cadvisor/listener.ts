import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { prepareSocket, type SocketOptions, type SocketPlace } from '../base/socket-place.ts';
import { containerAnswer, infoAnswer } from './answers.ts';
import type { CadvisorBackend } from './backend.ts';
import { isHttp2 } from './preface.ts';

/** How long a client may take to say which protocol it speaks, milliseconds. */
const FIRST_BYTES_MS = 30_000;
/** A connection on which nothing was asked for so long is closed, milliseconds. cAdvisor makes a new one. */
const IDLE_MS = 150_000;
const MOST_CONNECTIONS = 1000;
const CONTAINER = /^\/containers\/([0-9a-f]{64})$/;

/**
 * CRI-O's socket, for cAdvisor: HTTP/1 with what it asks of CRI-O, and the CRI on the same path, which is gRPC and so HTTP/2. The first
 * bytes of a connection tell which it is.
 */
export class CadvisorListener {
  readonly #backend: CadvisorBackend;
  readonly #place: SocketPlace;
  readonly #server: Server;
  readonly #http: HttpServer;
  readonly #undecided = new Set<Socket>();
  #serveCri: ((socket: Socket) => void) | undefined;

  /**
   * Binds, and shows nothing yet.
   * @throws {DaemonError} FailedPrecondition where another process listens there: its socket is left to it.
   */
  static async bind(options: SocketOptions, backend: CadvisorBackend, log: Log): Promise<CadvisorListener> {
    await mkdir(dirname(options.path), { recursive: true, mode: 0o755 });
    // Node removes what is at the path that it has bound, whosever that is; so that is not the socket's own path.
    const place = await prepareSocket(options);
    const listener = new CadvisorListener(place, backend, log);
    try {
      await once(listener.#server.listen(place.bindPath), 'listening');
    } catch (error) {
      await place.discard();
      throw error;
    }
    return listener;
  }

  private constructor(place: SocketPlace, backend: CadvisorBackend, log: Log) {
    this.#place = place;
    this.#backend = backend;
    this.#http = createHttpServer({ keepAliveTimeout: IDLE_MS }, (request, response) => {
      this.#answer(request, response);
    });
    this.#http.timeout = IDLE_MS;
    this.#server = createServer((socket) => {
      this.#greet(socket);
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on('error', (error) => {
      log.warn('cAdvisor could not connect', { error: messageOf(error) });
    });
  }

  /** Moves the socket to its path. @param serveCri takes a connection that speaks gRPC, with its first bytes put back. */
  async publish(serveCri: (socket: Socket) => void): Promise<void> {
    this.#serveCri = serveCri;
    try {
      await this.#place.publish();
    } catch (error) {
      await this.close();
      await this.#place.discard();
      throw error;
    }
  }

  /** Stops listening and ends what cAdvisor has open; the CRI's connections are their server's. */
  async close(): Promise<void> {
    await this.#place.remove();
    // Not waited for: it waits for connections that are another's by now.
    this.#server.close();
    for (const socket of this.#undecided) socket.destroy();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  #greet(socket: Socket): void {
    this.#undecided.add(socket);
    let seen = Buffer.alloc(0);
    const leave = (): void => {
      this.#undecided.delete(socket);
      socket.setTimeout(0);
      socket.off('data', read).off('timeout', giveUp).off('error', giveUp).off('close', leave);
    };
    const giveUp = (): void => {
      leave();
      socket.destroy();
    };
    const read = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes]);
      const known = isHttp2(seen);
      if (known === undefined) return;
      leave();
      socket.pause();
      socket.unshift(seen);
      if (known) {
        // Not resumed: HTTP/2 takes over the descriptor, and reads what was put back by itself.
        this.#serveCri?.(socket);
      } else {
        this.#http.emit('connection', socket);
        socket.resume();
      }
    };
    socket.setTimeout(FIRST_BYTES_MS).on('data', read).on('timeout', giveUp).on('error', giveUp).on('close', leave);
  }

  #answer({ method, url = '/' }: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => undefined); // the client left
    const id = CONTAINER.exec(url)?.[1];
    const facts = id === undefined ? undefined : this.#backend.find(id);
    const words =
      id === undefined ? `nothing is at ${method ?? ''} ${url}: GET /info and /containers/ID are` : `container ${id}: not found`;
    if (method === 'GET' && url === '/info') answer(response, 200, infoAnswer(this.#backend.storage()));
    else if (method === 'GET' && facts !== undefined) answer(response, 200, containerAnswer(facts));
    else answer(response, 404, { error: words });
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
