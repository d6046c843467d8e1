import type { Server } from '@grpc/grpc-js';
import type { Http2Server, IncomingHttpHeaders } from 'node:http2';

/** Longest timer of Node, milliseconds; a longer one fires at once. https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_MS = 2 ** 31 - 1;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Drops a `grpc-timeout` of more than 24 days, as if no deadline were set: no timer of Node holds more. grpc-js 1.14 would cut
 * it to 32 bits, and the call could fail in its first millisecond. The kubelet sends such timeouts when it stops a container
 * with a long grace period.
 */
export function withoutLongTimeout(header: string): string | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  const unitMs = UNIT_MS[match?.[2] ?? ''];
  return unitMs !== undefined && Number(match?.[1]) * unitMs > LONGEST_MS ? undefined : header;
}

/** Has a bound server see every request's deadline through {@link withoutLongTimeout}. */
export function keepLongDeadlines(server: Server): void {
  // grpc-js has no hook before it reads the header; its table of HTTP/2 servers is private in its types only.
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  for (const http2Server of http2Servers.keys()) {
    http2Server.prependListener('stream', (_stream, headers: IncomingHttpHeaders) => {
      const header = headers['grpc-timeout'];
      if (typeof header === 'string' && withoutLongTimeout(header) === undefined) delete headers['grpc-timeout'];
    });
  }
}
