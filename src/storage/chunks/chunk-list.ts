/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { toByteString } from '../../linux/at-calls.ts';
import type { ByteString } from '../../linux/at-calls.ts';
import { normalise } from '../entry-names.ts';
import type { ChunkTable, FileOfChunks } from './chunk-table.ts';

/** The chunks that a layer's files consist of, beside its tree. */
export const CHUNK_LIST = 'chunks';

/**
 * A chunk list: {@link MAGIC}, then for each file its path's length (2 bytes), the path, the number of its chunks (4), and for each
 * chunk the first {@link KEY_BYTES} of its digest and its size (4), all little endian. It is a hint where content may be, and nobody
 * trusts it: what it leads to is compared with the whole digest.
 */
const MAGIC = Buffer.from('chunks1\n');
/** Of a digest. That many are enough to look for it. */
export const KEY_BYTES = 16;
const RECORD_BYTES = KEY_BYTES + 4;
/** PATH_MAX: no longer one can be opened. */
const MAX_PATH_BYTES = 4095;
/** Files behind it are not listed: one layer must not fill the lists that a plan looks through (find-chunks.ts). */
const MAX_LIST_BYTES = 32 * 1024 * 1024;
const MAX_CHUNK_BYTES = 0xffff_ffff;
const BUFFER_BYTES = 256 * 1024;

/** Writes a list while the table of contents is read. */
export class ChunkListWriter {
  readonly #fd: number;
  #pieces: Buffer[] = [MAGIC];
  #bytes = MAGIC.length;
  #listBytes = MAGIC.length;

  constructor(path: string) {
    this.#fd = openSync(path, 'wx', 0o600);
  }

  add(table: ChunkTable, { name, first, end }: FileOfChunks): void {
    let path: Buffer;
    try {
      path = Buffer.from(normalise(toByteString(name)), 'latin1');
    } catch {
      return; // no name of a layer's file
    }
    if (path.length === 0 || path.length > MAX_PATH_BYTES) return;
    for (let chunk = first; chunk < end; chunk += 1) if (table.sizeBytes(chunk) > MAX_CHUNK_BYTES) return;
    const bytes = Buffer.alloc(2 + path.length + 4 + (end - first) * RECORD_BYTES);
    let at = bytes.writeUInt16LE(path.length, 0);
    at += path.copy(bytes, at);
    at = bytes.writeUInt32LE(end - first, at);
    for (let chunk = first; chunk < end; chunk += 1) {
      at += table.digest(chunk).copy(bytes, at, 0, KEY_BYTES);
      at = bytes.writeUInt32LE(table.sizeBytes(chunk), at);
    }
    this.#listBytes += bytes.length;
    if (this.#listBytes > MAX_LIST_BYTES) return;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= BUFFER_BYTES) this.#flush();
  }

  close(): void {
    try {
      this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pieces);
    for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    this.#pieces = [];
    this.#bytes = 0;
  }
}

/** A chunk of a list, and where it is: at an offset of the file whose path is at a position of the list. */
export interface ListedChunk {
  readonly key: string;
  readonly sizeBytes: number;
  readonly pathPosition: number;
  readonly offset: number;
}

/** Reads a list. A damaged one ends early. */
export class ChunkListReader {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #filled = 0;
  #at = 0;
  /** Of the buffer's beginning in the file. */
  #position = 0;

  /** @throws ENOENT. */
  constructor(path: string) {
    this.#fd = openSync(path, 'r');
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position + this.#at;
  }

  *chunks(): Generator<ListedChunk, void> {
    if (!this.#need(MAGIC.length) || !this.#buffer.subarray(0, MAGIC.length).equals(MAGIC)) return;
    this.#at = MAGIC.length;
    while (this.#need(2)) {
      const pathPosition = this.position;
      const pathBytes = this.#buffer.readUInt16LE(this.#at);
      if (!this.#need(2 + pathBytes + 4)) return;
      const count = this.#buffer.readUInt32LE(this.#at + 2 + pathBytes);
      this.#at += 2 + pathBytes + 4;
      let offset = 0;
      for (let chunk = 0; chunk < count; chunk += 1) {
        if (!this.#need(RECORD_BYTES)) return;
        const key = this.#buffer.toString('latin1', this.#at, this.#at + KEY_BYTES);
        const sizeBytes = this.#buffer.readUInt32LE(this.#at + KEY_BYTES);
        this.#at += RECORD_BYTES;
        yield { key, sizeBytes, pathPosition, offset };
        offset += sizeBytes;
      }
    }
  }

  /** The path at a position that {@link chunks} has named. */
  pathAt(position: number): ByteString {
    const length = Buffer.alloc(2);
    readSync(this.#fd, length, 0, 2, position);
    const path = Buffer.alloc(length.readUInt16LE(0));
    const read = readSync(this.#fd, path, 0, path.length, position + 2);
    return path.toString('latin1', 0, read);
  }

  /** Whether so many bytes are there to be read. */
  #need(bytes: number): boolean {
    if (this.#filled - this.#at >= bytes) return true;
    this.#buffer.copy(this.#buffer, 0, this.#at, this.#filled);
    this.#position += this.#at;
    this.#filled -= this.#at;
    this.#at = 0;
    while (this.#filled < bytes) {
      const read = readSync(this.#fd, this.#buffer, this.#filled, this.#buffer.length - this.#filled, this.#position + this.#filled);
      if (read === 0) return false;
      this.#filled += read;
    }
    return true;
  }
}
