import type { Dispatcher } from 'undici';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { Dispatchers } from './dispatchers.ts';
import { allowsPlainHttp, withoutClients } from './endpoint.ts';
import type { HostAccess } from './endpoint.ts';
import type { ProxySettings } from './proxies.ts';
import { isPlainHttp, tlsReason } from './tls-fault.ts';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The host that is asked, or whose answer led to this request: a token service. */
  readonly access: HostAccess;
  readonly signal: AbortSignal;
  /** Most the headers of the answer may take, milliseconds; that of the transport where not given. */
  readonly answerTimeoutMs?: number | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
  /** Where the answer came from, after redirects. */
  readonly url: string;
  /** Whether a redirect left the origin that was asked. It stays true where a later one leads back. */
  readonly isFromElsewhere: boolean;
}

export interface TransportOptions {
  /** Most a connection may take, milliseconds. Default 30000. */
  readonly connectTimeoutMs?: number;
  /** Most that may pass without a byte, milliseconds; asked for at every request. Default 300000. */
  readonly idleTimeoutMs?: () => number;
  /** Most that the headers of an answer may take, milliseconds; asked for at every request. Default: as long as may pass without a byte. */
  readonly answerTimeoutMs?: () => number;
  /** What the configuration says of proxies; where it says nothing, the environment counts. */
  readonly proxies?: ProxySettings;
}

/** Node's fetch standard has 20; registries send one. */
const MAX_REDIRECTS = 10;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Redirects after which a POST becomes a GET without its body: RFC 9110, 15.4. */
const REDIRECTS_TO_GET: readonly number[] = [301, 302, 303];
/** How long an answer that nobody wants is read, milliseconds. More is not worth it: a new connection costs little. */
const DISCARD_MS = 1000;
const DISCARD_BYTES = 64 * 1024;
const DEFAULT_CONNECT_TIMEOUT_MS = 30_000;
const DEFAULT_IDLE_TIMEOUT_MS = 300_000;
const USER_AGENT = 'podwright';

/**
 * http and https to registries. Loaded when first used, since a node that pulls nothing need not carry it. Proxies come from
 * the configuration or the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), certificates from Node and the machine's store.
 */
export class Transport {
  readonly #options: TransportOptions;
  readonly #dispatchers: Dispatchers;

  constructor(options: TransportOptions = {}) {
    this.#options = options;
    this.#dispatchers = new Dispatchers(options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS, options.proxies);
  }

  /**
   * Sends a request and follows redirects. A redirect to another origin takes the Authorization and the host's own headers away,
   * for good, even where a later one leads back. A request with a body does not follow it at all. The host's client certificate
   * goes to that host only.
   * @throws RegistryUnavailable when no answer comes; FailedPrecondition for a redirect that is not followed; the signal's reason.
   */
  async request(url: string, options: HttpRequest): Promise<HttpResponse> {
    const { access, signal } = options;
    const { idleTimeoutMs } = this;
    const answerTimeoutMs = Math.min(options.answerTimeoutMs ?? idleTimeoutMs, this.#options.answerTimeoutMs?.() ?? Infinity);
    const limits = { headersTimeout: answerTimeoutMs, bodyTimeout: idleTimeoutMs };
    const { request } = await import('./http-library.ts');
    let { method = 'GET', body } = options;
    let at = new URL(url);
    const own = at.host === hostOf(access) ? access.headers : {};
    let headers: Headers = { 'user-agent': USER_AGENT, ...own, ...options.headers };
    let isFromElsewhere = false;
    for (let redirects = 0; ; redirects += 1) {
      let answer: Dispatcher.ResponseData;
      const isOwnHost = at.host === hostOf(access);
      const dispatcher = await this.#dispatchers.get(isOwnHost ? access.tls : withoutClients(access.tls), access.dialTimeoutMs);
      try {
        answer = await request(at, { method, headers, dispatcher, signal, ...limits, ...(body === undefined ? {} : { body }) });
      } catch (error) {
        if (signal.aborted) throw reasonOf(signal);
        throw isPlainHttp(error) ? answersPlainHttp(at, error) : unavailable(`${method} ${showUrl(at)}`, error);
      }
      const { location } = answer.headers;
      if (!REDIRECTS.includes(answer.statusCode) || typeof location !== 'string') {
        return { status: answer.statusCode, headers: answer.headers, body: answer.body, url: at.href, isFromElsewhere };
      }
      await discard(answer.body);
      const what = `${method} ${showUrl(at)}`;
      if (redirects === MAX_REDIRECTS) throw refused(`${what}: more than ${MAX_REDIRECTS} redirects`);
      const next = redirectTarget(what, location, at, access);
      if (next.origin !== at.origin) {
        isFromElsewhere = true;
        headers = forElsewhere(headers, own, options.headers ?? {});
        if (body !== undefined) throw refused(`${what}: redirected to another host, ${next.origin}, which must not get what was sent`);
      }
      if (body !== undefined && REDIRECTS_TO_GET.includes(answer.statusCode)) {
        method = 'GET';
        body = undefined;
        delete headers['content-type'];
      }
      at = next;
    }
  }

  get idleTimeoutMs(): number {
    return this.#options.idleTimeoutMs?.() ?? DEFAULT_IDLE_TIMEOUT_MS;
  }

  /** Closes the connections with other TLS than these. */
  retire(tlsKeys: ReadonlySet<string>): void {
    this.#dispatchers.retire(tlsKeys);
  }

  async close(): Promise<void> {
    await this.#dispatchers.close();
  }
}

type Headers = Record<string, string | string[]>;

/** Without who asks, and without what is for the host alone. */
function forElsewhere(headers: Headers, own: Headers, asked: Readonly<Record<string, string>>): Headers {
  const kept = Object.entries(headers).filter(([name]) => name !== 'authorization' && (name in asked || !(name in own)));
  return { 'user-agent': USER_AGENT, ...Object.fromEntries(kept) };
}

/** As a URL has it: without the scheme's own port, letters in lower case. */
function hostOf({ host, scheme }: HostAccess): string {
  const asked = scheme === 'http' ? 'http' : 'https';
  return URL.canParse(`${asked}://${host}`) ? new URL(`${asked}://${host}`).host : host;
}

/** Where a redirect leads. @throws FailedPrecondition where that is no URL, or is plain http and the endpoint must use https. */
function redirectTarget(what: string, location: string, at: URL, access: HostAccess): URL {
  if (!URL.canParse(location, at.href)) throw refused(`${what}: redirected to what is no URL`);
  const next = new URL(location, at);
  if (next.protocol !== 'https:' && !(allowsPlainHttp(access) && next.protocol === 'http:'))
    throw refused(`${what}: redirected to ${showUrl(next)}, must be https`);
  return next;
}

/** A failure that another try would not mend. */
function refused(words: string): DaemonError {
  return new DaemonError('FailedPrecondition', words);
}

/** Reads an answer and drops it, so that its connection can be used again. A long or slow one is cut off. */
export async function discard(body: Dispatcher.ResponseData['body']): Promise<void> {
  const signal = AbortSignal.timeout(DISCARD_MS);
  await body.dump({ limit: DISCARD_BYTES, signal }).catch(() => undefined);
}

/** A URL without what may be secret: signed storage URLs carry keys in their query. */
export function showUrl(url: URL | string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** The kubelet knows a registry that does not answer by the first word of the message. */
export function unavailable(what: string, error: unknown): DaemonError {
  return new DaemonError('RegistryUnavailable', `RegistryUnavailable: ${what}: ${describe(error)}`, { cause: error });
}

function answersPlainHttp({ host }: URL, cause: unknown): DaemonError {
  const words = `the registry ${host} answers plain http; it must be https, or be named insecure in registries.conf`;
  return new DaemonError('RegistryUnavailable', `RegistryUnavailable: ${words}`, { cause });
}

/** Errors of several addresses come in one without words. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  const reason = tlsReason(error);
  if (reason !== undefined) return `TLS failed: ${reason}`;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const message = messageOf(error);
  return message === '' || message === 'other side closed' ? `${message} ${code ?? ''}`.trim() : message;
}
