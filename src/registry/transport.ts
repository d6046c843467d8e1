import { getCACertificates } from 'node:tls';
import type { Dispatcher } from 'undici';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly insecure: boolean;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

export interface TransportOptions {
  /** Most a connection may take, milliseconds. Default 30000. */
  readonly connectTimeoutMs?: number;
  /** Most that may pass without a byte, milliseconds. Default 300000. */
  readonly idleTimeoutMs?: number;
}

/** Node's fetch standard has 20; registries send one. */
const MAX_REDIRECTS = 10;
const USER_AGENT = 'podwright';

/**
 * http and https to registries. Loaded when first used, since a node that pulls nothing need not carry it. Proxies come from
 * the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), certificates from Node and the machine's store.
 */
export class Transport {
  readonly #options: TransportOptions;
  readonly #dispatchers = new Map<boolean, Promise<Dispatcher>>();

  constructor(options: TransportOptions = {}) {
    this.#options = options;
  }

  /**
   * Sends a request and follows redirects; to another host the Authorization goes no further.
   * @throws RegistryUnavailable when no answer comes; the signal's reason.
   */
  async request(url: string, options: HttpRequest): Promise<HttpResponse> {
    const { insecure, signal, method = 'GET', body } = options;
    const { request } = await import('undici');
    const dispatcher = await this.#dispatcher(insecure);
    const headers: Record<string, string> = { 'user-agent': USER_AGENT, ...options.headers };
    let at = new URL(url);
    for (let redirects = 0; ; redirects += 1) {
      let answer: Dispatcher.ResponseData;
      try {
        answer = await request(at, { method, headers, dispatcher, signal, ...(body === undefined ? {} : { body }) });
      } catch (error) {
        if (signal.aborted) throw reasonOf(signal);
        throw unavailable(`${method} ${showUrl(at)}`, error);
      }
      const { location } = answer.headers;
      if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== 'string') {
        return { status: answer.statusCode, headers: answer.headers, body: answer.body, url: at.href };
      }
      await discard(answer.body);
      const next = new URL(location, at);
      if (redirects === MAX_REDIRECTS)
        throw new DaemonError('RegistryUnavailable', `RegistryUnavailable: ${method} ${showUrl(at)}: more than ${MAX_REDIRECTS} redirects`);
      if (next.protocol !== 'https:' && !(insecure && next.protocol === 'http:') && next.protocol !== at.protocol) {
        throw new DaemonError(
          'RegistryUnavailable',
          `RegistryUnavailable: ${method} ${showUrl(at)}: redirected to ${showUrl(next)}, must be https`,
        );
      }
      if (next.host !== at.host || next.protocol !== at.protocol) delete headers['authorization'];
      at = next;
    }
  }

  async close(): Promise<void> {
    for (const dispatcher of this.#dispatchers.values()) await (await dispatcher).destroy();
    this.#dispatchers.clear();
  }

  async #dispatcher(insecure: boolean): Promise<Dispatcher> {
    const made = this.#dispatchers.get(insecure) ?? this.#makeDispatcher(insecure);
    this.#dispatchers.set(insecure, made);
    return await made;
  }

  async #makeDispatcher(insecure: boolean): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent } = await import('undici');
    const { connectTimeoutMs = 30_000, idleTimeoutMs = 300_000 } = this.#options;
    const options = {
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
      connect: {
        timeout: connectTimeoutMs,
        ...(insecure ? { rejectUnauthorized: false } : { ca: [...getCACertificates('default'), ...getCACertificates('system')] }),
      },
    };
    const hasProxy = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some((name) => process.env[name]);
    return hasProxy ? new EnvHttpProxyAgent(options) : new Agent(options);
  }
}

/** Reads an answer away, so that its connection can be used again. */
export async function discard(body: Dispatcher.ResponseData['body']): Promise<void> {
  await body.dump({ limit: 64 * 1024 }).catch(() => undefined);
}

/** A URL without what may be secret: signed storage URLs carry keys in their query. */
export function showUrl(url: URL | string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** The kubelet knows a registry that does not answer by the first word of the message. */
export function unavailable(what: string, error: unknown): DaemonError {
  return new DaemonError('RegistryUnavailable', `RegistryUnavailable: ${what}: ${describe(error)}`, { cause: error });
}

/** Errors of several addresses come in one without words. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const message = messageOf(error);
  return message === '' || message === 'other side closed' ? `${message} ${code ?? ''}`.trim() : message;
}
