import type { buildConnector, Dispatcher } from 'undici';
import { effectiveProxies, proxyFor } from './proxies.ts';
import type { ProxySettings } from './proxies.ts';

export const NO_PROXIES: ProxySettings = { http: '', https: '', noProxy: '' };

/** @property timeout Most a connection may take, milliseconds; the proxy's answer to CONNECT as well. */
export type ConnectOptions = buildConnector.BuildOptions & { readonly timeout: number; readonly ca?: string[] };

/**
 * An agent that asks each origin directly or by its proxy: https through a tunnel (CONNECT), plain http by the proxy's own
 * request. The certificate of an https proxy is checked against the machine's authorities, whatever is said of the registry.
 */
export async function proxyingAgent(connect: ConnectOptions, configured: ProxySettings): Promise<Dispatcher> {
  const { Agent, Pool, ProxyAgent } = await import('./http-library.ts');
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
        requestTls: connect,
        proxyTls: { timeout: connect.timeout, ...(connect.ca === undefined ? {} : { ca: connect.ca }) },
        proxyTunnel: origin.protocol === 'https:',
        connectTimeout: connect.timeout,
        clientFactory: (uri, opts) => new Pool(uri, { ...opts, headersTimeout: connect.timeout }),
      });
    },
  });
}
