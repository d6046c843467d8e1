import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import { idField, type Log, type LogFields } from '../base/log.ts';
import type { AttachRequest, ExecRequest, PortForwardRequest, StreamingBackend } from './backend.ts';
import { refuseUpgrade } from './http-reply.ts';
import { SessionLife } from './session-life.ts';
import { type SessionRequest, Sessions } from './sessions.ts';
import { FollowedTls, type TlsFiles } from '../base/server-tls.ts';
import { Tokens } from './tokens.ts';
import { parseStreamPath, reachableHost, streamUrl, type StreamKind } from './url.ts';

/** As cri-o and containerd: a session on which nothing moves for so long is ended. */
const IDLE_TIMEOUT_MS = 4 * 60 * 60 * 1000;
/** How long a client may take to open its streams. Source: k8s.io/cri-streaming, DefaultStreamCreationTimeout. */
const CREATION_TIMEOUT_MS = 30_000;
/** How long a client may take to send its request, milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How long a client whose session was ended may take for what is left, milliseconds. */
const CUT_OFF_MS = 5_000;
/** Probes a silent connection, so that a peer that vanished without a word is noticed. */
const KEEP_ALIVE_MS = 30_000;

export interface StreamingServerOptions {
  readonly address: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  readonly backend: StreamingBackend;
  readonly log: Log;
  readonly idleTimeoutMs?: number;
  readonly creationTimeoutMs?: number;
  /** Called when the last of the open sessions has ended. */
  readonly onIdle?: () => void;
  /** How often the TLS files are looked at for a change, milliseconds. */
  readonly tlsCheckMs?: number;
}

/**
 * The HTTP server behind the URLs of Exec, Attach and PortForward. A URL works once, within a minute, for a GET or POST
 * that upgrades to SPDY/3.1 or WebSocket.
 */
export class StreamingServer {
  readonly #options: StreamingServerOptions;
  readonly #tokens = new Tokens<SessionRequest>();
  readonly #lives = new Map<SessionLife, Promise<void>>();
  readonly #sessions: Sessions;
  #server: http.Server | https.Server | undefined;
  #tlsTimer: NodeJS.Timeout | undefined;

  constructor(options: StreamingServerOptions) {
    this.#options = options;
    this.#sessions = new Sessions({
      backend: options.backend,
      log: options.log,
      creationTimeoutMs: options.creationTimeoutMs ?? CREATION_TIMEOUT_MS,
    });
  }

  /** Listens. @throws {DaemonError} InvalidArgument for unusable TLS files, Unavailable where the address cannot be had. */
  async start(): Promise<void> {
    const { tls, address, port, log, tlsCheckMs } = this.#options;
    const limits: http.ServerOptions = {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    };
    const followed = tls === undefined ? undefined : await FollowedTls.open(tls);
    const server = followed === undefined ? http.createServer(limits) : https.createServer({ ...limits, ...followed.serverOptions });
    server.on('request', (request, response) => {
      this.#answerPlain(request, response);
    });
    server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    server.once('error', reject);
    server.listen(port, address, () => {
      resolve(undefined);
    });
    try {
      await promise;
    } catch (error) {
      throw new DaemonError('Unavailable', `listen for streaming on ${address} port ${port}: ${messageOf(error)}`, { cause: error });
    }
    server.on('error', (error) => {
      log.error(`streaming server: ${error.message}`);
    });
    this.#server = server;
    if (server instanceof https.Server) this.#tlsTimer = followed?.follow(server, 'streaming server', log, tlsCheckMs);
    log.info('streaming server listens', { url: this.#url('exec', '') });
  }

  /** Ends every session, told to its client, and stops listening. */
  async close(): Promise<void> {
    clearInterval(this.#tlsTimer);
    const server = this.#server;
    this.#server = undefined;
    const stopped = Promise.withResolvers<undefined>();
    if (server === undefined) stopped.resolve(undefined);
    else
      server.close(() => {
        stopped.resolve(undefined);
      });
    for (const life of this.#lives.keys()) life.end(new DaemonError('Unavailable', 'the runtime daemon stops'));
    await Promise.all(this.#lives.values());
    server?.closeAllConnections();
    await stopped.promise;
  }

  /** How many sessions are open. */
  get sessionCount(): number {
    return this.#lives.size;
  }

  /** How many URLs wait for their client. */
  get tokenCount(): number {
    return this.#tokens.size;
  }

  /** A URL to run a command. @throws {DaemonError} ResourceExhausted while too many URLs wait for their clients. */
  execUrl(request: ExecRequest): string {
    return this.#issue({ kind: 'exec', request });
  }

  /** A URL to attach to a container; as {@link execUrl}. */
  attachUrl(request: AttachRequest): string {
    return this.#issue({ kind: 'attach', request });
  }

  /** A URL to forward ports of a sandbox; as {@link execUrl}. */
  portForwardUrl(request: PortForwardRequest): string {
    return this.#issue({ kind: 'portforward', request });
  }

  #issue(request: SessionRequest): string {
    return this.#url(request.kind, this.#tokens.issue(request));
  }

  #url(kind: StreamKind, token: string): string {
    const address = this.#server?.address() as AddressInfo | null | undefined;
    if (!address) fail('Unavailable', `make a streaming URL: the server does not listen, must listen`);
    return streamUrl({ tls: this.#options.tls !== undefined, host: reachableHost(this.#options.address), port: address.port }, kind, token);
  }

  #answerPlain(request: http.IncomingMessage, response: http.ServerResponse): void {
    const session = this.#redeem(request.url ?? '');
    const [code, reason] =
      session === undefined
        ? [404, 'no such URL, or it was used or has expired']
        : [400, 'the request must upgrade to SPDY/3.1 or WebSocket'];
    response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
    response.end(`${reason}\n`);
  }

  #upgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined); // whoever uses the socket hears of it by 'close' too
    if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const session = this.#redeem(request.url ?? '');
    if (session === undefined) refuseUpgrade(socket, 404, 'no such URL, or it was used or has expired');
    else if (request.method !== 'GET' && request.method !== 'POST')
      refuseUpgrade(socket, 405, `the method is ${request.method ?? ''}, must be GET or POST`, { Allow: 'GET, POST' });
    else this.#run(session, request, socket, head);
  }

  /** The request behind a URL. Whatever comes of it, the token is used up. */
  #redeem(target: string): SessionRequest | undefined {
    const path = parseStreamPath(target);
    const session = path === undefined ? undefined : this.#tokens.redeem(path.token);
    return session?.kind === path?.kind ? session : undefined;
  }

  #run(session: SessionRequest, request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const life = new SessionLife(`${session.kind} session`, this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
    const cutOff = (): void => {
      const timer = setTimeout(() => socket.destroy(), CUT_OFF_MS);
      socket.once('close', () => {
        clearTimeout(timer);
      });
    };
    life.signal.addEventListener('abort', () => {
      if (!socket.destroyed) cutOff();
    });
    const work = this.#sessions
      .serve(session, { request, socket, head }, life)
      .catch((error: unknown) => {
        this.#options.log.info(`${session.kind} session: ${messageOf(error)}`, objectOf(session));
        socket.destroy();
      })
      .finally(() => {
        life.close();
        this.#lives.delete(life);
        if (this.#lives.size === 0) this.#options.onIdle?.();
      });
    this.#lives.set(life, work);
  }
}

function objectOf({ kind, request }: SessionRequest): LogFields {
  return kind === 'portforward' ? idField('sandbox', request.sandboxId) : idField('container', request.containerId);
}
