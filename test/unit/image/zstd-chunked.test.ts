import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkedLayer, indexIn } from '../../../src/image/zstd-chunked.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const NEW = 'io.github.containers.zstd-chunked.';
const annotations = {
  [`${NEW}manifest-checksum`]: DIGEST,
  [`${NEW}manifest-position`]: '1000:200:900:1',
  [`${NEW}tarsplit-position`]: '1208:100:700',
};

test('annotations lead to table of contents and tar-split', () => {
  const layer = chunkedLayer(annotations, 2000)!;
  assert.deepEqual(layer, {
    toc: { offset: 1000, storedBytes: 200, sizeBytes: 900 },
    tocDigest: DIGEST,
    tarSplit: { offset: 1208, storedBytes: 100, sizeBytes: 700 },
    contentEnd: 992,
    start: 1000,
    end: 1308,
  });
  assert.deepEqual(indexIn('/file', layer, layer.start), {
    path: '/file',
    toc: { position: 0, storedBytes: 200, sizeBytes: 900 },
    tocDigest: DIGEST,
    tarSplit: { position: 208, storedBytes: 100, sizeBytes: 700 },
  });
});

test('the annotations of older tools lead to a table of contents alone', () => {
  const old = 'io.containers.zstd-chunked.';
  const layer = chunkedLayer({ [`${old}manifest-checksum`]: DIGEST, [`${old}manifest-position`]: '1000:200:900:1' }, 2000)!;
  assert.deepEqual([layer.start, layer.end, layer.tarSplit], [1000, 1200, undefined]);
});

const position = (text: unknown): Record<string, unknown> => ({ ...annotations, [`${NEW}manifest-position`]: text });
const NOT: readonly [string, Record<string, unknown> | undefined][] = [
  ['none', undefined],
  ['another digest', { ...annotations, [`${NEW}manifest-checksum`]: 'md5:x' }],
  ['a position that is no text', position(7)],
  ['a position of words', position('here:or:there:1')],
  ['another kind of table', position('1000:200:900:2')],
  ['a table that begins with the blob', position('0:200:900:1')],
  ['an empty table', position('1000:0:0:1')],
  ['a table beyond the blob', position('1900:200:900:1')],
  ['a table beyond all numbers', position('1000:999999999999999:900:1')],
  ['a table that grows too large', position('1000:200:999999999999:1')],
  ['a tar-split beyond the blob', { ...annotations, [`${NEW}tarsplit-position`]: '1208:9000:700' }],
];
for (const [what, given] of NOT) {
  test(`annotations with ${what} are as none`, () => {
    assert.equal(chunkedLayer(given as never, 2000), undefined);
  });
}

test('an index that is far from itself is as none', () => {
  const far = { ...annotations, [`${NEW}manifest-position`]: '1000:200:900:1', [`${NEW}tarsplit-position`]: '900000000:100:700' };
  assert.equal(chunkedLayer(far, 1e9), undefined);
});
