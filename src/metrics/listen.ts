import { lstat, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { DaemonError, messageOf, unlessMissing } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { FollowedTls, type TlsFiles } from '../base/server-tls.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsListener {
  /** Where it listens: `host:port` with the port the kernel chose where it was 0, or the path of the socket. */
  readonly address: string;
  close(): Promise<void>;
}

/** Requests on /metrics are short; a client that stalls is let go, milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
const LIMITS = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
/** A Prometheus or two, and a person; whoever else comes is cut off. */
const MOST_CONNECTIONS = 64;

function splitAddress(address: string): { path: string } | { host: string; port: number } {
  const path = address.replace(/^unix:(\/\/)?/, '');
  if (path.startsWith('/')) return { path };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new DaemonError(
      'InvalidArgument',
      `listen for metrics: the address is "${address}", must be host:port, [IPv6]:port or the path of a socket`,
    );
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

async function answer(request: http.IncomingMessage, response: http.ServerResponse, metrics: Metrics): Promise<void> {
  const path = request.url?.replace(/\?.*$/, '');
  if (path !== '/metrics') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found; the metrics are at /metrics\n');
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else {
    const text = await metrics.render();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(request.method === 'HEAD' ? undefined : text);
  }
}

export interface MetricsListenerOptions {
  readonly address: string;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly tls?: TlsFiles | undefined;
  /** How often the TLS files are looked at for a change, milliseconds. */
  readonly tlsCheckMs?: number;
}

/**
 * Serves `GET /metrics` on `host:port` (an empty host is every address) or on a unix socket.
 * @throws {DaemonError} InvalidArgument for an address that is none, and for unusable TLS files; Unavailable where it cannot be listened on.
 */
export async function listenMetrics(options: MetricsListenerOptions): Promise<MetricsListener> {
  const { address, metrics, log } = options;
  const where = splitAddress(address);
  const tls = options.tls === undefined ? undefined : await FollowedTls.open(options.tls);
  const server = tls === undefined ? http.createServer(LIMITS) : https.createServer({ ...LIMITS, ...tls.serverOptions });
  server.maxConnections = MOST_CONNECTIONS;
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    answer(request, response, metrics).catch((error: unknown) => {
      log.warn('metrics could not be read', { error });
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(`${messageOf(error)}\n`);
    });
  });
  // Nothing but metrics is behind this socket, so whoever listened there before is replaced. What is no socket stays.
  if ('path' in where && (await unlessMissing(lstat(where.path), undefined))?.isSocket() === true) await rm(where.path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new DaemonError('Unavailable', `listen for metrics on ${address}: ${messageOf(error)}`, { cause: error }));
    });
    server.listen('path' in where ? where : where.host === '' ? { port: where.port } : where, resolve);
  });
  const timer = server instanceof https.Server ? tls?.follow(server, 'the listener for metrics', log, options.tlsCheckMs) : undefined;
  const bound = server.address();
  const host = 'host' in where && where.host.includes(':') ? `[${where.host}]` : 'host' in where ? where.host : '';
  return {
    address: typeof bound === 'object' && bound !== null ? `${host}:${bound.port}` : address,
    close: async () => {
      clearInterval(timer);
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
    },
  };
}
