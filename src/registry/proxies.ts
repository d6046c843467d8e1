import { BlockList, isIP } from 'node:net';
import { DaemonError } from '../base/errors.ts';

/** Which proxies to use, as the environment or the configuration says. */
export interface ProxySettings {
  /** For http; empty: none. */
  readonly http: string;
  /** For https; empty: none. */
  readonly https: string;
  /** Hosts that are asked without one, with commas between. */
  readonly noProxy: string;
}

const SCHEMES: readonly string[] = ['http:', 'https:', 'socks5:', 'socks5h:'];

/** The proxies of the environment. Upper case wins, as for the peers (golang.org/x/net/http/httpproxy, FromEnvironment). */
export function proxiesOfEnvironment(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const either = (name: string): string => env[name] || env[name.toLowerCase()] || '';
  return { http: either('HTTP_PROXY'), https: either('HTTPS_PROXY'), noProxy: either('NO_PROXY') };
}

/** What a configuration sets stands for what the environment says of all three. */
export function effectiveProxies(configured: ProxySettings, env: Readonly<Record<string, string | undefined>>): ProxySettings {
  return configured.http === '' && configured.https === '' && configured.noProxy === '' ? proxiesOfEnvironment(env) : configured;
}

/**
 * The proxy for an origin; undefined where it is asked directly. The rules are those of Go's httpproxy, which both peers follow:
 * localhost and addresses of the loopback are never asked by a proxy; NO_PROXY names hosts (with all below them), `.example.com`
 * (only what is below), addresses, CIDR ranges, each but the last with a port if wanted, or `*` for all.
 * @throws FailedPrecondition where the proxy's address is none, without its password.
 */
export function proxyFor(origin: URL, settings: ProxySettings): URL | undefined {
  const text = origin.protocol === 'https:' ? settings.https : settings.http;
  if (text === '' || isDirect(origin, settings.noProxy)) return undefined;
  return readProxy(text, origin.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
}

function readProxy(text: string, name: string): URL {
  const url = text.includes('://') ? text : `http://${text}`;
  const proxy = URL.canParse(url) ? new URL(url) : undefined;
  if (proxy === undefined || proxy.hostname === '' || !SCHEMES.includes(proxy.protocol)) {
    // The value is not shown, as it may have a password.
    throw new DaemonError(
      'FailedPrecondition',
      `the proxy that ${name} (proxy.http, proxy.https) names must be a URL of http, https or socks5`,
    );
  }
  return proxy;
}

function isDirect(origin: URL, noProxy: string): boolean {
  const host = bare(origin.hostname).toLowerCase().replace(/\.$/, '');
  const port = origin.port || (origin.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || isLoopback(host)) return true;
  return noProxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(entry, host);
  const [name, wantedPort] = splitPort(entry);
  if (name === '' || (wantedPort !== undefined && wantedPort !== port)) return false;
  if (isIP(name) > 0) return sameAddress(name, host);
  const suffix = name.startsWith('*.') ? name.slice(1) : name;
  if (suffix.startsWith('.')) return host.endsWith(suffix);
  return host === suffix || host.endsWith(`.${suffix}`);
}

/** `host:port`, `[::1]:port`, or either without a port; an IPv6 address may stand without brackets. */
function splitPort(entry: string): [string, string | undefined] {
  if (isIP(entry) > 0) return [entry, undefined];
  const [, inBrackets, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return [inBrackets ?? name ?? '', port];
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

function family(version: number): 'ipv4' | 'ipv6' {
  return version === 4 ? 'ipv4' : 'ipv6';
}

function isLoopback(host: string): boolean {
  return inRange('127.0.0.0/8', host) || sameAddress('::1', host);
}

function sameAddress(one: string, other: string): boolean {
  const [version, otherVersion] = [isIP(one), isIP(other)];
  if (version === 0 || version !== otherVersion) return false;
  const list = new BlockList();
  list.addAddress(one, family(version));
  return list.check(other, family(version));
}

function inRange(range: string, host: string): boolean {
  const [, network = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(range) ?? [];
  const version = isIP(network);
  if (version === 0 || version !== isIP(host) || Number(bits) > (version === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family(version));
  return list.check(host, family(version));
}
