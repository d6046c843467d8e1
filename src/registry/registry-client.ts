import { createHash } from 'node:crypto';
import { reasonOf, sleep } from '../base/deadline.ts';
import { DaemonError, kindOf } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';
import { basicHeader, readChallenges } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Asked, Endpoint, RegistriesConf } from './registries-conf.ts';
import { Tokens } from './tokens.ts';
import { discard, showUrl, Transport, unavailable } from './transport.ts';
import type { HttpResponse, TransportOptions } from './transport.ts';

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly mediaType: string | undefined;
  readonly digest: Digest;
}

export interface FetchedBlob {
  /** @throws RegistryUnavailable where the stream breaks. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Where in the blob the content starts; 0 where the registry knows no ranges. */
  readonly offsetBytes: number;
}

/** Most bytes of a manifest; the OCI distribution spec asks registries to take 4 MiB. */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;
const MAX_TRIES = 4;
const FIRST_PAUSE_MS = 300;
const MAX_RETRY_AFTER_MS = 30_000;

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** An OCI distribution client (distribution spec 1.1, pull): manifests and blobs by digest or tag, with mirrors and authentication. */
export class RegistryClient {
  readonly #conf: () => RegistriesConf;
  readonly #transport: Transport;
  readonly #tokens: Tokens;
  /** Hosts that may be insecure and speak plain http. */
  readonly #plainHosts = new Set<string>();
  /** Authorization that a host took for a scope, to save the first refusal. */
  readonly #challenges = new Map<string, string>();

  /** @param conf is asked at every fetch, so that a reload takes effect. */
  constructor(conf: () => RegistriesConf, options: TransportOptions = {}) {
    this.#conf = conf;
    this.#transport = new Transport(options);
    this.#tokens = new Tokens(this.#transport);
  }

  /** The repository of one image, for the fetches of one pull. @throws PermissionDenied where registries.conf blocks it. */
  repository(asked: Asked, credentials: Credentials | undefined): Repository {
    return new Repository(this, this.#conf().endpoints(asked), credentials, `${asked.domain}/${asked.path}`);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  /**
   * GETs `/v2/PATH/what` of an endpoint, with what authentication it asks for. Tries again where an answer may be better later.
   * @throws NotFound, PermissionDenied, RegistryUnavailable, FailedPrecondition; the signal's reason.
   */
  async get(
    endpoint: Endpoint,
    what: string,
    headers: Readonly<Record<string, string>>,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const url = `${endpoint.host}/v2/${endpoint.path}/${what}`;
    for (let tries = 1; ; tries += 1) {
      let failure: DaemonError;
      let pauseMs = FIRST_PAUSE_MS * 2 ** (tries - 1);
      try {
        const response = await this.#authorized(endpoint, url, headers, endpoint.isMirror ? undefined : credentials, signal);
        if (response.status === 200 || response.status === 206) return response;
        failure = await failureOf(response);
        pauseMs = retryAfterMs(response) ?? pauseMs;
      } catch (error) {
        if (signal.aborted) throw reasonOf(signal);
        if (!(error instanceof DaemonError) || !isPassing(error)) throw error;
        failure = error;
      }
      if (failure.kind !== 'RegistryUnavailable' || tries === MAX_TRIES) throw failure;
      await sleep(pauseMs, signal);
      if (signal.aborted) throw reasonOf(signal);
    }
  }

  async #authorized(
    endpoint: Endpoint,
    url: string,
    headers: Readonly<Record<string, string>>,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const { registryToken } = credentials ?? {};
    if (registryToken !== undefined && registryToken !== '') {
      return await this.#send(endpoint, url, { ...headers, authorization: `Bearer ${registryToken}` }, signal);
    }
    const scope = `repository:${endpoint.path}:pull`;
    const known = this.#challenges.get(`${endpoint.host} ${scope}`);
    const first = known === undefined ? undefined : await this.#answer(known, scope, endpoint, credentials, signal);
    const response = await this.#send(endpoint, url, first === undefined ? headers : { ...headers, authorization: first }, signal);
    const asks = response.headers['www-authenticate'];
    // Where a redirect leads is not for it to say who gets the credentials (CVE-2020-15157 is of this kind).
    if (response.status !== 401 || asks === undefined || response.isFromElsewhere) return response;
    const challenge = typeof asks === 'string' ? asks : asks.join(', ');
    const answer = await this.#answer(challenge, scope, endpoint, credentials, signal, first);
    if (answer === undefined) return response;
    await discard(response.body);
    this.#challenges.set(`${endpoint.host} ${scope}`, challenge);
    return await this.#send(endpoint, url, { ...headers, authorization: answer }, signal);
  }

  /** What answers a registry's challenge; undefined where we have nothing for it. A token that it has `refused` is not given again. */
  async #answer(
    header: string,
    scope: string,
    endpoint: Endpoint,
    credentials: Credentials | undefined,
    signal: AbortSignal,
    refused?: string,
  ): Promise<string | undefined> {
    const challenges = readChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      return await this.#tokens.authorization({ challenge: bearer, scope, credentials, insecure: endpoint.insecure, signal, refused });
    }
    return challenges.some(({ scheme }) => scheme === 'basic') && credentials !== undefined ? basicHeader(credentials) : undefined;
  }

  /** Sends by https; where that fails and the endpoint may be insecure, by http from then on. */
  async #send(endpoint: Endpoint, url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpResponse> {
    const { insecure, host } = endpoint;
    const isPlain = insecure && this.#plainHosts.has(host);
    try {
      return await this.#transport.request(`${isPlain ? 'http' : 'https'}://${url}`, { headers, insecure, signal });
    } catch (error) {
      if (!insecure || signal.aborted || kindOf(error) !== 'RegistryUnavailable') throw error;
      this.#plainHosts.delete(host);
      if (isPlain) throw error;
      const response = await this.#transport.request(`http://${url}`, { headers, insecure, signal });
      this.#plainHosts.add(host);
      return response;
    }
  }
}

/** One repository at the endpoints that have it, mirrors first. */
export class Repository {
  readonly #client: RegistryClient;
  readonly #endpoints: readonly Endpoint[];
  readonly #credentials: Credentials | undefined;
  readonly #name: string;
  /** The one that answered last is asked first. */
  #good: Endpoint | undefined;

  constructor(client: RegistryClient, endpoints: readonly Endpoint[], credentials: Credentials | undefined, name: string) {
    this.#client = client;
    this.#endpoints = endpoints;
    this.#credentials = credentials;
    this.#name = name;
  }

  /** A manifest or index by tag or digest. @throws FailedPrecondition where its digest is not the one asked for. */
  async manifest(tagOrDigest: string, signal: AbortSignal): Promise<FetchedManifest> {
    const response = await this.#get(`manifests/${tagOrDigest}`, { accept: MANIFEST_TYPES }, signal);
    const bytes = await readAll(response, MAX_MANIFEST_BYTES, signal);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
    const stated = isDigest(tagOrDigest) ? tagOrDigest : response.headers['docker-content-digest'];
    if (typeof stated === 'string' && isDigest(stated) && stated !== digest) {
      throw new DaemonError('FailedPrecondition', `fetch manifest ${this.#name}: its digest is ${digest}, must be ${stated}`);
    }
    const type = response.headers['content-type'];
    return { bytes, mediaType: typeof type === 'string' ? type.split(';')[0]?.trim() : undefined, digest };
  }

  /** A blob from an offset on, as it comes. Nobody has checked its digest. */
  async blob(digest: Digest, offsetBytes: number, signal: AbortSignal): Promise<FetchedBlob> {
    const headers = { accept: '*/*', ...(offsetBytes === 0 ? {} : { range: `bytes=${offsetBytes}-` }) };
    const response = await this.#get(`blobs/${digest}`, headers, signal);
    return { content: piecesOf(response, signal), offsetBytes: response.status === 206 ? rangeStart(response, offsetBytes) : 0 };
  }

  /** Asks the endpoints in turn; the registry's own failure, not a mirror's, is the one to hear of. */
  async #get(what: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpResponse> {
    const order =
      this.#good === undefined ? this.#endpoints : [this.#good, ...this.#endpoints.filter((endpoint) => endpoint !== this.#good)];
    let failure: unknown;
    for (const endpoint of order) {
      try {
        const response = await this.#client.get(endpoint, what, headers, this.#credentials, signal);
        this.#good = endpoint;
        return response;
      } catch (error) {
        if (signal.aborted) throw reasonOf(signal);
        if (failure === undefined || !endpoint.isMirror) failure = error;
      }
    }
    throw failure;
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

async function failureOf(response: HttpResponse): Promise<DaemonError> {
  const { status, url, isFromElsewhere } = response;
  const kind = status >= 500 ? 'RegistryUnavailable' : (KINDS[status] ?? 'FailedPrecondition');
  const words = await registryWords(response);
  const prefix = kind === 'RegistryUnavailable' ? 'RegistryUnavailable: ' : '';
  const denied = isFromElsewhere ? ' (not authorized; credentials do not go where a redirect leads)' : ' (not authorized)';
  const meaning = kind === 'PermissionDenied' ? denied : kind === 'NotFound' ? ' (not found)' : '';
  return new DaemonError(
    kind,
    `${prefix}GET ${showUrl(url)}: the registry answered ${status}${meaning}${words === '' ? '' : `: ${words}`}`,
  );
}

/** What a registry says about an error: distribution spec, error codes. */
async function registryWords(response: HttpResponse): Promise<string> {
  try {
    const text = (await readAll(response, 64 * 1024, undefined)).toString('utf8');
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    return (errors ?? [])
      .map(({ code, message }) => [code, message].filter((part) => typeof part === 'string' && part !== '').join(': '))
      .join('; ')
      .slice(0, 500);
  } catch {
    await discard(response.body);
    return '';
  }
}

function retryAfterMs(response: HttpResponse): number | undefined {
  const { 'retry-after': after } = response.headers;
  return typeof after === 'string' && /^[0-9]{1,6}$/.test(after) ? Math.min(Number(after) * 1000, MAX_RETRY_AFTER_MS) : undefined;
}

async function readAll(response: HttpResponse, limitBytes: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of piecesOf(response, signal)) {
    sizeBytes += piece.length;
    if (sizeBytes > limitBytes)
      throw new DaemonError('InvalidArgument', `GET ${showUrl(response.url)}: more than ${limitBytes} bytes, must be fewer`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function* piecesOf(response: HttpResponse, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const piece of response.body) yield piece as Uint8Array;
  } catch (error) {
    if (signal?.aborted === true) throw reasonOf(signal);
    throw unavailable(`GET ${showUrl(response.url)}`, error);
  } finally {
    response.body.destroy();
  }
}

/** The first byte of a Content-Range: RFC 9110, 14.4. */
function rangeStart(response: HttpResponse, asked: number): number {
  const range = response.headers['content-range'];
  const start = typeof range === 'string' ? /^bytes ([0-9]+)-/.exec(range)?.[1] : undefined;
  return start === undefined ? asked : Number(start);
}
