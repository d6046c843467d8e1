import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { prepareSocket } from '../base/socket-place.ts';
import type { SocketPlace } from '../base/socket-place.ts';
import { peerPid } from '../linux/peer.ts';

export interface ListenerOptions {
  readonly log: Log;
  /** `pid`: of the process that has connected, where the kernel tells it. */
  readonly onConnection: (connection: { readonly stream: Socket; readonly pid?: number }) => void;
}

/** The socket that plugins connect to. */
export class PluginListener {
  readonly #options: ListenerOptions;
  #open: { readonly server: Server; readonly place: SocketPlace } | undefined;
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
      // Node removes what is at the path that it has bound, whosever that is; so that is not the socket's own path.
      const place = await prepareSocket({ path, mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
      const server = createServer((stream) => {
        const pid = peerPid(stream);
        onConnection(pid === undefined ? { stream } : { stream, pid });
      });
      try {
        await once(server.listen(place.bindPath), 'listening');
        server.on('error', (error) => {
          log.warn('NRI plugins could not connect', { path, error: messageOf(error) });
        });
        await place.publish();
      } catch (error) {
        server.close();
        await place.discard();
        throw error;
      }
      this.#open = { server, place };
      log.info('NRI plugins may connect', { path });
    } catch (error) {
      this.#fault = messageOf(error);
      log.warn('NRI plugins cannot connect', { path, error: messageOf(error) });
    }
  }

  /** Stops listening, and removes the socket, unless another runtime has its own there by now. Connections stay. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.place.remove();
    open?.server.close();
  }
}
