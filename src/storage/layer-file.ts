/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { ftruncateSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ByteString } from '../linux/at-calls.ts';
import { crcWithZeros } from './content-sum.ts';
import type { TarEntry } from './tar-header.ts';

/** A file of a layer that is being written. */
export class LayerFile {
  readonly fd: number;
  readonly entry: TarEntry;
  readonly name: ByteString;
  /** The path of its directory, without symlinks. */
  readonly directory: ByteString;
  #position = 0;
  #crc = 0;

  /** @param fd open for writing; the caller closes it. */
  constructor(fd: number, entry: TarEntry, directory: ByteString, name: ByteString) {
    this.fd = fd;
    this.entry = entry;
    this.directory = directory;
    this.name = name;
  }

  /** CRC-32 of what it has so far, holes among it. */
  get crc(): number {
    return this.#crc;
  }

  write(piece: Buffer): void {
    for (let done = 0; done < piece.length;) {
      const written = writeSync(this.fd, piece, done, piece.length - done, this.#position);
      done += written;
      this.#position += written;
    }
    this.#crc = crc32(piece, this.#crc);
  }

  hole(sizeBytes: number): void {
    this.#position += sizeBytes;
    this.#crc = crcWithZeros(this.#crc, sizeBytes);
  }

  /** Nothing follows. */
  end(): void {
    if (this.entry.isSparse) ftruncateSync(this.fd, this.#position); // it may end with a hole
  }
}
