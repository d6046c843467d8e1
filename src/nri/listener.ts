import { mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { removeStaleSocket } from '../base/stale-socket.ts';
import { peerPid } from '../linux/peer.ts';

export interface ListenerOptions {
  readonly log: Log;
  /** `pid`: of the process that has connected, where the kernel tells it. */
  readonly onConnection: (connection: { readonly stream: Socket; readonly pid?: number }) => void;
}

/** The socket that plugins connect to. */
export class PluginListener {
  readonly #options: ListenerOptions;
  #server: Server | undefined;
  #fault: string | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Why nobody can connect; undefined where one can, or is not meant to. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * Listens at `path`; whoever connects may do all that plugins may, so its directory is made for root alone. Never throws: a socket
   * on which another runtime answers is left to that one, and the node goes on without plugins from outside.
   */
  async listen(path: string): Promise<void> {
    const { log, onConnection } = this.#options;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await removeStaleSocket(path);
      const server = createServer((stream) => {
        const pid = peerPid(stream);
        onConnection(pid === undefined ? { stream } : { stream, pid });
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        // bind(2) happens in this turn, so nobody else's file is made under this mask, and the socket is never open to others.
        const mask = process.umask(0o177);
        try {
          server.listen(path, resolve);
        } finally {
          process.umask(mask);
        }
      });
      server.on('error', (error) => {
        log.warn('NRI plugins could not connect', { path, error: messageOf(error) });
      });
      this.#server = server;
      log.info('NRI plugins may connect', { path });
    } catch (error) {
      this.#fault = messageOf(error);
      log.warn('NRI plugins cannot connect', { path, error: messageOf(error) });
    }
  }

  /** Stops listening, and removes the socket. Connections stay. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }
}
