import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno } from '../../base/errors.ts';
import { KEY_BYTES } from './chunk-list.ts';
import type { ListedChunk } from './chunk-list.ts';
import type { ChunkTable } from './chunk-table.ts';
import { LayerContent } from './layer-content.ts';

/** Most bytes of chunk lists that are looked through for one layer: some ten million chunks. */
const MAX_LISTS_BYTES = 256 * 1024 * 1024;
/** How often one chunk is looked for where lists say that it is, and it is not. */
const MOST_ATTEMPTS = 4;
/** Most bytes that are read in vain for one layer: a registry may list any digest for content of gigabytes. */
const MAX_VAIN_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
/** What is done between two turns of the thread, which has other jobs. */
const BYTES_BETWEEN_TURNS = 4 * 1024 * 1024;
const CHUNKS_BETWEEN_TURNS = 10_000;

/** Where the chunks of a new layer are in layers that are here. */
export class FoundChunks {
  readonly #same: Int32Array;
  readonly #layers: Int32Array;
  readonly #places: Float64Array;

  constructor(same: Int32Array) {
    this.#same = same;
    this.#layers = new Int32Array(same.length).fill(-1);
    this.#places = new Float64Array(same.length * 2);
  }

  set(chunk: number, layer: number, { pathPosition, offset }: ListedChunk): void {
    this.#layers[chunk] = layer;
    this.#places[chunk * 2] = pathPosition;
    this.#places[chunk * 2 + 1] = offset;
  }

  get(chunk: number): { readonly layer: number; readonly pathPosition: number; readonly offset: number } | undefined {
    const first = this.#same[chunk] as number;
    const layer = this.#layers[first] as number;
    if (layer === -1) return undefined;
    return { layer, pathPosition: this.#places[first * 2] as number, offset: this.#places[first * 2 + 1] as number };
  }
}

/**
 * Looks for chunks in layers that are here, by their lists. Each is read and compared with its digest: a file may have been changed
 * since, and a list may be wrong. Memory is bounded by the chunks of the new layer, whatever there is on the node.
 * @param directories of the layers; one that has no list, or is gone, is passed over.
 */
export async function findChunks(table: ChunkTable, directories: readonly string[], signal: AbortSignal): Promise<FoundChunks> {
  const search = new Search(table);
  let listsBytes = 0;
  for (const [layer, directory] of directories.entries()) {
    if (search.isOver || listsBytes > MAX_LISTS_BYTES) break;
    let content;
    try {
      content = new LayerContent(directory);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) continue;
      throw error;
    }
    try {
      await search.lookIn(content, layer, signal);
      listsBytes += content.list.position;
    } finally {
      content.close();
    }
  }
  return search.found;
}

class Search {
  readonly found: FoundChunks;
  readonly #table: ChunkTable;
  readonly #wanted = new Map<string, number>();
  readonly #attempts: Uint8Array;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  #bytes = 0;
  #vainBytes = 0;

  constructor(table: ChunkTable) {
    this.#table = table;
    this.#attempts = new Uint8Array(table.count);
    const same = Int32Array.from({ length: table.count }, (_, chunk) => chunk);
    for (let chunk = 0; chunk < table.count; chunk += 1) {
      if (table.isZeros(chunk)) continue;
      const key = table.digest(chunk).toString('latin1', 0, KEY_BYTES);
      const first = this.#wanted.get(key);
      if (first === undefined) this.#wanted.set(key, chunk);
      else if (table.digest(first).equals(table.digest(chunk)) && table.sizeBytes(first) === table.sizeBytes(chunk)) same[chunk] = first;
    }
    this.found = new FoundChunks(same);
  }

  get isOver(): boolean {
    return this.#wanted.size === 0 || this.#vainBytes > MAX_VAIN_BYTES;
  }

  async lookIn(content: LayerContent, layer: number, signal: AbortSignal): Promise<void> {
    let listed = 0;
    for (const each of content.list.chunks()) {
      listed += 1;
      if (listed % CHUNKS_BETWEEN_TURNS === 0) await this.#turn(signal);
      const chunk = this.#wanted.get(each.key);
      if (chunk === undefined || this.#table.sizeBytes(chunk) !== each.sizeBytes) continue;
      const attempts = (this.#attempts[chunk] as number) + 1;
      this.#attempts[chunk] = attempts;
      const isRight = (await this.#digestOf(content, each, signal))?.equals(this.#table.digest(chunk)) === true;
      if (isRight) this.found.set(chunk, layer, each);
      else this.#vainBytes += each.sizeBytes;
      if (isRight || attempts === MOST_ATTEMPTS) this.#wanted.delete(each.key);
      if (this.isOver) return;
    }
  }

  /** Lets other jobs of the thread in, and the end of this one. */
  async #turn(signal: AbortSignal): Promise<void> {
    this.#bytes = 0;
    await nextTurn();
    signal.throwIfAborted();
  }

  async #digestOf(
    content: LayerContent,
    { pathPosition, offset, sizeBytes }: ListedChunk,
    signal: AbortSignal,
  ): Promise<Buffer | undefined> {
    const hash = createHash('sha256');
    for (let done = 0; done < sizeBytes;) {
      const part = this.#buffer.subarray(0, Math.min(READ_BYTES, sizeBytes - done));
      if (!content.read(pathPosition, offset + done, part)) return undefined;
      hash.update(part);
      done += part.length;
      this.#bytes += part.length;
      if (this.#bytes > BYTES_BETWEEN_TURNS) await this.#turn(signal);
    }
    return hash.digest();
  }
}
