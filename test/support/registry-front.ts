import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request as it came over the wire. */
export interface Passed {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface FrontOptions {
  /** How long a blob waits before it is sent, so that those that may come at once do. Default 0. */
  readonly blobDelayMs?: number;
  /** The digests of the blobs that are counted: layers, not configs. Default: none. */
  readonly counted?: ReadonlySet<string>;
}

/** What stands before a registry and hands all on: it sees each request, and how many of one kind are under way at once. */
export class RegistryFront {
  readonly host: string;
  readonly passed: Passed[] = [];
  readonly #server: ReturnType<typeof createServer>;
  readonly #target: URL;
  readonly #options: FrontOptions;
  readonly #repositories = new Map<string, number>();
  #blobs = 0;
  #mostBlobs = 0;
  #mostOfOne = 0;

  private constructor(server: ReturnType<typeof createServer>, target: URL, options: FrontOptions) {
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server;
    this.#target = target;
    this.#options = options;
  }

  static async start(registryUrl: string, options: FrontOptions = {}): Promise<RegistryFront> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const front = new RegistryFront(server, new URL(registryUrl), options);
    server.on('request', (incoming, response) => {
      front.#pass(incoming, response).catch(() => response.destroy());
    });
    return front;
  }

  /** Forgets the most that were under way, and tells it: blobs of all repositories, and of one. */
  takeMost(): { readonly ofAll: number; readonly ofOne: number } {
    const most = { ofAll: this.#mostBlobs, ofOne: this.#mostOfOne };
    this.#mostBlobs = 0;
    this.#mostOfOne = 0;
    return most;
  }

  /** All that came, as one text to look for secrets in. */
  get text(): string {
    return JSON.stringify(this.passed);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    this.passed.push({ method, url, headers });
    const [, repository, digest = ''] = /^\/v2\/(.+)\/blobs\/(.+)$/.exec(url) ?? [];
    if (repository !== undefined && this.#options.counted?.has(digest) === true) {
      this.#count(repository, 1);
      response.once('close', () => {
        this.#count(repository, -1);
      });
      await sleep(this.#options.blobDelayMs);
    }
    const asked = request({ host: this.#target.hostname, port: this.#target.port, path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    incoming.pipe(asked);
  }

  #count(repository: string, change: 1 | -1): void {
    this.#blobs += change;
    const ofOne = (this.#repositories.get(repository) ?? 0) + change;
    this.#repositories.set(repository, ofOne);
    this.#mostBlobs = Math.max(this.#mostBlobs, this.#blobs);
    this.#mostOfOne = Math.max(this.#mostOfOne, ofOne);
  }
}
