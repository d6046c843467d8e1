/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DaemonError } from '../../base/errors.ts';
import { ChunkListWriter } from './chunk-list.ts';
import type { ChunkTable } from './chunk-table.ts';
import { findChunks } from './find-chunks.ts';
import type { FoundChunks } from './find-chunks.ts';
import { readToc } from './index-file.ts';
import type { IndexFile } from './index-file.ts';
import { RecipeWriter } from './recipe.ts';
import { badToc } from './toc-reader.ts';

export interface PlanRequest {
  readonly index: IndexFile;
  /** Where the frames of the tar end in the blob. */
  readonly contentEnd: number;
  /** Directories of the layers that are here. */
  readonly layers: readonly string[];
  /** Where the plan is written. */
  readonly recipe: string;
  /** Where the list of the new layer's chunks is written. */
  readonly list: string;
}

export interface ChunkPlan {
  /** Parts of the blob to be fetched, in order: begin and end. In the file of what was fetched one follows the other. */
  readonly ranges: readonly (readonly [start: number, end: number])[];
  readonly chunks: number;
  /** Chunks that layers here have. */
  readonly local: number;
}

/** What is fetched for nothing rather than by a request more: a request costs a round trip, in which so much comes over a slow line. */
const GAP_BYTES = 64 * 1024;
/** Most requests for one layer; where that is not enough, larger gaps are fetched too. */
const MAX_RANGES = 1000;

/**
 * Plans how a zstd:chunked layer is put together: of which chunks of layers that are here, and which parts of the blob. Each chunk that
 * is said to be here has been compared with its digest.
 * @throws InvalidArgument for a table of contents that makes no sense, FailedPrecondition where its digest is wrong or its files have no room.
 */
export async function planChunks(request: PlanRequest, signal: AbortSignal): Promise<ChunkPlan> {
  const { index, layers, contentEnd } = request;
  const table = await listChunks({ index, list: request.list }, signal);
  if (table.count > 0 && table.end(table.count - 1) > contentEnd) throw badToc('a chunk is not in the content of the blob');
  checkRoom(table, request.list);
  const found = await findChunks(table, layers, signal);
  const spans = new Spans(table, found, index.tarSplit === undefined ? contentEnd : undefined);
  const ranges = mergeSpans(spans);
  writeRecipe(request.recipe, table, found, spans, ranges);
  let local = 0;
  for (let chunk = 0; chunk < table.count; chunk += 1) if (found.get(chunk) !== undefined) local += 1;
  return { ranges, chunks: table.count, local };
}

/**
 * What a plan writes costs its maker nothing: zeros, and one chunk that is here named many times, are not fetched.
 * @param path on the file system that the layer is written to.
 * @throws FailedPrecondition where the files of the table have more than is free there.
 */
function checkRoom(table: ChunkTable, path: string): void {
  let sizeBytes = 0;
  for (let chunk = 0; chunk < table.count; chunk += 1) sizeBytes += table.sizeBytes(chunk);
  const { bavail, bsize } = statfsSync(dirname(path));
  const freeBytes = bavail * bsize;
  if (sizeBytes > freeBytes)
    throw new DaemonError('FailedPrecondition', `its files have ${sizeBytes} bytes, and ${freeBytes} are free where layers are`);
}

/** Reads a table of contents, and writes the list of chunks beside a new layer, for those that come after it. */
export async function listChunks(
  { index, list }: { readonly index: IndexFile; readonly list: string },
  signal: AbortSignal,
): Promise<ChunkTable> {
  const writer = new ChunkListWriter(list);
  try {
    return await readToc(index, signal, (table, file) => {
      writer.add(table, file);
    });
  } finally {
    writer.close();
  }
}

/** What a piece of the tar is, by where it lies in the blob. `chunk` is -1 for what lies between files. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly chunk: number;
  readonly isFetched: boolean;
}

/** The pieces of the tar in its order. */
class Spans {
  readonly #table: ChunkTable;
  readonly #found: FoundChunks;
  readonly #contentEnd: number | undefined;

  /** @param contentEnd where all between files is to be fetched too: where that ends. */
  constructor(table: ChunkTable, found: FoundChunks, contentEnd: number | undefined) {
    this.#table = table;
    this.#found = found;
    this.#contentEnd = contentEnd;
  }

  *[Symbol.iterator](): Generator<Span, void> {
    const table = this.#table;
    let at = 0;
    for (let chunk = 0; chunk < table.count; chunk += 1) {
      const [start, end] = [table.start(chunk), table.end(chunk)];
      if (start > at) yield* this.#between(at, start);
      const isFetched = !table.isZeros(chunk) && this.#found.get(chunk) === undefined;
      yield { start, end, chunk, isFetched };
      at = end;
    }
    if (this.#contentEnd !== undefined && this.#contentEnd > at) yield* this.#between(at, this.#contentEnd);
  }

  *#between(start: number, end: number): Generator<Span, void> {
    if (this.#contentEnd !== undefined) yield { start, end, chunk: -1, isFetched: true };
  }
}

function mergeSpans(spans: Spans): [number, number][] {
  for (let gap = GAP_BYTES; ; gap *= 2) {
    const ranges: [number, number][] = [];
    for (const { start, end, isFetched } of spans) {
      if (!isFetched) continue;
      const last = ranges.at(-1);
      if (last !== undefined && start - last[1] <= gap) last[1] = end;
      else ranges.push([start, end]);
      if (ranges.length > MAX_RANGES) break;
    }
    if (ranges.length <= MAX_RANGES) return ranges;
  }
}

function writeRecipe(
  path: string,
  table: ChunkTable,
  found: FoundChunks,
  spans: Spans,
  ranges: readonly (readonly [start: number, end: number])[],
): void {
  const writer = new RecipeWriter(path);
  let range = 0;
  /** Where the range begins in the file of what was fetched. */
  let rangePosition = 0;
  const positionOf = (start: number): number => {
    for (let current = ranges[range]; current !== undefined && start >= current[1]; current = ranges[range]) {
      rangePosition += current[1] - current[0];
      range += 1;
    }
    return rangePosition + start - (ranges[range]?.[0] ?? 0);
  };
  try {
    for (const { start, end, chunk, isFetched } of spans) {
      const storedBytes = end - start;
      if (chunk === -1) {
        writer.add({ is: 'between', position: positionOf(start), storedBytes });
        continue;
      }
      const sizeBytes = table.sizeBytes(chunk);
      const place = found.get(chunk);
      if (isFetched) writer.add({ is: 'fetched', position: positionOf(start), storedBytes, sizeBytes, digest: table.digest(chunk) });
      else if (place === undefined) writer.add({ is: 'zeros', sizeBytes });
      else writer.add({ is: 'local', ...place, sizeBytes });
    }
  } finally {
    writer.close();
  }
}
