import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { prepareSocket, type SocketPlace } from '../base/socket-place.ts';
import type { AdminBackend } from './backend.ts';
import type { FailureReport } from './reports.ts';
import type { Route } from './route.ts';
import { adminRoutes } from './routes.ts';

const HTTP_STATUS: Partial<Record<ErrorKind, number>> = {
  InvalidArgument: 400,
  NotFound: 404,
  FailedPrecondition: 409,
  Unimplemented: 501,
  Unavailable: 503,
};

/** HTTP on a unix socket that only root can open: what the CRI has no word for. */
export class AdminServer {
  readonly #path: string;
  readonly #log: Log;
  readonly #routes: readonly Route[];
  readonly #server: Server;
  #place: SocketPlace | undefined;

  constructor(path: string, backend: AdminBackend, log: Log) {
    this.#path = path;
    this.#log = log;
    this.#routes = adminRoutes(backend);
    // An archive may take longer to come than any fixed time.
    this.#server = createServer({ requestTimeout: 0 }, (request, response) => void this.#serve(request, response));
  }

  /** @throws {DaemonError} FailedPrecondition when another process listens on the socket. */
  async listen(): Promise<void> {
    const place = await prepareSocket({ path: this.#path, mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
    try {
      this.#server.listen(place.bindPath);
      await once(this.#server, 'listening');
      await place.publish();
    } catch (error) {
      this.#server.close();
      await place.discard();
      throw error;
    }
    this.#place = place;
  }

  /** Stops listening and breaks off what is under way; the socket is removed, if it is still ours. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await this.#place?.remove();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const controller = new AbortController();
    response.once('close', () => {
      controller.abort(new DaemonError('Canceled', 'the client of the admin socket left'));
    });
    response.on('error', () => undefined); // the client left: 'close' follows
    request.on('error', () => undefined);
    const target = request.url ?? '/';
    try {
      const url = urlOf(target);
      await this.#routeFor(request.method, url.pathname).handle({ url, request, response, signal: controller.signal });
    } catch (error) {
      this.#log.warn(`admin ${request.method ?? ''} ${target}: ${messageOf(error)}`, error instanceof DaemonError ? {} : { error });
      answerFailure(response, error);
    }
  }

  #routeFor(method: string | undefined, path: string): Route {
    const route = this.#routes.find((each) => each.method === method && each.path === path);
    if (route === undefined) throw new DaemonError('NotFound', `admin socket: nothing is at ${method ?? ''} ${path}`);
    return route;
  }
}

function urlOf(target: string): URL {
  try {
    return new URL(target, 'http://admin');
  } catch (error) {
    throw new DaemonError('InvalidArgument', `admin socket: the request's target is ${JSON.stringify(target)}, must be a path`, {
      cause: error,
    });
  }
}

function answerFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const report: FailureReport = { kind: kindOf(error), message: messageOf(error) };
  response.statusCode = HTTP_STATUS[report.kind] ?? 500;
  response.removeHeader('trailer');
  response.setHeader('content-type', 'application/json').end(`${JSON.stringify(report)}\n`);
}
