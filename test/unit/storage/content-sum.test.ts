import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { crcWithZeros } from '../../../src/storage/content-sum.ts';

test('crcWithZeros is the CRC-32 of the same bytes with zeros behind them, however many', () => {
  const before = Buffer.from('what comes before');
  for (const size of [0, 1, 511, 16 * 1024, 16 * 1024 + 1, 1_000_003, 4 * 1024 * 1024]) {
    for (const crc of [0, crc32(before)]) assert.equal(crcWithZeros(crc, size), crc32(Buffer.alloc(size), crc), `${size} bytes`);
  }
  const half = 2 ** 51 + 12_345;
  assert.equal(crcWithZeros(crcWithZeros(7, half), half), crcWithZeros(7, 2 * half));
});
