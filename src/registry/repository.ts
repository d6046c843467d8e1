import { createHash } from 'node:crypto';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';
import type { Endpoint } from './endpoint.ts';
import type { FetchObserver } from './fetch-observer.ts';
import type { Login, Logins } from './logins.ts';
import { piecesOf, readAll } from './response-body.ts';
import type { StallWatch } from './stall-watch.ts';
import type { HttpResponse } from './transport.ts';

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
  /** Whether it is a part, as was asked; else the whole. */
  readonly isRange: boolean;
  /** The pieces are the reader's alone. */
  readonly isHandedOver: true;
}

/** One thing to get of one endpoint: `ROOT/PATH/what`. */
export interface Fetch {
  readonly endpoint: Endpoint;
  readonly what: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly login: Login;
  readonly signal: AbortSignal;
  /** Most that the headers of each answer may take, milliseconds. */
  readonly answerTimeoutMs: number;
  readonly observer?: FetchObserver | undefined;
}

export interface RepositoryParts {
  readonly get: (fetch: Fetch) => Promise<HttpResponse>;
  readonly endpoints: readonly Endpoint[];
  readonly logins: Logins;
  readonly watch: StallWatch;
}

/** Most bytes of a manifest; the OCI distribution spec asks registries to take 4 MiB, and containers/image takes no more. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Most values in one. An index with a thousand images has some 15,000; one full of `{}` would take forty times its own size in memory. */
const MAX_MANIFEST_VALUES = 200_000;

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** An endpoint whose answers broke off so often is asked after the others: it may be a mirror that has half of a layer. */
const MOST_BREAKS = 2;

/** One repository at the endpoints that have it, mirrors first. */
export class Repository {
  readonly #get: (fetch: Fetch) => Promise<HttpResponse>;
  readonly #endpoints: readonly Endpoint[];
  readonly #logins: Logins;
  readonly #name: string;
  readonly #watch: StallWatch;
  /** The endpoint that answered last is asked first. */
  #good: Endpoint | undefined;
  /** How many answers of an endpoint broke off. */
  readonly #breaks = new Map<Endpoint, number>();

  /** @param name to be shown, `docker.io/library/busybox` */
  constructor(name: string, { get, endpoints, logins, watch }: RepositoryParts) {
    this.#name = name;
    this.#get = get;
    this.#endpoints = endpoints;
    this.#logins = logins;
    this.#watch = watch;
  }

  /** Authorities of the hosts that have it, as PEM, beside those of the machine. */
  get authorities(): readonly string[] {
    return [...new Set(this.#endpoints.flatMap(({ tls }) => tls.authorities))];
  }

  /**
   * A manifest or index by tag or digest. A tag is asked only of endpoints that may resolve it.
   * @throws FailedPrecondition where its digest is not the one asked for, or no endpoint may resolve the tag.
   */
  async manifest(tagOrDigest: string, signal: AbortSignal, observer?: FetchObserver): Promise<FetchedManifest> {
    const asked = { what: `manifests/${tagOrDigest}`, headers: { accept: MANIFEST_TYPES }, signal, observer };
    const { response } = await this.#ask(asked, isDigest(tagOrDigest));
    this.#watch.answered();
    const bytes = await this.#watch.during(async () => readAll(response, MAX_MANIFEST_BYTES, signal));
    refuseManyValues(bytes, `manifest ${this.#name}`);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
    const stated = isDigest(tagOrDigest) ? tagOrDigest : response.headers['docker-content-digest'];
    if (typeof stated === 'string' && isDigest(stated) && stated !== digest) {
      throw new DaemonError('FailedPrecondition', `fetch manifest ${this.#name}: its digest is ${digest}, must be ${stated}`);
    }
    const type = response.headers['content-type'];
    return { bytes, mediaType: typeof type === 'string' ? type.split(';')[0]?.trim() : undefined, digest };
  }

  /** A blob from an offset on, up to an end where one is given, as it comes. Nobody has checked its digest. */
  async blob(digest: Digest, offsetBytes: number, signal: AbortSignal, endBytes?: number, observer?: FetchObserver): Promise<FetchedBlob> {
    const isPart = offsetBytes > 0 || endBytes !== undefined;
    const range = `bytes=${offsetBytes}-${endBytes === undefined ? '' : endBytes - 1}`;
    const headers = { accept: '*/*', ...(isPart ? { range } : {}) };
    const { response, endpoint } = await this.#ask({ what: `blobs/${digest}`, headers, signal, observer });
    if (offsetBytes === 0) this.#watch.answered();
    const isRange = response.status === 206;
    const start = isRange ? rangeStart(response, offsetBytes) : 0;
    const seen = (bytes: number): void => observer?.received(endpoint, bytes);
    const broken = (): void => {
      if (!signal.aborted) this.#breaks.set(endpoint, (this.#breaks.get(endpoint) ?? 0) + 1);
    };
    return {
      content: watched(piecesOf(response, signal), offsetBytes - start, this.#watch, { seen, broken }),
      offsetBytes: start,
      isRange,
      isHandedOver: true,
    };
  }

  /** The one that answered last comes first, those that break off come last. */
  #placeOf(endpoint: Endpoint): number {
    if ((this.#breaks.get(endpoint) ?? 0) >= MOST_BREAKS) return 2;
    return endpoint === this.#good ? 0 : 1;
  }

  /** Asks the endpoints in turn. Where all fail, the error is the registry's own, not a mirror's. */
  async #ask(
    asked: Pick<Fetch, 'what' | 'headers' | 'signal' | 'observer'>,
    isByDigest = true,
  ): Promise<{ readonly response: HttpResponse; readonly endpoint: Endpoint }> {
    const { signal, observer } = asked;
    const able = isByDigest ? this.#endpoints : this.#endpoints.filter(({ resolves }) => resolves);
    if (able.length === 0)
      throw new DaemonError('FailedPrecondition', `fetch ${this.#name}: no endpoint that is configured for it may resolve a tag`);
    const order = able.toSorted((one, other) => this.#placeOf(one) - this.#placeOf(other));
    // An endpoint that takes connections and never answers must leave time for the next.
    const answerTimeoutMs = Math.ceil(this.#watch.timeoutMs / order.length);
    let failure: unknown;
    for (const [index, endpoint] of order.entries()) {
      try {
        const fetch = { ...asked, endpoint, login: this.#logins.of(endpoint), answerTimeoutMs };
        const response = await this.#watch.during(async () => this.#get(fetch));
        // An endpoint that was left out, since it resolves no tags, is asked before this one for what has a digest.
        if (able.length === this.#endpoints.length) this.#good = endpoint;
        observer?.answered(endpoint);
        return { response, endpoint };
      } catch (error) {
        if (signal.aborted) throw reasonOf(signal);
        if (failure === undefined || !endpoint.isMirror) failure = error;
        if (index < order.length - 1) observer?.retried(error, 'endpoint');
      }
    }
    throw withFaults(failure, this.#logins.faults);
  }
}

/** The failure, and what was wrong where credentials were looked for: it may be why. */
function withFaults(failure: unknown, faults: readonly string[]): unknown {
  if (!(failure instanceof DaemonError) || faults.length === 0) return failure;
  return new DaemonError(failure.kind, [failure.message, ...faults].join('; '), { cause: failure });
}

/** @param oldBytes how many of the first bytes are here already. */
async function* watched(
  pieces: AsyncGenerator<Uint8Array, void>,
  oldBytes: number,
  watch: StallWatch,
  { seen, broken }: { readonly seen: (bytes: number) => void; readonly broken: () => void },
): AsyncGenerator<Uint8Array, void> {
  let old = oldBytes;
  try {
    for (;;) {
      const next = await watch
        .during(async () => pieces.next())
        .catch((error: unknown) => {
          broken();
          throw error;
        });
      if (next.done === true) return;
      if (old > 0) watch.resent(next.value.length);
      else watch.received(next.value.length);
      old -= next.value.length;
      seen(next.value.length);
      yield next.value;
    }
  } finally {
    await pieces.return();
  }
}

/** Counts the characters that begin a JSON value, before anything is parsed. Those inside strings count too. */
function refuseManyValues(bytes: Buffer, what: string): void {
  if (bytes.length <= MAX_MANIFEST_VALUES) return;
  let values = 0;
  for (const byte of bytes) if (byte === COMMA || byte === BRACE || byte === BRACKET) values += 1;
  if (values > MAX_MANIFEST_VALUES)
    throw new DaemonError('InvalidArgument', `fetch ${what}: it has some ${values} values, must have at most ${MAX_MANIFEST_VALUES}`);
}

const [COMMA, BRACE, BRACKET] = Buffer.from(',{[');

/** The first byte of a Content-Range: RFC 9110, 14.4. */
function rangeStart(response: HttpResponse, asked: number): number {
  const range = response.headers['content-range'];
  const start = typeof range === 'string' ? /^bytes ([0-9]+)-/.exec(range)?.[1] : undefined;
  return start === undefined ? asked : Number(start);
}
