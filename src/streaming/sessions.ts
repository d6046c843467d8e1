import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer, type WebSocket } from 'ws';
import { DaemonError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { serveAttach } from './attach-session.ts';
import type { AttachRequest, ExecRequest, PortForwardRequest, StreamChoice, StreamingBackend } from './backend.ts';
import { serveExec } from './exec-session.ts';
import { acceptUpgrade, refuseUpgrade } from './http-reply.ts';
import { listOf, negotiate } from './negotiate.ts';
import { forwardPort, type PortPair } from './portforward-session.ts';
import type { RemoteStreams } from './remote-streams.ts';
import type { SessionLife } from './session-life.ts';
import { servePortPairs, SPDY_PORT_FORWARD_PROTOCOLS } from './spdy/port-pairs.ts';
import { acceptSpdyStreams, SPDY_COMMAND_PROTOCOLS } from './spdy/remote-streams.ts';
import { servePortChannels, TUNNEL_PROTOCOL, WEBSOCKET_PORT_FORWARD_PROTOCOLS } from './websocket/port-channels.ts';
import { acceptWebSocketStreams, WEBSOCKET_COMMAND_PROTOCOLS } from './websocket/remote-streams.ts';

/** Most one WebSocket message may hold: clients in Python send a whole input as one. As k8s.io/streaming. */
const MOST_MESSAGE_BYTES = 32 * 1024 * 1024;

export type SessionRequest =
  | { readonly kind: 'exec'; readonly request: ExecRequest }
  | { readonly kind: 'attach'; readonly request: AttachRequest }
  | { readonly kind: 'portforward'; readonly request: PortForwardRequest };

/** A request to upgrade: the HTTP request, its connection, and what of the new protocol was read with it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface SessionsOptions {
  readonly backend: StreamingBackend;
  readonly log: Log;
  readonly creationTimeoutMs: number;
}

/** Takes an upgraded connection through its session: negotiates the protocol, opens the streams, serves them. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #protocols = new WeakMap<IncomingMessage, string>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MOST_MESSAGE_BYTES,
  });

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#webSockets.on('headers', (headers, request) => {
      const protocol = this.#protocols.get(request);
      if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
    });
  }

  /** Resolves when the session is over and its connection gone, or was refused. @throws why a session could not begin. */
  async serve(session: SessionRequest, upgrade: Upgrade, life: SessionLife): Promise<void> {
    const wanted = (upgrade.request.headers.upgrade ?? '').toLowerCase();
    if (wanted === 'websocket')
      await (session.kind === 'portforward'
        ? this.#forwardByWebSocket(session.request, upgrade, life)
        : this.#commandByWebSocket(session, upgrade, life));
    else if (wanted.includes('spdy/3.1'))
      await (session.kind === 'portforward'
        ? this.#forwardBySpdy(session.request, upgrade, life)
        : this.#commandBySpdy(session, upgrade, life));
    else refuseUpgrade(upgrade.socket, 400, 'the request must upgrade to SPDY/3.1 or WebSocket');
  }

  async #commandBySpdy(session: CommandSession, upgrade: Upgrade, life: SessionLife): Promise<void> {
    const protocol = this.#upgradeToSpdy(upgrade, SPDY_COMMAND_PROTOCOLS);
    if (protocol === undefined) return;
    const streams = await acceptSpdyStreams(upgrade.socket, streamChoice(session.request), protocol, life, this.#options.creationTimeoutMs);
    await this.#command(session, streams, life);
  }

  async #commandByWebSocket(session: CommandSession, upgrade: Upgrade, life: SessionLife): Promise<void> {
    const offered = negotiate(
      listOf(upgrade.request.headersDistinct['sec-websocket-protocol']),
      WEBSOCKET_COMMAND_PROTOCOLS,
      'channel.k8s.io',
    );
    if ('refused' in offered) {
      refuseUpgrade(upgrade.socket, 403, offered.refused);
      return;
    }
    const socket = await this.#upgradeToWebSocket(upgrade, offered.protocol);
    await this.#command(session, acceptWebSocketStreams(socket, streamChoice(session.request), offered.protocol, life), life);
  }

  async #command(session: CommandSession, streams: RemoteStreams, life: SessionLife): Promise<void> {
    if (session.kind === 'exec') await serveExec(this.#options, session.request, streams, life.signal);
    else await serveAttach(this.#options, session.request, streams, life);
  }

  async #forwardBySpdy(request: PortForwardRequest, upgrade: Upgrade, life: SessionLife): Promise<void> {
    if (this.#upgradeToSpdy(upgrade, SPDY_PORT_FORWARD_PROTOCOLS) === undefined) return;
    await this.#forwardPairs(request, upgrade.socket, life);
  }

  async #forwardByWebSocket(request: PortForwardRequest, upgrade: Upgrade, life: SessionLife): Promise<void> {
    const offered = negotiate(
      listOf(upgrade.request.headersDistinct['sec-websocket-protocol']),
      WEBSOCKET_PORT_FORWARD_PROTOCOLS,
      'v4.channel.k8s.io',
    );
    if ('refused' in offered) {
      refuseUpgrade(upgrade.socket, 403, offered.refused);
      return;
    }
    if (offered.protocol !== TUNNEL_PROTOCOL && request.ports.length === 0) {
      refuseUpgrade(upgrade.socket, 400, `the request for port forwarding by ${offered.protocol} names no port, must name each`);
      return;
    }
    const socket = await this.#upgradeToWebSocket(upgrade, offered.protocol);
    if (offered.protocol === TUNNEL_PROTOCOL) await this.#forwardPairs(request, createWebSocketStream(socket), life);
    else await servePortChannels(socket, request.ports, offered.protocol, life, this.#forwarder(request, life));
  }

  async #forwardPairs(request: PortForwardRequest, transport: Duplex, life: SessionLife): Promise<void> {
    await servePortPairs(transport, life, this.#options.creationTimeoutMs, this.#forwarder(request, life));
  }

  #forwarder(request: PortForwardRequest, life: SessionLife): (pair: PortPair) => Promise<void> {
    return async (pair) => {
      await forwardPort(this.#options, request.sandboxId, pair, life.signal);
    };
  }

  /** Negotiates as httpstream.Handshake of k8s.io/streaming does: the client must offer, in its order of liking. */
  #upgradeToSpdy<P extends string>({ request, socket, head }: Upgrade, known: readonly P[]): P | undefined {
    const offered = listOf(request.headersDistinct['x-stream-protocol-version']);
    const answer = negotiate(offered, known, undefined);
    if ('refused' in answer) {
      refuseUpgrade(socket, offered.length === 0 ? 400 : 403, answer.refused, { 'X-Accepted-Stream-Protocol-Versions': known.join(', ') });
      return undefined;
    }
    acceptUpgrade(socket, 'SPDY/3.1', { 'X-Stream-Protocol-Version': answer.protocol });
    if (head.length > 0) socket.unshift(head);
    return answer.protocol;
  }

  async #upgradeToWebSocket({ request, socket, head }: Upgrade, protocol: string): Promise<WebSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    socket.once('close', () => {
      reject(new DaemonError('Canceled', 'upgrade to WebSocket: the client has gone, or its request was no handshake'));
    });
    // ws refuses names with a slash, which RFC 6455 forbids and the tunnel has; so we answer the offer ourselves.
    if (request.headers['sec-websocket-protocol'] !== undefined) this.#protocols.set(request, protocol);
    delete request.headers['sec-websocket-protocol'];
    this.#webSockets.handleUpgrade(request, socket, head, resolve);
    return await promise;
  }
}

type CommandSession = Extract<SessionRequest, { readonly kind: 'exec' | 'attach' }>;

function streamChoice({ tty, stdin, stdout, stderr }: StreamChoice): StreamChoice {
  return { tty, stdin, stdout, stderr };
}
