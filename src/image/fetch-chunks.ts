import { rm, writeFile } from 'node:fs/promises';
import { reasonOf } from '../base/deadline.ts';
import { kindOf, messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import type { Log } from '../base/log.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import type { UndoStack } from '../base/undo.ts';
import type { BlobStore } from '../storage/blobs.ts';
import type { ChunkPlan } from '../storage/chunks/plan-chunks.ts';
import type { LayerStore, StagedLayer } from '../storage/layers.ts';
import type { UnpackResult } from '../storage/unpack.ts';
import { download } from './download.ts';
import type { Release } from '../base/slots.ts';
import type { FetchOptions } from './fetch-several.ts';
import { seenBy } from './progress.ts';
import type { LayerProgress } from './progress.ts';
import { bytesOf, rangesSource } from './ranges-source.ts';
import type { Range } from './ranges-source.ts';
import type { OpenContent, Pause } from './receive.ts';
import type { ImageStore } from './store.ts';
import { chunkedLayer, indexIn } from './zstd-chunked.ts';
import type { ChunkedLayer } from './zstd-chunked.ts';

interface ChunkParts {
  readonly images: ImageStore;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly log: Log;
  readonly reusesChunks?: () => boolean;
}

interface ChunkOptions extends FetchOptions {
  readonly retries: number;
  readonly pause?: Pause;
  readonly stages: string;
}

/** A layer that may be put together of chunks. */
export interface WantedLayer {
  readonly what: string;
  readonly source: {
    readonly digest?: Digest | undefined;
    readonly sizeBytes?: number | undefined;
    readonly annotations?: JsonObject | undefined;
    readonly open: OpenContent;
  };
  readonly diffId: Digest;
  readonly progress: LayerProgress;
}

export interface MadeLayer {
  readonly staged: StagedLayer;
  readonly unpacked: UnpackResult;
}

/** A blob that is smaller is fetched as it is, bytes. */
const LEAST_BLOB_BYTES = 256 * 1024;
/** What must be saved, as a part of the blob; for less, its digest is worth more. */
const LEAST_SAVED = 0.1;
/** As so many ranges side by side, at most, comes what is fetched. */
const STREAMS = 8;
const LEAST_STREAM_BYTES = 128 * 1024;

/**
 * Makes a zstd:chunked layer of the chunks that layers here have, and of those that are fetched for it by ranges.
 * @returns undefined where that is not possible, or does not pay: then nothing is left of it, and the layer is to be fetched whole.
 * @throws the signal's reason; ResourceExhausted.
 */
export async function fetchChunks(
  parts: ChunkParts,
  layer: WantedLayer,
  options: ChunkOptions,
  slot: Release | undefined,
  undo: UndoStack,
): Promise<MadeLayer | undefined> {
  const { digest, sizeBytes = 0, annotations } = layer.source;
  const layers = mayReuse(parts) && options.downloads !== undefined ? parts.layers.chunkSources() : [];
  const chunked = chunkedLayer(annotations, sizeBytes);
  if (layers.length === 0 || chunked === undefined || digest === undefined || sizeBytes < LEAST_BLOB_BYTES) return undefined;
  const work = new ChunkWork(parts, { ...layer, digest, sizeBytes, chunked, layers }, options, slot);
  undo.add('remove half-made layer of chunks', async () => {
    await work.discard();
  });
  const fetch = async (): Promise<MadeLayer | undefined> => {
    try {
      const made = await work.run();
      if (made === undefined) layer.progress.restart(sizeBytes, false);
      if (made === undefined) await work.discard();
      else await work.removeFiles();
      return made;
    } catch (error) {
      layer.progress.restart(sizeBytes, false);
      await work.discard();
      if (options.signal.aborted) throw reasonOf(options.signal);
      if (kindOf(error) === 'ResourceExhausted') throw error;
      parts.log.warn(`${layer.what} is fetched whole: it cannot be put together of chunks`, { error: messageOf(error) });
      return undefined;
    }
  };
  return await step('fetch layer', fetch, `${digest}, ${sizeBytes} bytes, by chunks`);
}

/** A layer that was put together has no blob to keep. */
function mayReuse({ images, reusesChunks }: ChunkParts): boolean {
  return images.discardsBlobs && reusesChunks?.() === true;
}

/** Keeps the list of the chunks of a layer that came whole. A fault in it costs the list, not the layer. */
export async function listChunks(
  parts: ChunkParts,
  { what, source }: Pick<WantedLayer, 'what' | 'source'>,
  staged: StagedLayer,
  blob: string,
  signal: AbortSignal,
): Promise<void> {
  const chunked = chunkedLayer(source.annotations, source.sizeBytes ?? 0);
  if (chunked === undefined || !mayReuse(parts)) return;
  try {
    await parts.layers.listChunks(staged, indexIn(blob, chunked, 0), signal);
  } catch (error) {
    if (signal.aborted) throw reasonOf(signal);
    parts.log.warn(`${what}: the chunks that it has are not known`, { error: messageOf(error) });
  }
}

interface Job extends WantedLayer {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly chunked: ChunkedLayer;
  /** Directories of layers whose chunks are known. */
  readonly layers: readonly string[];
}

class ChunkWork {
  readonly #parts: ChunkParts;
  readonly #job: Job;
  readonly #options: ChunkOptions;
  readonly #slot: Release | undefined;
  readonly #staged: StagedLayer;
  /** Of our own, beside the blobs: a start removes them. */
  readonly #files: { readonly index: string; readonly recipe: string; readonly content: string };

  constructor(parts: ChunkParts, job: Job, options: ChunkOptions, slot: Release | undefined) {
    this.#parts = parts;
    this.#job = job;
    this.#options = options;
    this.#slot = slot;
    this.#staged = parts.layers.newStaged();
    const newPath = (): string => parts.blobs.newIngestPath();
    this.#files = { index: newPath(), recipe: newPath(), content: newPath() };
  }

  async run(): Promise<MadeLayer | undefined> {
    const { stages } = this.#options;
    const { progress } = this.#job;
    progress.become('fetching');
    const { start, end } = this.#job.chunked;
    progress.restart(end - start, true);
    await this.#parts.layers.stage(this.#staged);
    await this.#fetchIndex();
    const plan = await this.#plan();
    if (bytesOf(plan.ranges) > this.#job.sizeBytes * (1 - LEAST_SAVED)) return undefined;
    progress.restart(end - start + bytesOf(plan.ranges), true);
    progress.took(end - start);
    stage(`${stages}.chunks-planned`);
    const unpacked = await this.#fetchAndUnpack(plan);
    progress.become('unpacked');
    this.#tell(plan);
    stage(`${stages}.chunks-unpacked`);
    return { staged: this.#staged, unpacked };
  }

  async removeFiles(): Promise<void> {
    for (const path of Object.values(this.#files)) await rm(path, { force: true });
  }

  async discard(): Promise<void> {
    await this.removeFiles();
    await this.#parts.layers.discard(this.#staged);
  }

  async #fetchIndex(): Promise<void> {
    const { start, end } = this.#job.chunked;
    await writeFile(this.#files.index, '', { flag: 'wx', mode: 0o600 });
    await this.#receive(this.#files.index, [[start, end]], this.#options.signal, () => undefined);
  }

  async #plan(): Promise<ChunkPlan> {
    const { chunked, layers } = this.#job;
    const { index, recipe } = this.#files;
    const request = { index: indexIn(index, chunked, chunked.start), contentEnd: chunked.contentEnd, layers, recipe };
    return await this.#parts.layers.planChunks(this.#staged, request, this.#options.signal);
  }

  /** Fetches what is missing, and puts the layer together meanwhile. */
  async #fetchAndUnpack({ ranges }: ChunkPlan): Promise<UnpackResult> {
    const { chunked, digest, sizeBytes, diffId, layers, progress } = this.#job;
    const { index, recipe, content } = this.#files;
    await writeFile(content, '', { flag: 'wx', mode: 0o600 });
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    const unpacking = this.#parts.layers.unpackChunks(
      this.#staged,
      { source: content, index: indexIn(index, chunked, chunked.start), recipe, layers, diffId, blobDigest: digest, blobBytes: sizeBytes },
      signal,
    );
    // The first failure ends the other, and is the one that counts.
    unpacking.result.catch((error: unknown) => {
      stop.abort(error);
    });
    try {
      const received = await this.#receive(content, ranges, signal, (bytes) => {
        unpacking.grown(bytes, false);
      });
      unpacking.grown(received, true);
      progress.become('unpacking');
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled([unpacking.result]);
      throw stop.signal.reason;
    }
    return await unpacking.result;
  }

  async #receive(path: string, ranges: readonly Range[], signal: AbortSignal, written: (bytes: number) => void): Promise<number> {
    const { what, source, progress } = this.#job;
    const { downloads, retries, pause } = this.#options;
    const sizeBytes = bytesOf(ranges);
    if (sizeBytes === 0) return 0;
    // Where large layers are to come as one stream each, so do chunks.
    const inTurn = downloads === undefined || downloads.rangeBytes === 0;
    const rangeBytes = inTurn ? 0 : Math.min(downloads.rangeBytes, Math.max(LEAST_STREAM_BYTES, Math.ceil(sizeBytes / STREAMS)));
    return await download(
      path,
      { open: rangesSource(source.open, ranges, what), sizeBytes },
      downloads === undefined ? undefined : { ...downloads, rangeBytes },
      this.#slot,
      { what, sizeBytes, signal, retries, pause, written, ...seenBy(progress) },
    );
  }

  #tell({ ranges, chunks, local }: ChunkPlan): void {
    const { what, sizeBytes, diffId, chunked } = this.#job;
    const fetchedBytes = bytesOf(ranges) + chunked.end - chunked.start;
    const words = `${fetchedBytes} of ${sizeBytes} bytes were fetched, and ${local} of ${chunks} chunks were here`;
    this.#parts.log.info(`${what} was put together of chunks: ${words}`, { diffId });
  }
}
