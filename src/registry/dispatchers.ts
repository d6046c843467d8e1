import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { TlsSettings } from './endpoint.ts';
import { timed } from '../base/timed.ts';
import { NO_PROXIES, proxyingAgent, type TlsOptions } from './proxy-dispatcher.ts';
import type { ProxySettings } from './proxies.ts';

/** How long connections with TLS that is no longer in force stay for a pull that began with it, after its last request, milliseconds. */
const RETIRED_IDLE_MS = 10_000;

interface Made {
  readonly tls: TlsSettings;
  readonly dispatcher: Promise<Dispatcher>;
  /** Where its TLS is no longer in force: when it goes. */
  end?: NodeJS.Timeout | undefined;
}

/** The connections to registries: a pool for each TLS and connect timeout, made when first used. */
export class Dispatchers {
  readonly #connectTimeoutMs: number;
  readonly #proxies: ProxySettings;
  readonly #retiredIdleMs: number;
  readonly #made = new Map<string, Made>();
  /** Those that take nothing new, and come to their end. */
  readonly #closing = new Set<Promise<Dispatcher>>();
  /** The keys of the TLS in force; undefined: any. */
  #inForce: ReadonlySet<string> | undefined;

  /** @param proxies as configured; where nothing is, the environment counts. */
  constructor(connectTimeoutMs: number, proxies: ProxySettings = NO_PROXIES, retiredIdleMs: number = RETIRED_IDLE_MS) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#proxies = proxies;
    this.#retiredIdleMs = retiredIdleMs;
  }

  async get(tls: TlsSettings, connectTimeoutMs: number = this.#connectTimeoutMs): Promise<Dispatcher> {
    const key = `${tls.key} ${connectTimeoutMs}`;
    const made: Made = this.#made.get(key) ?? { tls, dispatcher: makeDispatcher(tls, connectTimeoutMs, this.#proxies) };
    this.#made.set(key, made);
    if (!this.#isInForce(tls)) {
      clearTimeout(made.end);
      made.end = setTimeout(() => {
        this.#retire(key, made);
      }, this.#retiredIdleMs).unref();
    }
    return await made.dispatcher;
  }

  /**
   * Closes what has other TLS than these, as certificates were changed. What is under way there comes to its end. A pull that began
   * before goes on with the old: what it asks for anew goes once it asks no more.
   */
  retire(keys: ReadonlySet<string>): void {
    this.#inForce = keys;
    for (const [name, made] of this.#made) {
      clearTimeout(made.end);
      if (!this.#isInForce(made.tls)) this.#retire(name, made);
    }
  }

  async close(): Promise<void> {
    for (const { end } of this.#made.values()) clearTimeout(end);
    for (const dispatcher of [...[...this.#made.values()].map((made) => made.dispatcher), ...this.#closing])
      await (await dispatcher).destroy();
    this.#made.clear();
  }

  #isInForce(tls: TlsSettings): boolean {
    return this.#inForce?.has(tls.key.replace(/ without clients$/, '')) ?? true;
  }

  #retire(name: string, { dispatcher }: Made): void {
    this.#made.delete(name);
    this.#closing.add(dispatcher);
    // A request that has got it just now may not have begun yet.
    setImmediate(() => {
      dispatcher
        .then(async (gone) => gone.close())
        .catch(() => undefined)
        .finally(() => this.#closing.delete(dispatcher));
    });
  }
}

async function makeDispatcher(
  { verifies, authorities, clients }: TlsSettings,
  timeout: number,
  proxies: ProxySettings,
): Promise<Dispatcher> {
  const identity = clients.length === 0 ? {} : { cert: clients.map(({ certificate }) => certificate), key: clients.map(({ key }) => key) };
  const [trusting, identified] = [contextOnce(authorities, {}), contextOnce(authorities, identity)];
  const toRegistry = (): TlsOptions =>
    verifies ? { secureContext: identified() } : { rejectUnauthorized: false, secureContext: createSecureContext(identity) };
  const toProxy = (): TlsOptions => (verifies ? { secureContext: trusting() } : {});
  return await proxyingAgent({ timeout, toRegistry, toProxy }, proxies);
}

/**
 * One context for all connections: to parse some 150 authorities takes tens of milliseconds of the event loop. Each counts once, though the node
 * has it in its bundle, in a file of its own and in Node's.
 */
function contextOnce(authorities: readonly string[], identity: { readonly cert?: string[]; readonly key?: string[] }): () => SecureContext {
  let context: SecureContext | undefined;
  const make = (): SecureContext => {
    const ca = new Set([...getCACertificates('default'), ...getCACertificates('system'), ...authorities]);
    return createSecureContext({ ca: [...ca], ...identity });
  };
  return () => (context ??= timed('certificate authorities', make));
}
