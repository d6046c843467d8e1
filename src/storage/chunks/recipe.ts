/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { DIGEST_BYTES } from './chunk-table.ts';

/**
 * A piece of the layer's tar, in the tar's order.
 * `between`: what is between files, from a frame of the blob; where there is a tar-split that has it. `fetched`: a chunk from a
 * frame of the blob. `local`: a chunk of a layer that is here. `zeros`: no more than that.
 */
export type Piece =
  | { readonly is: 'between'; readonly position: number; readonly storedBytes: number }
  | { readonly is: 'fetched'; readonly position: number; readonly storedBytes: number; readonly sizeBytes: number; readonly digest: Buffer }
  | { readonly is: 'local'; readonly layer: number; readonly pathPosition: number; readonly offset: number; readonly sizeBytes: number }
  | { readonly is: 'zeros'; readonly sizeBytes: number };

const KINDS = ['between', 'fetched', 'local', 'zeros'] as const;
const RECORD_BYTES = 32 + DIGEST_BYTES;
const BUFFER_BYTES = 1024 * RECORD_BYTES;

/** Writes the pieces of a layer to a file of ours: a list of hundreds of thousands need not be held while they come. */
export class RecipeWriter {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #filled = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  add(piece: Piece): void {
    const record = this.#buffer.subarray(this.#filled, this.#filled + RECORD_BYTES).fill(0);
    record.writeUInt8(KINDS.indexOf(piece.is), 0);
    if (piece.is !== 'between') record.writeDoubleLE(piece.sizeBytes, 8);
    if (piece.is === 'between' || piece.is === 'fetched') {
      record.writeDoubleLE(piece.position, 16);
      record.writeDoubleLE(piece.storedBytes, 24);
    }
    if (piece.is === 'fetched') piece.digest.copy(record, 32);
    if (piece.is === 'local') {
      record.writeUInt32LE(piece.layer, 4);
      record.writeDoubleLE(piece.pathPosition, 16);
      record.writeDoubleLE(piece.offset, 24);
    }
    this.#filled += RECORD_BYTES;
    if (this.#filled === BUFFER_BYTES) this.#flush();
  }

  close(): void {
    try {
      this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  #flush(): void {
    for (let done = 0; done < this.#filled;) done += writeSync(this.#fd, this.#buffer, done, this.#filled - done);
    this.#filled = 0;
  }
}

export class RecipeReader {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #filled = 0;
  #at = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** The next piece, valid until the next call; undefined at the end. */
  next(): Piece | undefined {
    if (this.#at === this.#filled) {
      this.#filled = readSync(this.#fd, this.#buffer, 0, BUFFER_BYTES, null);
      this.#at = 0;
      if (this.#filled === 0) return undefined;
    }
    const record = this.#buffer.subarray(this.#at, this.#at + RECORD_BYTES);
    this.#at += RECORD_BYTES;
    const is = KINDS[record.readUInt8(0)];
    const sizeBytes = record.readDoubleLE(8);
    const [first, second] = [record.readDoubleLE(16), record.readDoubleLE(24)];
    switch (is) {
      case 'between':
        return { is, position: first, storedBytes: second };
      case 'fetched':
        return { is, position: first, storedBytes: second, sizeBytes, digest: record.subarray(32) };
      case 'local':
        return { is, layer: record.readUInt32LE(4), pathPosition: first, offset: second, sizeBytes };
      case 'zeros':
        return { is, sizeBytes };
      default:
        throw new Error('the recipe of a layer is damaged');
    }
  }
}
