import { BoundedMap } from '../base/bounded-map.ts';
import { reasonOf, sleep } from '../base/deadline.ts';
import { DaemonError, hasErrno, kindOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import { basicHeader, bearerHeader, readChallenges } from './credentials.ts';
import { STRICT_TLS } from './endpoint.ts';
import type { Endpoint, HostAccess } from './endpoint.ts';
import type { Logins } from './logins.ts';
import type { Asked } from './registries-conf.ts';
import { Repository } from './repository.ts';
import type { Fetch } from './repository.ts';
import { readAll } from './response-body.ts';
import type { StallWatch } from './stall-watch.ts';
import { AskedToWait, retryAfterMs } from './retry-after.ts';
import { isPlainHttp } from './tls-fault.ts';
import { tlsSettings } from './tls-files.ts';
import type { TlsContent } from './tls-files.ts';
import { Tokens } from './tokens.ts';
import { discard, showUrl, Transport } from './transport.ts';
import type { HttpResponse, TransportOptions } from './transport.ts';

const MAX_TRIES = 4;
const FIRST_PAUSE_MS = 300;
const MAX_ERROR_BYTES = 64 * 1024;
/** For how many hosts or repositories something is remembered. A challenge has up to 16 KiB. */
const MAX_REMEMBERED = 200;

/** Says where to ask, in order. @throws PermissionDenied for a blocked registry. */
export interface EndpointSource {
  endpoints(asked: Asked): Endpoint[];
  /** The certificates that the node has for a host, where it has a directory for it. */
  certificatesOf?(host: string): TlsContent | undefined;
}

export interface UrlFetch {
  readonly limitBytes: number;
  readonly signal: AbortSignal;
  readonly watch: StallWatch;
  readonly beside: Repository;
}

/** An OCI distribution client (distribution spec 1.1, pull): manifests and blobs by digest or tag, with mirrors and authentication. */
export class RegistryClient {
  readonly #conf: () => EndpointSource;
  readonly #transport: Transport;
  readonly #tokens: Tokens;
  /** What each host of the scheme `any` speaks, where it is known. */
  readonly #schemes = new BoundedMap<string, 'http' | 'https'>(MAX_REMEMBERED);
  /** The challenge that a host gave for a scope. Answering it at once saves the first refusal. */
  readonly #challenges = new BoundedMap<string, string>(MAX_REMEMBERED);

  /** @param conf is asked at every fetch, so that a reload takes effect. */
  constructor(conf: () => EndpointSource, options: TransportOptions = {}) {
    this.#conf = conf;
    this.#transport = new Transport(options);
    this.#tokens = new Tokens(this.#transport);
  }

  /**
   * The repository of one image, for all fetches of one pull. `watch` looks after them, so each fetch should end with its
   * signal. @throws PermissionDenied where registries.conf blocks it.
   */
  repository(asked: Asked, logins: Logins, watch: StallWatch): Repository {
    const get = async (fetch: Fetch): Promise<HttpResponse> => this.#get(fetch);
    return new Repository(`${asked.domain}/${asked.path}`, { get, endpoints: this.#conf().endpoints(asked), logins, watch });
  }

  /**
   * GETs what is no registry's, without credentials. Its host's certificates are those of its own directory or, where it has none, the authorities
   * of the registry that it is beside, as containers/image has it; that it must have a good one is never given up.
   * @param beside whose images it is about
   * @throws NotFound, PermissionDenied, RegistryUnavailable, FailedPrecondition; the signal's reason.
   */
  async fetchUrl(url: string, { limitBytes, signal, watch, beside }: UrlFetch): Promise<Buffer> {
    const { host, protocol } = new URL(url);
    const { authorities } = beside;
    const own = this.#conf().certificatesOf?.(host) ?? (authorities.length === 0 ? undefined : { authorities, clients: [] });
    const tls = own === undefined ? STRICT_TLS : tlsSettings(own, true);
    const access: HostAccess = { host, scheme: protocol === 'http:' ? 'http' : 'https', tls, headers: {} };
    return await watch.during(async () => {
      const response = await this.#transport.request(url, { access, signal });
      if (response.status !== 200) throw await failureOf(response, signal);
      watch.answered();
      return await readAll(response, limitBytes, signal);
    });
  }

  /** After a reload: closes the connections with other TLS than these. */
  retire(tlsKeys: ReadonlySet<string>): void {
    this.#transport.retire(tlsKeys);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  /**
   * GETs `ROOT/PATH/what` of an endpoint, with what authentication it asks for. Tries again where an answer may be better later.
   * @throws NotFound, PermissionDenied, RegistryUnavailable, FailedPrecondition; the signal's reason.
   */
  async #get(fetch: Fetch): Promise<HttpResponse> {
    const { signal } = fetch;
    for (let tries = 1; ; tries += 1) {
      let failure: DaemonError;
      let pauseMs = FIRST_PAUSE_MS * 2 ** (tries - 1);
      try {
        const response = await this.#authorized(fetch);
        if (response.status === 200 || response.status === 206) return response;
        failure = await failureOf(response, signal);
        pauseMs = retryAfterMs(response.headers['retry-after'], Date.now()) ?? pauseMs;
      } catch (error) {
        if (signal.aborted) throw reasonOf(signal);
        if (!(error instanceof DaemonError) || !isPassing(error)) throw error;
        failure = error;
        if (error instanceof AskedToWait) pauseMs = error.waitMs;
      }
      if (failure.kind !== 'RegistryUnavailable' || tries === MAX_TRIES) throw failure;
      fetch.observer?.retried(failure, 'request');
      await sleep(pauseMs, signal);
      if (signal.aborted) throw reasonOf(signal);
    }
  }

  async #authorized(fetch: Fetch): Promise<HttpResponse> {
    const { endpoint, login } = fetch;
    const bearer = login.given === undefined ? undefined : bearerHeader(login.given);
    if (bearer !== undefined) return await this.#send(fetch, bearer);
    const scope = `repository:${endpoint.path}:pull`;
    const known = this.#challenges.get(`${endpoint.host} ${scope}`);
    const first = known === undefined ? undefined : await this.#answer(known, scope, fetch);
    const response = await this.#send(fetch, first);
    const asks = response.headers['www-authenticate'];
    // The host that a redirect leads to must not decide who gets the credentials (CVE-2020-15157 is of this kind).
    if (response.status !== 401 || asks === undefined || response.isFromElsewhere) return response;
    const challenge = typeof asks === 'string' ? asks : asks.join(', ');
    const answer = await this.#answer(challenge, scope, fetch, first);
    if (answer === undefined) return response;
    await discard(response.body);
    this.#challenges.set(`${endpoint.host} ${scope}`, challenge);
    return await this.#send(fetch, answer);
  }

  /** The Authorization for a registry's challenge; undefined where we have none. A token that it has `refused` is not used again. */
  async #answer(header: string, scope: string, fetch: Fetch, refused?: string): Promise<string | undefined> {
    const { endpoint, login, signal, answerTimeoutMs } = fetch;
    const challenges = readChallenges(header);
    const challenge = challenges.find(({ scheme }) => scheme === 'bearer');
    const credentials = await login.find(signal);
    const bearer = credentials === undefined ? undefined : bearerHeader(credentials);
    if (bearer !== undefined) return bearer === refused ? undefined : bearer;
    if (challenge !== undefined) {
      return await this.#tokens.authorization({ challenge, scope, credentials, access: endpoint, signal, refused, answerTimeoutMs });
    }
    return challenges.some(({ scheme }) => scheme === 'basic') && credentials !== undefined ? basicHeader(credentials) : undefined;
  }

  /**
   * Sends by the endpoint's scheme. Where that is `any`, sends by https and, where that fails, by plain http. Later requests go by plain http at
   * once only where it is certain that the host has no https. A host that has spoken https gets no plain http while it may still
   * speak https: a moment's fault must not expose credentials.
   */
  async #send({ endpoint, what, headers: own, signal, answerTimeoutMs }: Fetch, authorization?: string): Promise<HttpResponse> {
    const { scheme, host, root, path, namespace } = endpoint;
    const url = `${host}${root}/${path}/${what}${namespace === undefined ? '' : `?ns=${encodeURIComponent(namespace)}`}`;
    const headers = authorization === undefined ? own : { ...own, authorization };
    const options = { headers, access: endpoint, signal, answerTimeoutMs };
    const known = scheme === 'any' ? this.#schemes.get(host) : scheme;
    let failure: unknown;
    try {
      const response = await this.#transport.request(`${known ?? 'https'}://${url}`, options);
      if (known === undefined) this.#schemes.set(host, 'https');
      return response;
    } catch (error) {
      failure = error;
    }
    const cause = failure instanceof DaemonError ? failure.cause : undefined;
    const hasNoHttps = isPlainHttp(cause) || hasErrno(cause, 'ECONNREFUSED');
    if (known === 'http' || hasNoHttps) this.#schemes.delete(host);
    if (known !== undefined || signal.aborted || kindOf(failure) !== 'RegistryUnavailable') throw failure;
    const response = await this.#transport.request(`http://${url}`, options);
    if (hasNoHttps) this.#schemes.set(host, 'http');
    else if (response.status === 400) {
      // This is how a server that speaks https alone answers plain http.
      await discard(response.body);
      throw failure;
    }
    return response;
  }
}

/** Connections that are refused, and names that are not found, are not tried again here: the kubelet does that. */
function isPassing(error: DaemonError): boolean {
  if (error.kind !== 'RegistryUnavailable') return false;
  const code = error.cause instanceof Error ? (error.cause as NodeJS.ErrnoException).code : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'EAI_AGAIN' || code === 'UND_ERR_SOCKET' || error.cause === undefined;
}

const KINDS: Readonly<Record<number, ErrorKind>> = {
  401: 'PermissionDenied',
  403: 'PermissionDenied',
  404: 'NotFound',
  429: 'RegistryUnavailable',
};

async function failureOf(response: HttpResponse, signal: AbortSignal): Promise<DaemonError> {
  const { status, url, isFromElsewhere } = response;
  const kind = status >= 500 ? 'RegistryUnavailable' : (KINDS[status] ?? 'FailedPrecondition');
  const words = await registryWords(response, signal);
  const prefix = kind === 'RegistryUnavailable' ? 'RegistryUnavailable: ' : '';
  const denied = isFromElsewhere ? ' (not authorized; credentials do not go where a redirect leads)' : ' (not authorized)';
  const meaning = kind === 'PermissionDenied' ? denied : kind === 'NotFound' ? ' (not found)' : '';
  return new DaemonError(
    kind,
    `${prefix}GET ${showUrl(url)}: the registry answered ${status}${meaning}${words === '' ? '' : `: ${words}`}`,
  );
}

/** What a registry says about an error: distribution spec, error codes. */
async function registryWords(response: HttpResponse, signal: AbortSignal): Promise<string> {
  try {
    const text = (await readAll(response, MAX_ERROR_BYTES, signal)).toString('utf8');
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    return (errors ?? [])
      .map(({ code, message }) => [code, message].filter((part) => typeof part === 'string' && part !== '').join(': '))
      .join('; ')
      .slice(0, 500);
  } catch {
    return '';
  }
}
