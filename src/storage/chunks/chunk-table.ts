import { badToc } from './toc-reader.ts';
import type { TocEntry } from './toc-reader.ts';

/** Most chunks of one layer. Those of tools have 64 KiB on average, or are a small file: a layer of 10 GB has some 200,000, which take 120 MB. */
export const MAX_CHUNKS = 200_000;
/** What {@link ChunkTable} keeps of a digest, bytes: SHA-256. */
export const DIGEST_BYTES = 32;

/** What is told of a file when it is whole. */
export interface FileOfChunks {
  readonly name: string;
  /** Its chunks in the table: from the first to before the end. */
  readonly first: number;
  readonly end: number;
}

/** The chunks of a layer, in the order of its tar: compact, as there may be hundreds of thousands. */
export class ChunkTable {
  #count = 0;
  #digests = Buffer.alloc(1024 * DIGEST_BYTES);
  #numbers = new Float64Array(1024 * 3);
  #zeros = new Uint8Array(1024);
  /** What is left of the file being read. */
  #file: { readonly name: string; readonly first: number; readonly sizeBytes: number; readonly endOffset: number; at: number } | undefined;
  readonly #fileEnded: (file: FileOfChunks) => void;

  constructor(fileEnded: (file: FileOfChunks) => void) {
    this.#fileEnded = fileEnded;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes the next entry of the table of contents. @throws InvalidArgument where chunks do not make up their file, or do not follow each other. */
  take(entry: TocEntry): void {
    if (entry.type === 'chunk') {
      this.#takeChunk(entry);
      return;
    }
    this.finish();
    if (entry.type !== 'reg' || entry.sizeBytes === 0) return;
    const { name, sizeBytes, endOffset } = entry;
    this.#file = { name, first: this.#count, sizeBytes, endOffset, at: 0 };
    const isWhole = entry.chunkBytes === 0;
    this.#add(isWhole ? sizeBytes : entry.chunkBytes, entry.offset, isWhole ? entry.digest : entry.chunkDigest, entry.isZeros);
  }

  /** Ends the last file. @throws InvalidArgument. */
  finish(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    if (file.at !== file.sizeBytes)
      throw badToc(`the chunks of ${JSON.stringify(file.name)} have ${file.at} bytes, must have ${file.sizeBytes}`);
    this.#setEnd(file.endOffset);
    this.#fileEnded({ name: file.name, first: file.first, end: this.#count });
  }

  sizeBytes(chunk: number): number {
    return this.#numbers[chunk * 3] as number;
  }

  /** Where its frame begins in the blob. */
  start(chunk: number): number {
    return this.#numbers[chunk * 3 + 1] as number;
  }

  /** Where its frame ends. */
  end(chunk: number): number {
    return this.#numbers[chunk * 3 + 2] as number;
  }

  isZeros(chunk: number): boolean {
    return this.#zeros[chunk] === 1;
  }

  digest(chunk: number): Buffer {
    return this.#digests.subarray(chunk * DIGEST_BYTES, (chunk + 1) * DIGEST_BYTES);
  }

  #takeChunk({ name, chunkOffset, chunkBytes, offset, chunkDigest, isZeros }: TocEntry): void {
    const file = this.#file;
    if (file === undefined || chunkOffset !== file.at) throw badToc(`a chunk of ${JSON.stringify(name)} does not follow the one before`);
    this.#setEnd(offset);
    this.#add(chunkBytes, offset, chunkDigest, isZeros);
  }

  /** The frame of the last chunk ends where the next begins. */
  #setEnd(offset: number): void {
    if (offset <= this.start(this.#count - 1)) throw badToc('chunks overlap');
    this.#numbers[this.#count * 3 - 1] = offset;
  }

  #add(sizeBytes: number, start: number, digest: string, isZeros: boolean): void {
    if (this.#file === undefined) return;
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined) throw badToc(`a chunk of ${JSON.stringify(this.#file.name)} has no digest`);
    if (sizeBytes === 0) throw badToc(`a chunk of ${JSON.stringify(this.#file.name)} is empty`);
    if (this.#count > 0 && start < this.end(this.#count - 1)) throw badToc('chunks overlap');
    if (this.#count === MAX_CHUNKS) throw badToc(`it has more than ${MAX_CHUNKS} chunks`);
    if (this.#count === this.#zeros.length) this.#grow();
    this.#digests.write(hex, this.#count * DIGEST_BYTES, 'hex');
    this.#numbers[this.#count * 3] = sizeBytes;
    this.#numbers[this.#count * 3 + 1] = start;
    this.#zeros[this.#count] = isZeros ? 1 : 0;
    this.#count += 1;
    this.#file.at += sizeBytes;
  }

  #grow(): void {
    this.#digests = Buffer.concat([this.#digests], this.#digests.length * 2);
    const numbers = new Float64Array(this.#numbers.length * 2);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    const zeros = new Uint8Array(this.#zeros.length * 2);
    zeros.set(this.#zeros);
    this.#zeros = zeros;
  }
}
