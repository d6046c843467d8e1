import { rm, stat, writeFile } from 'node:fs/promises';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError, messageOf, unlessMissing } from '../base/errors.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { UndoStack } from '../base/undo.ts';
import type { FetchObserver } from '../registry/fetch-observer.ts';
import type { BlobStore } from '../storage/blobs.ts';
import { chainIds } from '../storage/chain-id.ts';
import type { LayerRecord } from '../storage/layer-record.ts';
import type { DiskWatch } from '../storage/layer-disk.ts';
import type { LayerStore, StagedLayer } from '../storage/layers.ts';
import type { UnpackResult } from '../storage/unpack.ts';
import { download } from './download.ts';
import type { Release } from '../base/slots.ts';
import { fetchChunks, listChunks } from './fetch-chunks.ts';
import { fetchSeveral } from './fetch-several.ts';
import type { FetchOptions } from './fetch-several.ts';
import { makeManifest } from './make-manifest.ts';
import { checkLayerTypes } from './media-types.ts';
import { digestOf, MEDIA, readConfig } from './oci-types.ts';
import type { Manifest, OciImageConfig } from './oci-types.ts';
import { LayerProgress, seenBy } from './progress.ts';
import type { PullProgress } from './progress.ts';
import type { OpenContent, Pause } from './receive.ts';
import type { ImageLayer, ImageRecord, ImageStore } from './store.ts';

/** Overlayfs stacks 500 directories (OVL_MAX_STACK); below an image volume is an empty one. */
const MAX_LAYERS = 499;

/** What images are made with and of. */
export interface ImageParts {
  readonly images: ImageStore;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly log: Log;
  /** Whether, where blobs are discarded, layers are put together of chunks. Asked for each layer. Default: they are not. */
  readonly reusesChunks?: () => boolean;
  /** Additional layer stores to ask before a layer is fetched. Asked at every pull. Default none. */
  readonly layerStores?: () => readonly string[];
}

/** A layer to come. */
export interface LayerSource {
  readonly mediaType: string;
  /** Undefined where the archive does not say; then the diff id alone is checked. */
  readonly digest?: Digest | undefined;
  readonly sizeBytes?: number | undefined;
  /** Of its descriptor. */
  readonly annotations?: JsonObject | undefined;
  readonly open: OpenLayer;
}

/** Opens a layer; who comes with it sees how it comes. */
type OpenLayer = (...asked: [...Parameters<OpenContent>, observer?: FetchObserver]) => ReturnType<OpenContent>;

/** A source whose bytes and failures are seen. */
export function observed<Source extends LayerSource>(source: Source, observer: FetchObserver): Source & { readonly open: OpenContent } {
  return { ...source, open: async (offsetBytes, signal, endBytes) => await source.open(offsetBytes, signal, endBytes, observer) };
}

/** The manifest of an image to come, as it came and as it was read. */
export interface NewManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly document: Manifest;
}

/** An image to come: its documents are here, its layers are not. */
export interface NewImage {
  readonly what: string;
  readonly config: Buffer;
  /** Undefined where there is none (docker-archive): one is made. */
  readonly manifest?: NewManifest | undefined;
  readonly layers: readonly LayerSource[];
  readonly names: readonly string[];
  /** `repository@digest` of the indexes that led to it. Those of the manifest itself come from `repositories`. */
  readonly digests?: readonly string[] | undefined;
  /** Repositories in whose name the manifest's digest is known. */
  readonly repositories: readonly string[];
  /** Where layers of it lie in additional layer stores: what the image and its layers are known by, see lazy-image.ts. */
  readonly lazy?: { readonly id: ImageId; readonly diffIds: readonly Digest[] } | undefined;
}

export interface AssembleOptions extends FetchOptions {
  /** How often a broken stream of a layer is taken up again. */
  readonly retries: number;
  readonly pause?: Pause;
  /** Of stage marks: `image-load` or `pull`. */
  readonly stages: string;
  readonly progress?: PullProgress | undefined;
}

interface Part {
  readonly source: LayerSource & { readonly open: OpenContent };
  readonly diffId: Digest;
  readonly chain: Digest;
  readonly progress: LayerProgress;
  /** What is being made of it; undefined where the layer is here already. */
  made?: { readonly staged: StagedLayer; readonly path: string; readonly unpacked: UnpackResult };
  record?: LayerRecord;
}

/**
 * Makes an image: fetches the layers that are not here, several at once and unpacking each while it comes in, checks every
 * digest, and then in this order: all to disk (one syncfs), blobs and layers to their names, the image's record. Before the
 * record nothing is an image, and a start removes it. On failure or abort nothing is left.
 */
export async function assembleImage(parts: ImageParts, image: NewImage, options: AssembleOptions): Promise<ImageRecord> {
  const config = readConfig(image.config, `${image.what}: config`);
  const diffIds = image.lazy?.diffIds ?? config.rootfs.diff_ids;
  if (diffIds.length !== image.layers.length) {
    throw new DaemonError(
      'InvalidArgument',
      `${image.what}: the manifest has ${image.layers.length} layers and the config ${diffIds.length}, must be as many`,
    );
  }
  if (diffIds.length > MAX_LAYERS)
    throw new DaemonError('InvalidArgument', `${image.what}: it has ${diffIds.length} layers, must have at most ${MAX_LAYERS}`);
  if (diffIds.length === 0) throw new DaemonError('InvalidArgument', `${image.what}: it has no layers, must have one at least`);
  checkLayerTypes(image.layers, image.what);
  const chains = chainIds(diffIds);
  const work: Part[] = image.layers.map((source, index) => {
    const progress = new LayerProgress(source, options.progress);
    return { source: observed(source, progress.arrivals), diffId: diffIds[index] as Digest, chain: chains[index] as Digest, progress };
  });
  if (options.progress !== undefined) Object.assign(options.progress, { step: 'fetching', layers: work.map(({ progress }) => progress) });
  const digests = [digestOf(image.config), ...(image.manifest === undefined ? [] : [digestOf(image.manifest.bytes)])];
  const release = parts.images.retain([...chains, ...digests, ...work.flatMap(({ source }) => source.digest ?? [])]);
  const undo = new UndoStack();
  try {
    // Looked at in the same turn in which they are retained: a removal that begins later leaves these layers.
    const known = parts.images.own(image.lazy?.id ?? (digestOf(image.config) as string as ImageId));
    if (known !== undefined) return await addNames(parts, known, image, work);
    return await parts.layers.disk.watched(async (disk) => {
      await fetchLayers(parts, image, work, options, undo);
      await describeLayers(parts, work);
      return await recordImage(parts, image, config, work, { ...options, disk }, undo);
    });
  } catch (error) {
    release();
    for (const failure of await step('undo', async () => undo.run()))
      parts.log.warn(`${image.what}: ${failure.what} failed`, { error: messageOf(failure.error) });
    throw error;
  } finally {
    release();
  }
}

async function addNames(parts: ImageParts, known: ImageRecord, image: NewImage, work: readonly Part[]): Promise<ImageRecord> {
  for (const { progress } of work) progress.become('present');
  const digest = image.manifest === undefined ? known.manifestDigest : digestOf(image.manifest.bytes);
  return await parts.images.put({ ...known, names: image.names, digests: digestNames(image, digest) });
}

export function digestNames(image: NewImage, manifestDigest: Digest): string[] {
  return [...new Set([...image.repositories.map((repository) => `${repository}@${manifestDigest}`), ...(image.digests ?? [])])];
}

/** Fetches what is missing. */
async function fetchLayers(
  parts: ImageParts,
  image: NewImage,
  work: readonly Part[],
  options: AssembleOptions,
  undo: UndoStack,
): Promise<void> {
  const missing = work.filter((part) => {
    if (!parts.layers.has(part.chain)) return true;
    part.progress.become('present');
    return false;
  });
  await fetchSeveral(missing, options, async (part, signal, slot) => {
    await fetchLayer(parts, image, part, { ...options, signal }, undo, slot);
  });
}

async function fetchLayer(
  parts: ImageParts,
  image: NewImage,
  part: Part,
  options: AssembleOptions,
  undo: UndoStack,
  slot: Release | undefined,
): Promise<void> {
  const { source, progress, diffId } = part;
  const path = parts.blobs.newIngestPath();
  const what = `${image.what}: layer ${source.digest ?? diffId}`;
  const ofChunks = await fetchChunks(parts, { what, source, diffId, progress }, options, slot, undo);
  if (ofChunks !== undefined) {
    part.made = { ...ofChunks, path };
    return;
  }
  undo.add('remove half-received blob', async () => {
    await rm(path, { force: true });
  });
  progress.become('fetching');
  await writeFile(path, '', { flag: 'wx', mode: 0o600 });
  stage(`${options.stages}.layer-created`);
  const staged = parts.layers.newStaged();
  undo.add('remove half-made layer', async () => {
    await parts.layers.discard(staged);
  });
  await parts.layers.stage(staged);
  part.made = { staged, path, unpacked: await receiveLayer(parts, part, options, { what, path, staged, slot }) };
  progress.become('unpacked');
  await listChunks(parts, { what, source }, staged, path, options.signal);
  // Before the flush, which would write it out for nothing.
  if (parts.images.discardsBlobs) await rm(path, { force: true });
  stage(`${options.stages}.layer-unpacked`);
}

interface Receiving {
  readonly what: string;
  readonly path: string;
  readonly staged: StagedLayer;
  readonly slot: Release | undefined;
}

/** Receives a layer and unpacks it while it comes. */
async function receiveLayer(parts: ImageParts, part: Part, options: AssembleOptions, receiving: Receiving): Promise<UnpackResult> {
  const { what, path, staged, slot } = receiving;
  const { source, progress, diffId } = part;
  const title = titleOf(part);
  const stop = new AbortController();
  const unpacking = parts.layers.unpack(
    staged,
    path,
    { blobDigest: source.digest, diffId, sizeBytes: source.sizeBytes },
    AbortSignal.any([options.signal, stop.signal]),
  );
  // A fault that the unpacking finds ends the download at once.
  unpacking.result.catch((error: unknown) => {
    stop.abort(error);
  });
  const unpacked = step('unpack layer', async () => await unpacking.result, title);
  unpacked.catch(() => undefined);
  let writtenBytes = 0;
  const receive = {
    what,
    sizeBytes: source.sizeBytes,
    signal: AbortSignal.any([options.signal, stop.signal]),
    retries: options.retries,
    pause: options.pause,
    ...seenBy(progress),
    written: (sizeBytes: number): void => {
      // A blob that is not kept is written to no disk.
      if (!parts.images.discardsBlobs) parts.layers.disk.wrote(sizeBytes - writtenBytes);
      writtenBytes = sizeBytes;
      unpacking.grown(sizeBytes, false);
    },
  };
  const fetch = async (): Promise<number> => await download(path, source, options.downloads, slot, receive);
  try {
    unpacking.grown(await step('fetch layer', fetch, title), true);
    progress.become('unpacking');
    slot?.();
    stage(`${options.stages}.layer-received`);
  } catch (error) {
    // Of two failures the first counts: the other is only the answer to being stopped.
    const isFirst = !stop.signal.aborted;
    stop.abort(error);
    await Promise.allSettled([unpacking.result]);
    if (options.signal.aborted) throw reasonOf(options.signal);
    throw isFirst ? error : explain(what, stop.signal.reason);
  }
  try {
    return await unpacked;
  } catch (error) {
    throw explain(what, error);
  }
}

function explain(what: string, error: unknown): DaemonError {
  if (!(error instanceof DaemonError)) return new DaemonError('Internal', `${what}: ${messageOf(error)}`, { cause: error });
  return new DaemonError(error.kind, `${what}: ${error.message}`, { cause: error });
}

/** As its steps tell it. */
function titleOf({ source: { digest, sizeBytes }, diffId }: Part): string {
  return `${digest ?? diffId}${sizeBytes === undefined ? '' : `, ${sizeBytes} bytes`}`;
}

/** Gives each new layer its record, lowest first, as each looks at those below it. */
async function describeLayers(parts: ImageParts, work: readonly Part[]): Promise<void> {
  let lower: string[] = [];
  let parent: Digest | undefined;
  for (const part of work) {
    if (part.made === undefined) {
      lower = parts.layers.lowerDirs(part.chain);
    } else {
      part.record = await parts.layers.complete(part.made.staged, parent, part.made.unpacked, lower);
      lower = [part.made.staged.tree, ...lower];
    }
    parent = part.chain;
  }
}

async function recordImage(
  parts: ImageParts,
  image: NewImage,
  config: OciImageConfig,
  work: readonly Part[],
  options: AssembleOptions & { readonly disk: DiskWatch },
  undo: UndoStack,
): Promise<ImageRecord> {
  const { blobs, layers, images } = parts;
  const imageLayers = work.map((part) => describe(parts, part));
  const manifest = image.manifest ?? makeManifest(image.config, imageLayers);
  const documents = await Promise.all(
    [image.config, manifest.bytes].map(async (bytes) => {
      const path = blobs.newIngestPath();
      undo.add('remove half-received document', async () => {
        await rm(path, { force: true });
      });
      await writeFile(path, bytes, { flag: 'wx', mode: 0o600 });
      return { path, blob: { digest: digestOf(bytes), sizeBytes: bytes.length } };
    }),
  );
  if (options.progress !== undefined) options.progress.step = 'syncing';
  await step('flush image', async () => options.disk.sync());
  if (options.signal.aborted) throw reasonOf(options.signal);
  if (options.progress !== undefined) options.progress.step = 'recording';
  stage(`${options.stages}.synced`);
  undo.add('remove unused layers and blobs', async () => {
    await images.collect();
  });
  for (const { path, blob } of documents) await blobs.adopt(path, blob);
  for (const { made } of work) {
    // The key may have changed since it came.
    if (made !== undefined && (await isFile(made.path)))
      await blobs.adopt(made.path, { digest: made.unpacked.blobDigest, sizeBytes: made.unpacked.blobBytes });
  }
  await blobs.sync();
  stage(`${options.stages}.blobs-adopted`);
  for (const { made, record: layer } of work) {
    if (made !== undefined && layer !== undefined) await layers.adopt(made.staged, layer);
    stage(`${options.stages}.layer-adopted`);
  }
  const configDigest = digestOf(image.config);
  const manifestDigest = digestOf(manifest.bytes);
  return await images.put({
    version: 1,
    id: image.lazy?.id ?? (configDigest as string as ImageId),
    names: image.names,
    digests: digestNames(image, manifestDigest),
    sizeBytes: sizeOf(parts, imageLayers) + image.config.length + manifest.bytes.length,
    chain: (work.at(-1) as Part).chain,
    layers: imageLayers,
    config,
    configDigest,
    manifestDigest,
    manifestMediaType: manifest.mediaType,
    pinned: false,
    updatedAtMs: Date.now(),
  });
}

async function isFile(path: string): Promise<boolean> {
  return (await unlessMissing(stat(path), undefined)) !== undefined;
}

const MEDIA_OF_COMPRESSION = { none: MEDIA.ociLayer, gzip: MEDIA.ociLayerGzip, zstd: MEDIA.ociLayerZstd } as const;

function describe(parts: ImageParts, { source, made, diffId, chain }: Part): ImageLayer {
  if (made !== undefined) {
    const { blobDigest, blobBytes, compression } = made.unpacked;
    return { digest: blobDigest, sizeBytes: blobBytes, mediaType: source.mediaType || MEDIA_OF_COMPRESSION[compression], diffId, chain };
  }
  if (source.digest !== undefined)
    return { digest: source.digest, sizeBytes: source.sizeBytes ?? 0, mediaType: source.mediaType, diffId, chain };
  // A layer of a docker-archive that is here already belongs to another image, which knows its blob.
  const known = parts.images
    .list()
    .flatMap(({ layers }) => layers)
    .find((layer) => layer.chain === chain);
  return known ?? { digest: diffId, sizeBytes: parts.blobs.sizeOf(diffId), mediaType: MEDIA.ociLayer, diffId, chain };
}

/** What the image takes by itself: unpacked layers and the blobs that are kept. */
function sizeOf(parts: ImageParts, layers: readonly ImageLayer[]): number {
  return layers.reduce((sum, { chain, digest }) => sum + (parts.layers.get(chain)?.sizeBytes ?? 0) + parts.blobs.sizeOf(digest), 0);
}
