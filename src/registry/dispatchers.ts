import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import type { TlsSettings } from './endpoint.ts';

/** The connections to registries: a pool for each TLS and connect timeout, made when first used. */
export class Dispatchers {
  readonly #connectTimeoutMs: number;
  readonly #made = new Map<string, Promise<Dispatcher>>();

  constructor(connectTimeoutMs: number) {
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  async get(tls: TlsSettings, connectTimeoutMs: number = this.#connectTimeoutMs): Promise<Dispatcher> {
    const key = `${tls.key} ${connectTimeoutMs}`;
    const made = this.#made.get(key) ?? makeDispatcher(tls, connectTimeoutMs);
    this.#made.set(key, made);
    return await made;
  }

  async close(): Promise<void> {
    for (const dispatcher of this.#made.values()) await (await dispatcher).destroy();
    this.#made.clear();
  }
}

async function makeDispatcher({ verifies, authorities, clients }: TlsSettings, timeout: number): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await import('undici');
  const trust = verifies
    ? { ca: [...getCACertificates('default'), ...getCACertificates('system'), ...authorities] }
    : { rejectUnauthorized: false };
  const identity = clients.length === 0 ? {} : { cert: clients.map(({ certificate }) => certificate), key: clients.map(({ key }) => key) };
  const options = { connect: { timeout, ...trust, ...identity } };
  const hasProxy = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some((name) => process.env[name]);
  return hasProxy ? new EnvHttpProxyAgent(options) : new Agent(options);
}
