import { sleep } from '../base/deadline.ts';
import { DaemonError, kindOf } from '../base/errors.ts';
import type { ImageId } from '../base/ids.ts';
import { JoinedWork } from '../base/joined-work.ts';
import { present } from '../base/field.ts';
import { stage } from '../base/stage.ts';
import { operation, operationHas, step } from '../base/steps.ts';
import { credentialsKey } from '../registry/credentials.ts';
import type { Credentials } from '../registry/credentials.ts';
import type { CredentialSource } from '../registry/credential-source.ts';
import type { FetchObserver } from '../registry/fetch-observer.ts';
import { Logins } from '../registry/logins.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import type { Repository } from '../registry/repository.ts';
import { NO_SHORT_NAMES } from '../registry/short-names.ts';
import type { ShortNames } from '../registry/short-names.ts';
import { StallWatch } from '../registry/stall-watch.ts';
import type { AssembleOptions, ImageParts, NewImage } from './assemble.ts';
import { Slots } from '../base/slots.ts';
import { fetchBlob } from './fetch-blob.ts';
import { findManifest } from './find-manifest.ts';
import type { FoundDocument } from './find-manifest.ts';
import { makeImage } from './make-image.ts';
import { makeSignedImage } from './make-signed-image.ts';
import { foreignIsMissing, isForeign } from './media-types.ts';
import { digestOf, MAX_DOCUMENT_BYTES, readConfig, readManifest } from './oci-types.ts';
import type { Descriptor, Platform } from './oci-types.ts';
import { hostPlatform } from './platform.ts';
import type { PullCounts } from './arrivals.ts';
import { PullProgress } from './progress.ts';
import type { PullAsker, PullSnapshot } from '../base/pull-snapshot.ts';
import { credentialsFor, type PullCredentials } from './pull-credentials.ts';
import { formatReference, parseReference, repositoryOf, suffixOf, withTag } from './reference.ts';
import type { ImageReference } from './reference.ts';
import { meaningsToPull } from './short-names.ts';
import { signatureSource } from './signature-source.ts';
import type { ImageLayer, ImageRecord } from './store.ts';
import type { ImageTrust, PullTrust } from '../trust/image-trust.ts';

export interface PullerOptions {
  readonly registry: RegistryClient;
  /** The node's own credentials. */
  readonly credentials?: CredentialSource;
  /** What names without a registry mean; docker.io where not given. Asked at every pull. */
  readonly shortNames?: () => ShortNames;
  readonly platform?: Platform | undefined;
  /** Downloads of one image at once: layers, and ranges of large ones. Asked again and again. */
  readonly parallelDownloads: () => number;
  /** Downloads of all images at once. Default: no limit. */
  readonly parallelDownloadsOfAll?: () => number;
  /** Of the ranges of large layers, bytes; 0: each layer is one stream. Asked at every pull. Default 0. */
  readonly rangeBytes?: () => number;
  /** How long a pull may wait for a registry that sends nothing, milliseconds. Asked at every pull. Default 300000. */
  readonly stallTimeoutMs?: () => number;
  /** Whose images may be pulled; without it anybody's. */
  readonly trust?: ImageTrust;
  /** Told what is counted of pulls. */
  readonly counts?: PullCounts;
}

/** Who asks for a pull, and why. */
export interface PullRequest {
  /** Of the pod that it is for; empty where that is not known. */
  readonly namespace?: string;
  /** Default: the CRI. */
  readonly asker?: PullAsker;
  /** Gets the pull's progress, which may have been going on for others, as soon as it is known. */
  readonly seen?: (progress: PullProgress) => void;
}

/** What a pull goes by besides its name. */
interface PullWork {
  readonly platform: Platform;
  readonly namespace: string;
  readonly trust: PullTrust | undefined;
  readonly progress: PullProgress;
}

/** How documents are read. */
interface Read {
  readonly signal: AbortSignal;
  readonly observer: FetchObserver;
}

/** Most a pull may take in all, milliseconds; one that stands still fails long before, by the client's idle timeout. */
const PULL_BUDGET_MS = 24 * 60 * 60_000;
const DEFAULT_STALL_TIMEOUT_MS = 5 * 60_000;
/** Layers that are unpacked while as many as may come are coming: neither processor nor network waits for the other. */
const LAYERS_AHEAD = 2;
/** Layers of all images that are received or unpacked at once, for each download of the node: each takes a megabyte or two of memory. */
const LAYERS_FOR_A_DOWNLOAD = 2;
/** How often a broken stream is taken up again where it broke, without progress in between. */
const STREAM_RETRIES = 4;

/** Pulls images from registries. Equal pulls (name, platform and credentials) are one piece of work, which ends when its last caller leaves. */
export class ImagePuller {
  readonly #parts: ImageParts;
  readonly #options: PullerOptions;
  readonly #work = new JoinedWork<ImageRecord>();
  readonly #progress = new Set<PullProgress>();
  /** By the key of the work, while somebody waits for it. */
  readonly #joined = new Map<string, PullProgress>();
  readonly #listeners = new Set<(pull: PullSnapshot) => void>();
  #count = 0;
  readonly #downloads: Slots;
  readonly #layers: Slots;

  constructor(parts: ImageParts, options: PullerOptions) {
    this.#parts = parts;
    this.#options = options;
    const ofAll = options.parallelDownloadsOfAll ?? (() => Infinity);
    this.#downloads = new Slots(ofAll);
    this.#layers = new Slots(() => LAYERS_FOR_A_DOWNLOAD * ofAll());
  }

  /** The pulls under way; the objects change as they go on. */
  get inProgress(): readonly PullProgress[] {
    return [...this.#progress];
  }

  /** Tells `listener` of each pull that has ended, what it was, until the function returned is called. */
  onEnded(listener: (pull: PullSnapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Pulls the image `name`, by tag or digest. It is there when this returns, under that name.
   * @param call ends the waiting, and the pull with its last waiter.
   * @throws SignatureValidationFailed where the policy refuses it, InvalidArgument for a bad name, or one that may mean several and
   * must not, NotFound, PermissionDenied, RegistryUnavailable, FailedPrecondition for a wrong
   * digest, the call's own reason.
   */
  async pull(
    name: string,
    given: PullCredentials | undefined,
    call: AbortSignal,
    { namespace = '', asker = { by: 'cri' }, seen }: PullRequest = {},
  ): Promise<ImageRecord> {
    const references = this.#candidates(name.trim());
    const platform = this.#options.platform ?? (await hostPlatform());
    const trust = await this.#options.trust?.forPull(namespace);
    const key = JSON.stringify([
      references.map(formatReference),
      platform,
      credentialsKey(given),
      given?.server ?? '',
      this.#options.credentials?.keyOf(namespace) ?? '',
      trust?.key ?? '',
    ]);
    // In the turn of the run: the work may have ended, and its callers not know it yet.
    const isJoined = this.#work.has(key);
    const progress = (isJoined ? this.#joined.get(key) : undefined) ?? new PullProgress((this.#count += 1), name, this.#options.counts);
    const leave = progress.join(asker);
    this.#joined.set(key, progress);
    seen?.(progress);
    const options = { budgetMs: PULL_BUDGET_MS, what: `pull ${name}`, endsWithLastWaiter: true };
    const subject = { image: name, ...present({ name: asker.pod }) };
    // An operation of the work, which goes on for others when this caller leaves.
    const pull = async (signal: AbortSignal): Promise<ImageRecord> =>
      operation('pull image', subject, async () =>
        this.#watched(progress, async () => this.#pullFirst(references, given, { platform, namespace, trust, progress }, signal)),
      );
    const joined = async (): Promise<ImageRecord> => this.#work.run(key, call, options, pull);
    try {
      if (!isJoined) return await joined();
      return await operation('pull image', subject, async () =>
        step('wait for turn', joined, 'the same pull, which somebody else has begun'),
      );
    } finally {
      leave();
      if (!progress.isWanted && this.#joined.get(key) === progress) this.#joined.delete(key);
    }
  }

  /** Shows a pull while it goes on, and tells how it ended. */
  async #watched(progress: PullProgress, work: () => Promise<ImageRecord>): Promise<ImageRecord> {
    this.#progress.add(progress);
    progress.begin();
    try {
      const record = await work();
      progress.end();
      operationHas({ imageId: record.id, bytes: progress.snapshot().transferredBytes });
      return record;
    } catch (error) {
      progress.end(error);
      throw error;
    } finally {
      this.#progress.delete(progress);
      const ended = progress.snapshot();
      for (const listener of this.#listeners) listener(ended);
    }
  }

  /**
   * Fetches the blob of a layer of an image that is here, by one of the image's digests.
   * @param name `repository@digest`
   * @throws as {@link pull} does
   */
  async fetchBlob(name: string, layer: ImageLayer, call: AbortSignal): Promise<void> {
    const reference = parseReference(name);
    const watch = new StallWatch(this.#options.stallTimeoutMs?.() ?? DEFAULT_STALL_TIMEOUT_MS);
    const signal = AbortSignal.any([call, watch.signal]);
    try {
      const repository = await this.#repository(reference, undefined, { namespace: '', watch, signal });
      await fetchBlob(this.#parts, layer, { repository, watch, signal, retries: STREAM_RETRIES });
    } catch (error) {
      throw explain(reference, error);
    }
  }

  /** Resolves when no pull is under way. */
  async settled(): Promise<void> {
    await this.#work.settled();
  }

  #candidates(name: string): ImageReference[] {
    const { names } = meaningsToPull(name, this.#options.shortNames?.() ?? NO_SHORT_NAMES);
    return names.map((text) => withTag(parseReference(text)));
  }

  async #pullFirst(
    references: readonly ImageReference[],
    given: PullCredentials | undefined,
    work: PullWork,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    for (const [index, reference] of references.entries()) {
      try {
        return await this.#pullOne(reference, credentialsFor(given, reference.domain), work, signal);
      } catch (error) {
        const isLast = index === references.length - 1;
        if (isLast || signal.aborted || (kindOf(error) !== 'NotFound' && kindOf(error) !== 'PermissionDenied'))
          throw explain(reference, error);
      }
    }
    throw new DaemonError('Internal', 'pull image: no name to pull');
  }

  async #pullOne(
    reference: ImageReference,
    credentials: Credentials | undefined,
    { platform, namespace, trust, progress }: PullWork,
    call: AbortSignal,
  ): Promise<ImageRecord> {
    const watch = new StallWatch(this.#options.stallTimeoutMs?.() ?? DEFAULT_STALL_TIMEOUT_MS);
    const signal = AbortSignal.any([call, watch.signal]);
    const { domain, path, tag, digest } = reference;
    const wanted = digest ?? tag ?? 'latest';
    const repository = await this.#repository(reference, credentials, { namespace, watch, signal });
    const read = { signal, observer: progress.documents };
    const resolve = async () => {
      const top = await readDocument(repository, wanted, '', read);
      const found = await findManifest(top, platform, {
        document: async (descriptor) => await readDocument(repository, descriptor.digest, descriptor.mediaType, read),
        config: async ({ config }) => readConfig(await this.#config(repository, config, read), `config ${config.digest}`),
      });
      return { top, found };
    };
    const { top, found } = await step('resolve image', resolve, formatReference(reference));
    const { document: manifest, bytes, indexes } = found;
    stage('pull.resolved');
    const source = signatureSource(this.#options.registry, repository, watch, signal);
    const subject = { name: digest === undefined ? reference : { domain, path, digest }, manifestDigest: found.digest };
    const descriptor = { mediaType: top.document.mediaType, digest: top.digest, size: top.bytes.length };
    const check = async () => {
      await this.#options.trust?.runVerifiers({ name: formatReference(reference), descriptor }, signal);
      return await trust?.check(subject, source, signal);
    };
    const signatures = this.#options.trust === undefined ? undefined : await step('check trust', check);
    // Only of what may be used: it may be large.
    const readImageConfig = async () => await this.#config(repository, manifest.config, read);
    const image: NewImage = {
      what: `${domain}/${path}`,
      config: await step('resolve image', readImageConfig, `config ${manifest.config.digest}`),
      manifest: { bytes, mediaType: manifest.mediaType, document: manifest },
      layers: manifest.layers.map((layer) => ({
        mediaType: layer.mediaType,
        digest: layer.digest,
        sizeBytes: layer.size,
        annotations: layer.annotations,
        open: async (...asked) => await openLayer(repository, layer, ...asked),
      })),
      names: digest === undefined && tag !== undefined ? [formatReference({ domain, path, tag })] : [],
      digests: indexes.map((index) => `${repositoryOf(reference)}@${index}`),
      repositories: [repositoryOf(reference)],
    };
    stage('pull.config-received');
    const options: AssembleOptions = {
      signal,
      parallelLayers: this.#options.parallelDownloads() + LAYERS_AHEAD,
      downloads: {
        slots: new Slots(this.#options.parallelDownloads, this.#downloads),
        layers: this.#layers,
        rangeBytes: this.#options.rangeBytes?.() ?? 0,
      },
      retries: STREAM_RETRIES,
      pause: async (ms, until) => watch.during(async () => sleep(ms, until)),
      stages: 'pull',
      progress,
    };
    const make = async (): Promise<ImageRecord> => await makeImage(this.#parts, image, options);
    return await makeSignedImage(this.#parts.images, found.digest, signatures, make);
  }

  async #repository(
    reference: ImageReference,
    credentials: Credentials | undefined,
    { namespace, watch, signal }: { readonly namespace: string; readonly watch: StallWatch; readonly signal: AbortSignal },
  ): Promise<Repository> {
    const { domain, path } = reference;
    const own = await this.#options.credentials?.forPull(repositoryOf(reference), namespace, signal);
    return this.#options.registry.repository({ domain, path, suffix: suffixOf(reference) }, new Logins(credentials, own), watch);
  }

  /** An image's config; from our own disk where the image is here already. */
  async #config(repository: Repository, descriptor: Descriptor, { signal, observer }: Read): Promise<Buffer> {
    const { blobs, images } = this.#parts;
    const { digest, size } = descriptor;
    if (images.get(digest as string as ImageId) !== undefined && blobs.has(digest)) return await blobs.read(digest);
    if (size > MAX_DOCUMENT_BYTES)
      throw new DaemonError('InvalidArgument', `config ${digest} has ${size} bytes, must have at most ${MAX_DOCUMENT_BYTES}`);
    const pieces: Uint8Array[] = [];
    let received = 0;
    for await (const piece of (await repository.blob(digest, 0, signal, undefined, observer)).content) {
      received += piece.length;
      if (received > size) throw new DaemonError('FailedPrecondition', `config ${digest} has more than the ${size} bytes it must have`);
      pieces.push(piece);
    }
    const bytes = Buffer.concat(pieces);
    if (digestOf(bytes) !== digest)
      throw new DaemonError('FailedPrecondition', `the digest of the config is ${digestOf(bytes)}, must be ${digest}`);
    return bytes;
  }
}

async function openLayer(
  repository: Repository,
  layer: Descriptor,
  offsetBytes: number,
  signal: AbortSignal,
  endBytes?: number,
  observer?: FetchObserver,
): ReturnType<Repository['blob']> {
  try {
    return await repository.blob(layer.digest, offsetBytes, signal, endBytes, observer);
  } catch (error) {
    if (kindOf(error) === 'NotFound' && isForeign(layer)) throw foreignIsMissing(layer, error);
    throw error;
  }
}

/** A manifest or an index of a repository. @param mediaType what the index said that names it. */
async function readDocument(
  repository: Repository,
  tagOrDigest: string,
  mediaType: string,
  { signal, observer }: Read,
): Promise<FoundDocument> {
  const answer = await repository.manifest(tagOrDigest, signal, observer);
  const document = readManifest(answer.bytes, mediaType || answer.mediaType, `manifest ${answer.digest}`);
  return { document, bytes: answer.bytes, digest: answer.digest };
}

/** The failure with the image's name; the kubelet's words stay in front. */
function explain(reference: ImageReference, error: unknown): unknown {
  if (!(error instanceof DaemonError)) return error;
  const name = formatReference(reference);
  if (error.kind === 'RegistryUnavailable') {
    const words = error.message.replace(/^.*?RegistryUnavailable: /, '');
    return new DaemonError(error.kind, `RegistryUnavailable: pull ${name}: ${words}`, { cause: error });
  }
  return new DaemonError(error.kind, `pull ${name}: ${error.message}`, { cause: error });
}
