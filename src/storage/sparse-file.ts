import type { ByteString } from '../linux/at-calls.ts';
import { paxNumber, paxText } from './pax-records.ts';
import type { PaxRecords } from './pax-records.ts';
import { badTar, readNumber } from './tar-header.ts';

/*
 * Sparse files of GNU tar: a map of pairs (offset, length) says where the data goes, the rest of the file is holes. The map is
 * in the header and blocks after it (type S), in the pax header (versions 0.0 and 0.1) or in front of the data (1.0).
 * GNU tar manual, Storing Sparse Files.
 */

/** Most bytes of a map, as of any header. */
const MAX_MAP_BYTES = 1024 * 1024;
/** Most pairs: as many as go into so many bytes of the map of type S. */
const MAX_PAIRS = Math.floor(MAX_MAP_BYTES / 24);
const MAP_BLOCK_BYTES = 512;

/** What a sparse file's pieces go to. */
export interface SparseSink {
  data(piece: Buffer): void;
  /** So many bytes without data come next. */
  hole(sizeBytes: number): void;
}

/** What the headers say of a sparse file. */
export interface SparseHeader {
  readonly sizeBytes: number;
  /** Offset, length, offset, length...; undefined where the map comes with the data. */
  readonly pairs: readonly number[] | undefined;
}

/** Reads pairs of the map of type S: 4 in the header itself at 386, 21 in each block after it at 0. @returns whether a block follows. */
export function readOldPairs(block: Buffer, isHeader: boolean, pairs: number[]): boolean {
  const [start, count, more] = isHeader ? [386, 4, 482] : [0, 21, 504];
  for (let index = 0; index < count; index += 1) {
    const at = start + index * 24;
    if (block[at] === 0 || block[at + 12] === 0) break;
    if (pairs.length >= 2 * MAX_PAIRS) throw badTar(`a sparse file has more than ${MAX_PAIRS} parts`);
    pairs.push(readNumber(block, at, 12, 'sparse offset'), readNumber(block, at + 12, 12, 'sparse length'));
  }
  return block[more] !== 0;
}

/** The size of a sparse file of type S. */
export function readOldSize(block: Buffer): number {
  return readNumber(block, 483, 12, 'sparse size');
}

/** What a pax header says of a sparse file; undefined where the file is none. @throws InvalidArgument for an unknown version. */
export function paxSparse(records: PaxRecords): SparseHeader | undefined {
  const isSparse = records.sparsePairs.length > 0 || [...records.fields.keys()].some((key) => key.startsWith('GNU.sparse.'));
  if (!isSparse) return undefined;
  const version = `${paxText(records, 'GNU.sparse.major') ?? '0'}.${paxText(records, 'GNU.sparse.minor') ?? '0'}`;
  const sizeBytes = paxNumber(records, 'GNU.sparse.realsize') ?? paxNumber(records, 'GNU.sparse.size');
  if (sizeBytes === undefined) throw badTar('a sparse file has no size');
  if (version === '1.0') return { sizeBytes, pairs: undefined };
  if (version !== '0.0' && version !== '0.1') throw badTar(`a sparse file is of version ${version}, must be 0.0, 0.1 or 1.0`);
  const map = paxText(records, 'GNU.sparse.map');
  return { sizeBytes, pairs: (map === undefined ? records.sparsePairs : map.split(',')).map(readDecimal) };
}

function readDecimal(text: ByteString): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw badTar(`${JSON.stringify(text.slice(0, 40))} in the map of a sparse file is not a number`);
  return Number(text);
}

/** Takes the stored bytes of one sparse file and hands them on with the holes between. */
export class SparseFile {
  readonly #sink: SparseSink;
  readonly #sizeBytes: number;
  #storedBytes: number;
  #pairs: readonly number[] | undefined;
  #next = 0;
  #at = 0;
  /** Of the map in front of the data. */
  readonly #numbers: number[] = [];
  #digits = '';
  #mapBytes = 0;

  /** @param storedBytes what the archive has of it. @throws InvalidArgument where the map does not fit. */
  constructor(sink: SparseSink, header: SparseHeader, storedBytes: number) {
    this.#sink = sink;
    this.#sizeBytes = header.sizeBytes;
    this.#storedBytes = storedBytes;
    if (header.pairs !== undefined) this.#setPairs(header.pairs);
  }

  data(piece: Buffer): void {
    let rest = this.#pairs === undefined ? this.#readMap(piece) : piece;
    while (rest.length > 0 && this.#pairs !== undefined) {
      if (this.#next >= this.#pairs.length) throw badTar('a sparse file has more data than its map says');
      const [offset = 0, length = 0] = [this.#pairs[this.#next], this.#pairs[this.#next + 1]];
      this.#fill(offset);
      const taken = Math.min(rest.length, offset + length - this.#at);
      if (taken > 0) this.#sink.data(rest.subarray(0, taken));
      this.#at += taken;
      rest = rest.subarray(taken);
      if (this.#at === offset + length) this.#next += 2;
    }
  }

  /** The stored bytes are all there. */
  end(): void {
    if (this.#pairs === undefined) throw badTar('the map of a sparse file is cut short');
    this.#fill(this.#sizeBytes);
  }

  #fill(offset: number): void {
    if (offset > this.#at) this.#sink.hole(offset - this.#at);
    this.#at = Math.max(this.#at, offset);
  }

  /** Version 1.0: decimal numbers, a line each, first how many pairs; filled up to a block. Returns what follows. */
  #readMap(piece: Buffer): Buffer {
    for (let index = 0; index < piece.length; index += 1) {
      this.#mapBytes += 1;
      const isWhole = this.#numbers.length > 0 && this.#numbers.length === 1 + 2 * (this.#numbers[0] ?? 0);
      if (!isWhole) this.#readMapByte(piece[index] ?? 0);
      else if (this.#mapBytes % MAP_BLOCK_BYTES === 1) return this.#endMap(piece.subarray(index), this.#mapBytes - 1);
    }
    const isWhole = this.#numbers.length > 0 && this.#numbers.length === 1 + 2 * (this.#numbers[0] ?? 0);
    if (isWhole && this.#mapBytes % MAP_BLOCK_BYTES === 0) this.#endMap(piece, this.#mapBytes);
    return piece.subarray(piece.length);
  }

  #endMap(rest: Buffer, mapBytes: number): Buffer {
    this.#storedBytes -= mapBytes;
    this.#setPairs(this.#numbers.slice(1));
    return rest;
  }

  #readMapByte(byte: number): void {
    if (this.#mapBytes > MAX_MAP_BYTES) throw badTar(`the map of a sparse file has more than ${MAX_MAP_BYTES} bytes`);
    if (byte !== 0x0a) {
      if (this.#digits.length > 15) throw badTar('the map of a sparse file is not made of numbers');
      this.#digits += String.fromCharCode(byte);
      return;
    }
    this.#numbers.push(readDecimal(this.#digits));
    this.#digits = '';
  }

  #setPairs(pairs: readonly number[]): void {
    let at = 0;
    let stored = 0;
    if (pairs.length % 2 !== 0) throw badTar('the map of a sparse file has an odd number of numbers');
    for (let index = 0; index < pairs.length; index += 2) {
      const [offset = 0, length = 0] = [pairs[index], pairs[index + 1]];
      if (offset < at || length < 0 || offset + length > this.#sizeBytes)
        throw badTar('the parts of a sparse file overlap or lie outside of it');
      at = offset + length;
      stored += length;
    }
    if (stored !== this.#storedBytes) throw badTar(`a sparse file has ${this.#storedBytes} bytes of data, must have ${stored}`);
    this.#pairs = pairs;
  }
}
