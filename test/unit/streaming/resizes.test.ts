import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResizeDecoder, Resizes } from '../../../src/streaming/resizes.ts';

const two = Buffer.from('{"Width":80,"Height":24}\n{"width":132,"HEIGHT":50}\n');
const sizes = [
  { width: 80, height: 24 },
  { width: 132, height: 50 },
];

test('ResizeDecoder finds the same sizes wherever the bytes are cut', () => {
  for (let cut = 0; cut <= two.length; cut += 1) {
    const decoder = new ResizeDecoder();
    assert.deepEqual([...decoder.push(two.subarray(0, cut)), ...decoder.push(two.subarray(cut))], sizes, `cut at ${cut}`);
  }
});

test('ResizeDecoder leaves out what is no size and goes on', () => {
  const decoder = new ResizeDecoder();
  const garbage = [
    'nonsense}',
    '{"Width":0,"Height":5}',
    '{"Width":70000,"Height":5}',
    '{"Width":1.5,"Height":5}',
    '{"Width":"8","Height":5}',
    '[]}',
    '{}',
  ];

  assert.deepEqual(decoder.push(Buffer.from(garbage.join(''))), []);
  assert.deepEqual(decoder.push(Buffer.alloc(10_000, 'x')), []);
  assert.deepEqual(decoder.push(two), sizes);
});

test('Resizes keeps only the newest size that was not read', async () => {
  const resizes = new Resizes();
  resizes.push({ width: 1, height: 1 });
  resizes.push({ width: 2, height: 2 });

  assert.deepEqual(await resizes.next(), { width: 2, height: 2 });
  assert.equal(await resizes.next(5), undefined);
});

test('Resizes wakes a waiting reader, and ends', async () => {
  const resizes = new Resizes();
  const read: number[] = [];
  const reading = (async () => {
    for await (const { width } of resizes) read.push(width);
  })();
  for (const width of [1, 2, 3]) {
    resizes.push({ width, height: 1 });
    await new Promise(setImmediate);
  }
  resizes.end();
  await reading;
  resizes.push({ width: 4, height: 1 });

  assert.deepEqual(read, [1, 2, 3]);
});
