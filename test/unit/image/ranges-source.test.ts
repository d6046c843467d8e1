import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, rangesSource } from '../../../src/image/ranges-source.ts';
import type { Range } from '../../../src/image/ranges-source.ts';
import type { OpenContent } from '../../../src/image/receive.ts';

const WHOLE = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');
const RANGES: readonly Range[] = [
  [2, 5],
  [10, 11],
  [20, 30],
];
const signal = new AbortController().signal;

/** Sends what is asked for in pieces of two bytes, and notes it. */
function origin(asked: string[] = [], change: (bytes: Buffer) => Buffer = (bytes) => bytes): OpenContent {
  return (offsetBytes, _, endBytes) => {
    asked.push(`${offsetBytes}-${endBytes ?? ''}`);
    const bytes = change(WHOLE.subarray(offsetBytes, endBytes));
    const content = async function* (): AsyncGenerator<Buffer, void> {
      for (let at = 0; at < bytes.length; at += 2) yield await Promise.resolve(bytes.subarray(at, at + 2));
    };
    return Promise.resolve({ content: content(), offsetBytes, isRange: true });
  };
}

async function read(source: OpenContent, from: number, to?: number): Promise<string> {
  const { content, offsetBytes, isRange } = await source(from, signal, to);
  assert.deepEqual([offsetBytes, isRange], [from, true]);
  return Buffer.concat(await Array.fromAsync(content)).toString();
}

test('ranges are read as one content, from any offset to any end', async () => {
  const whole = '234akklmnopqrst'.replace('akk', 'ak');
  assert.equal(bytesOf(RANGES), whole.length);
  for (let from = 0; from <= whole.length; from += 1) {
    assert.equal(await read(rangesSource(origin(), RANGES, 'x'), from), whole.slice(from));
    for (let to = from; to <= whole.length; to += 1) {
      assert.equal(await read(rangesSource(origin(), RANGES, 'x'), from, to), whole.slice(from, to));
    }
  }
});

test('just the ranges that are needed are asked for', async () => {
  const asked: string[] = [];
  await read(rangesSource(origin(asked), RANGES, 'x'), 2, 6);
  assert.deepEqual(asked, ['4-5', '10-11', '20-22']);
});

test('an answer that is no range, one that begins elsewhere, and one that is too short are refused', async () => {
  const plain: OpenContent = async (offset, until) => ({ ...(await origin()(offset, until)), isRange: false });
  await assert.rejects(read(rangesSource(plain, RANGES, 'x'), 0), /x: the registry does not send the range/);
  const elsewhere: OpenContent = async (offset, until) => ({ ...(await origin()(offset, until)), offsetBytes: 0 });
  await assert.rejects(read(rangesSource(elsewhere, RANGES, 'x'), 0), /x: the registry does not send the range/);
  const short = origin([], (bytes) => bytes.subarray(1));
  await assert.rejects(read(rangesSource(short, RANGES, 'x'), 0), /RegistryUnavailable: x: a range ended 1 bytes too early/);
});
