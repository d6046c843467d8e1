import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { TlsSettings } from './endpoint.ts';
import { NO_PROXIES, proxyingAgent } from './proxy-dispatcher.ts';
import type { ProxySettings } from './proxies.ts';

/** The connections to registries: a pool for each TLS and connect timeout, made when first used. */
export class Dispatchers {
  readonly #connectTimeoutMs: number;
  readonly #proxies: ProxySettings;
  readonly #made = new Map<string, { readonly tls: TlsSettings; readonly dispatcher: Promise<Dispatcher> }>();

  /** @param proxies as configured; where nothing is, the environment counts. */
  constructor(connectTimeoutMs: number, proxies: ProxySettings = NO_PROXIES) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#proxies = proxies;
  }

  async get(tls: TlsSettings, connectTimeoutMs: number = this.#connectTimeoutMs): Promise<Dispatcher> {
    const key = `${tls.key} ${connectTimeoutMs}`;
    const made = this.#made.get(key) ?? { tls, dispatcher: makeDispatcher(tls, connectTimeoutMs, this.#proxies) };
    this.#made.set(key, made);
    return await made.dispatcher;
  }

  /** Closes what has other TLS than these, as certificates were changed. What is under way there comes to its end. */
  retire(keys: ReadonlySet<string>): void {
    for (const [name, { tls, dispatcher }] of this.#made) {
      if (keys.has(tls.key.replace(/ without clients$/, ''))) continue;
      this.#made.delete(name);
      // A request that has got it just now may not have begun yet.
      setImmediate(() => {
        dispatcher.then(async (gone) => gone.close()).catch(() => undefined);
      });
    }
  }

  async close(): Promise<void> {
    for (const { dispatcher } of this.#made.values()) await (await dispatcher).destroy();
    this.#made.clear();
  }
}

async function makeDispatcher(
  { verifies, authorities, clients }: TlsSettings,
  timeout: number,
  proxies: ProxySettings,
): Promise<Dispatcher> {
  const trust = verifies
    ? { ca: [...getCACertificates('default'), ...getCACertificates('system'), ...authorities] }
    : { rejectUnauthorized: false };
  const identity = clients.length === 0 ? {} : { cert: clients.map(({ certificate }) => certificate), key: clients.map(({ key }) => key) };
  return await proxyingAgent({ timeout, ...trust, ...identity }, proxies);
}
