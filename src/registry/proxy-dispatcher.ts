import type { ConnectionOptions } from 'node:tls';
import type { buildConnector, Dispatcher } from 'undici';
import { effectiveProxies, proxyFor } from './proxies.ts';
import type { ProxySettings } from './proxies.ts';

export const NO_PROXIES: ProxySettings = { http: '', https: '', noProxy: '' };

export type TlsOptions = Pick<ConnectionOptions, 'secureContext' | 'rejectUnauthorized'>;

export interface ConnectOptions {
  /** Most a connection may take, milliseconds; the proxy's answer to CONNECT as well. */
  readonly timeout: number;
  /** What TLS is spoken with, for all connections; asked for at the first one with TLS. */
  readonly toRegistry: () => TlsOptions;
  readonly toProxy: () => TlsOptions;
}

/**
 * An agent that asks each origin directly or by its proxy: https through a tunnel (CONNECT), plain http by the proxy's own
 * request. The certificate of an https proxy is checked against the machine's authorities, whatever is said of the registry.
 */
export async function proxyingAgent({ timeout, toRegistry, toProxy }: ConnectOptions, configured: ProxySettings): Promise<Dispatcher> {
  const { Agent, buildConnector, Pool, ProxyAgent } = await import('./http-library.ts');
  const plain = buildConnector({ timeout });
  let secure: buildConnector.connector | undefined;
  const connect: buildConnector.connector = (to, done) => {
    if (to.protocol === 'https:') (secure ??= buildConnector({ timeout, ...toRegistry() }))(to, done);
    else plain(to, done);
  };
  const settings = effectiveProxies(configured, process.env);
  if (settings.http === '' && settings.https === '') return new Agent({ connect });
  return new Agent({
    connect,
    factory: (at, options) => {
      const origin = new URL(at);
      const proxy = proxyFor(origin, settings);
      if (proxy === undefined) return new Pool(at, options);
      return new ProxyAgent({
        uri: proxy.protocol === 'socks5h:' ? proxy.href.replace(/^socks5h/, 'socks5') : proxy.href,
        requestTls: { timeout, ...(origin.protocol === 'https:' ? toRegistry() : {}) },
        proxyTls: { timeout, ...(proxy.protocol === 'https:' ? toProxy() : {}) },
        proxyTunnel: origin.protocol === 'https:',
        connectTimeout: timeout,
        clientFactory: (uri, opts) => new Pool(uri, { ...opts, headersTimeout: timeout }),
      });
    },
  });
}
