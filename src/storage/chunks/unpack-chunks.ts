import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { DaemonError } from '../../base/errors.ts';
import type { Digest } from '../../base/ids.ts';
import { openDirectory } from '../../linux/at-calls.ts';
import { close } from '../../linux/libc.ts';
import { explainDecompression } from '../decompress.ts';
import type { FollowedFile } from '../followed-file.ts';
import { LayerWriter } from '../layer-writer.ts';
import { TarReader } from '../tar-reader.ts';
import { checkDigest, decompress } from '../unpack.ts';
import type { UnpackResult } from '../unpack.ts';
import { partOf } from './index-file.ts';
import type { IndexFile } from './index-file.ts';
import { LayerContent } from './layer-content.ts';
import { RecipeReader } from './recipe.ts';
import type { Piece } from './recipe.ts';
import { tarSplitEntries } from './tar-split.ts';
import { badToc } from './toc-reader.ts';

export interface UnpackChunksRequest {
  /** What was fetched of the blob, as it grows. */
  readonly source: string;
  readonly directory: string;
  readonly index: IndexFile;
  readonly recipe: string;
  readonly layers: readonly string[];
  readonly diffId: Digest;
  /** Of the blob, which is not here. */
  readonly blobDigest: Digest;
  readonly blobBytes: number;
}

/** Frames up to this are decompressed at once, larger ones as a stream: bytes, stored and decompressed. */
const MAX_AT_ONCE_BYTES = 1024 * 1024;
/** What is between two files, in one frame: headers. */
const MAX_BETWEEN_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
const BYTES_BETWEEN_TURNS = 4 * 1024 * 1024;
const MAX_OPEN_LAYERS = 16;
const ZEROS = Buffer.alloc(PIECE_BYTES);

/**
 * Puts the tar of a layer together as it was planned, while what is missing of it comes, and unpacks it. Each chunk that was fetched is
 * compared with its digest, and the tar as a whole with its own: what the table of contents says need not be trusted.
 * @throws FailedPrecondition where a digest is not the expected one, InvalidArgument for what fits not together; the directory is then
 * half full and of no use.
 */
export async function unpackChunks(source: FollowedFile, request: UnpackChunksRequest, signal: AbortSignal): Promise<UnpackResult> {
  const root = openDirectory(request.directory);
  try {
    return await unpackInto(root, source, request, signal);
  } finally {
    close(root);
  }
}

async function unpackInto(root: number, source: FollowedFile, request: UnpackChunksRequest, signal: AbortSignal): Promise<UnpackResult> {
  const { blobDigest, blobBytes } = request;
  const writer = new LayerWriter(root);
  const reader = new TarReader(writer);
  const hash = createHash('sha256');
  const assembly = new Assembly(source, request, signal, (bytes) => {
    hash.update(bytes);
    reader.push(bytes);
  });
  try {
    await assembly.run();
    const diffId = `sha256:${hash.digest('hex')}` as Digest;
    checkDigest('the unpacked data', diffId, request.diffId);
    reader.end();
    const written = writer.finish();
    return { ...written, blobDigest, blobBytes, diffId, compression: 'zstd' };
  } finally {
    assembly.close();
    writer.close();
  }
}

class Assembly {
  readonly #source: FollowedFile;
  readonly #request: UnpackChunksRequest;
  readonly #signal: AbortSignal;
  readonly #passOn: (bytes: Buffer) => void;
  readonly #recipe: RecipeReader;
  readonly #layers = new Map<number, LayerContent>();
  readonly #buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #bytes = 0;

  constructor(source: FollowedFile, request: UnpackChunksRequest, signal: AbortSignal, passOn: (bytes: Buffer) => void) {
    this.#source = source;
    this.#request = request;
    this.#signal = signal;
    this.#passOn = passOn;
    this.#recipe = new RecipeReader(request.recipe);
  }

  close(): void {
    this.#recipe.close();
    this.#leaveLayers();
  }

  async run(): Promise<void> {
    const { path, tarSplit } = this.#request.index;
    if (tarSplit !== undefined) {
      for await (const entry of tarSplitEntries(partOf(path, tarSplit, this.#signal))) {
        if (entry.is === 'segment') this.#take(entry.bytes);
        else await this.#file(entry.sizeBytes);
        await this.#pause();
      }
      if (this.#recipe.next() !== undefined) throw badToc('it has files that its tar-split has not');
      return;
    }
    for (let piece = this.#recipe.next(); piece !== undefined; piece = this.#recipe.next()) {
      await this.#piece(piece);
      await this.#pause();
    }
  }

  #take(bytes: Buffer): void {
    this.#bytes += bytes.length;
    this.#passOn(bytes);
  }

  /** Lets other jobs of the thread in, and the end of this one. */
  async #pause(): Promise<void> {
    if (this.#bytes < BYTES_BETWEEN_TURNS) return;
    this.#bytes = 0;
    await nextTurn();
    this.#signal.throwIfAborted();
  }

  async #file(sizeBytes: number): Promise<void> {
    for (let left = sizeBytes; left > 0;) {
      const piece = this.#recipe.next();
      if (piece === undefined || piece.is === 'between' || piece.sizeBytes > left) throw badToc('its files are not those of its tar-split');
      left -= piece.sizeBytes;
      await this.#piece(piece);
      await this.#pause();
    }
  }

  async #piece(piece: Piece): Promise<void> {
    switch (piece.is) {
      case 'zeros':
        for (let left = piece.sizeBytes; left > 0; left -= PIECE_BYTES) {
          this.#take(ZEROS.subarray(0, Math.min(PIECE_BYTES, left)));
          await this.#pause();
        }
        return;
      case 'local':
        await this.#local(piece);
        return;
      case 'fetched':
        await this.#fetched(piece);
        return;
      case 'between':
        await this.#between(piece);
    }
  }

  async #local({ layer, pathPosition, offset, sizeBytes }: Extract<Piece, { is: 'local' }>): Promise<void> {
    const content = this.#layerOf(layer);
    for (let done = 0; done < sizeBytes;) {
      const part = this.#buffer.subarray(0, Math.min(PIECE_BYTES, sizeBytes - done));
      if (!content.read(pathPosition, offset + done, part))
        throw new DaemonError('FailedPrecondition', 'a layer that is here has lost a chunk since it was looked at');
      this.#take(part);
      done += part.length;
      await this.#pause();
    }
  }

  async #fetched({ position, storedBytes, sizeBytes, digest }: Extract<Piece, { is: 'fetched' }>): Promise<void> {
    const expected = `sha256:${digest.toString('hex')}` as Digest;
    const hash = createHash('sha256');
    if (storedBytes <= MAX_AT_ONCE_BYTES && sizeBytes <= MAX_AT_ONCE_BYTES) {
      const bytes = decompressAtOnce(await this.#source.readAt(position, storedBytes, this.#signal), sizeBytes);
      checkDigest('a chunk', `sha256:${hash.update(bytes).digest('hex')}` as Digest, expected);
      this.#take(bytes);
      return;
    }
    let seen = 0;
    const take = (bytes: Buffer): void => {
      seen += bytes.length;
      if (seen > sizeBytes) throw badToc(`a chunk has more than the ${sizeBytes} bytes it must have`);
      hash.update(bytes);
      this.#take(bytes);
    };
    await decompress('zstd', this.#stored(position, storedBytes), take, this.#signal);
    checkDigest('a chunk', `sha256:${hash.digest('hex')}` as Digest, expected);
  }

  async #between({ position, storedBytes }: Extract<Piece, { is: 'between' }>): Promise<void> {
    if (storedBytes <= PIECE_BYTES) {
      this.#take(decompressAtOnce(await this.#source.readAt(position, storedBytes, this.#signal), MAX_BETWEEN_BYTES));
      return;
    }
    const take = (bytes: Buffer): void => {
      this.#take(bytes);
    };
    await decompress('zstd', this.#stored(position, storedBytes), take, this.#signal);
  }

  async *#stored(position: number, storedBytes: number): AsyncGenerator<Buffer, void> {
    for (let done = 0; done < storedBytes; done += PIECE_BYTES) {
      yield await this.#source.readAt(position + done, Math.min(PIECE_BYTES, storedBytes - done), this.#signal);
    }
  }

  #layerOf(layer: number): LayerContent {
    const open = this.#layers.get(layer);
    if (open !== undefined) return open;
    if (this.#layers.size >= MAX_OPEN_LAYERS) this.#leaveLayers();
    const content = new LayerContent(this.#request.layers[layer] ?? '');
    this.#layers.set(layer, content);
    return content;
  }

  #leaveLayers(): void {
    for (const content of this.#layers.values()) content.close();
    this.#layers.clear();
  }
}

/** @throws InvalidArgument for what is no frame, or gives more. */
function decompressAtOnce(stored: Buffer, maxBytes: number): Buffer {
  try {
    // eslint-disable-next-line no-restricted-syntax -- runs in the storage worker; a stream for each of thousands of chunks takes ten times as long
    return zstdDecompressSync(stored, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw badToc(`a frame has more than the ${maxBytes} bytes it must have`);
    throw explainDecompression(error);
  }
}
