/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { seekData, seekHole } from '../linux/directory-calls.ts';
import type { FileStatus } from '../linux/directory-calls.ts';

const READ_BYTES = 1024 * 1024;
/** What is read between two pauses. */
const PAUSE_BYTES = 8 * 1024 * 1024;

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
/** Zeros are counted one by one up to so many; from there on reckoning is faster. */
const zeros = Buffer.alloc(16 * 1024);

/** IEEE 802.3, CRC-32, the lowest power in the highest bit, as zlib has it. */
const POLYNOMIAL = 0xedb88320;
/** x^0 in that order. */
const ONE = 0x8000_0000;
/** x^(8 * 2^n): what 2^n bytes of zeros do. As many as a file's size has bits. */
const POWERS: readonly number[] = powers(64);

function powers(count: number): number[] {
  const found = [ONE >>> 8];
  for (let last = ONE >>> 8; found.length < count; found.push(last)) last = times(last, last);
  return found;
}

/** The product of two polynomials over GF(2), modulo that of the CRC. */
function times(a: number, b: number): number {
  let product = 0;
  for (let bit = ONE, factor = b; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= factor;
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

/** The CRC-32 of what has `crc` with so many zeros behind it: a hole in a file may be larger than any disk. */
export function crcWithZeros(crc: number, sizeBytes: number): number {
  if (sizeBytes <= zeros.length) return crc32(zeros.subarray(0, sizeBytes), crc);
  let register = ~crc >>> 0;
  for (let left = sizeBytes, power = 0; left > 0; left = Math.floor(left / 2), power += 1)
    if (left % 2 === 1) register = times(POWERS[power] ?? 0, register);
  return ~register >>> 0;
}

/** The CRC-32 of an open file's content. Holes are not read. Pauses now and then. */
export function* contentSum(fd: number, { sizeBytes, usedBytes }: FileStatus): Generator<void, number> {
  let crc = 0;
  let at = 0;
  let sincePause = 0;
  while (at < sizeBytes) {
    let end = sizeBytes;
    if (usedBytes < sizeBytes) {
      const data = Math.min(seekData(fd, at) ?? sizeBytes, sizeBytes);
      crc = crcWithZeros(crc, data - at);
      at = data;
      end = at < sizeBytes ? Math.min(seekHole(fd, at), sizeBytes) : sizeBytes;
    }
    while (at < end) {
      const read = readSync(fd, buffer, 0, Math.min(READ_BYTES, end - at), at);
      if (read === 0) return crc; // it is shorter than it was
      crc = crc32(buffer.subarray(0, read), crc);
      at += read;
      sincePause += read;
      if (sincePause < PAUSE_BYTES) continue;
      sincePause = 0;
      yield;
    }
  }
  return crc;
}
