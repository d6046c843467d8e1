import { isIPv6 } from 'node:net';

/** What a streaming URL asks for; the first part of its path. */
export type StreamKind = 'exec' | 'attach' | 'portforward';

export interface Endpoint {
  readonly tls: boolean;
  /** Address or name that the kubelet, on this same node, connects to. */
  readonly host: string;
  readonly port: number;
}

/** `http(s)://host:port/kind/token` */
export function streamUrl(endpoint: Endpoint, kind: StreamKind, token: string): string {
  const host = isIPv6(endpoint.host) ? `[${endpoint.host}]` : endpoint.host;
  return `${endpoint.tls ? 'https' : 'http'}://${host}:${endpoint.port}/${kind}/${token}`;
}

/** Reads the path (and query, ignored) of a request to a URL of ours; undefined for any other. */
export function parseStreamPath(target: string): { kind: StreamKind; token: string } | undefined {
  const match = /^\/(exec|attach|portforward)\/([A-Za-z0-9_-]+)(?:\?.*)?$/.exec(target);
  const [, kind, token] = match ?? [];
  return kind === undefined || token === undefined ? undefined : { kind: kind as StreamKind, token };
}

/** The address to put into URLs for a server that listens on `address`: for "every address", the loopback one. */
export function reachableHost(address: string): string {
  if (address === '' || address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
