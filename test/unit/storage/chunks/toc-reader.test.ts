import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TocReader } from '../../../../src/storage/chunks/toc-reader.ts';
import type { TocEnd, TocEntry } from '../../../../src/storage/chunks/toc-reader.ts';

function read(text: string, pieceBytes = 1 << 24): { entries: TocEntry[]; end: TocEnd } {
  const entries: TocEntry[] = [];
  const reader = new TocReader((entry) => entries.push(entry));
  const bytes = Buffer.from(text);
  // In one buffer that is used again, as a reader of a file does.
  const buffer = Buffer.alloc(Math.min(bytes.length, pieceBytes));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = bytes.copy(buffer, 0, at, at + pieceBytes);
    reader.push(buffer.subarray(0, length));
  }
  return { entries, end: reader.end() };
}

const DIGEST = `sha256:${'a'.repeat(64)}`;
const TOC = JSON.stringify(
  {
    version: 1,
    entries: [
      { type: 'dir', name: './' },
      { type: 'reg', name: 'a"}]\\{[ä', size: 5, digest: DIGEST, offset: 10, endOffset: 20, xattrs: { 'user.a': '}{' } },
      { type: 'chunk', name: 'x', chunkSize: 7, chunkOffset: 8, chunkDigest: DIGEST, chunkType: 'zeros' },
    ],
    tarSplitDigest: DIGEST,
  },
  undefined,
  2,
);

for (const pieceBytes of [1, 2, 7, 64, 1 << 24]) {
  test(`TocReader reads a table in pieces of ${pieceBytes}`, () => {
    const { entries, end } = read(TOC, pieceBytes);
    assert.deepEqual(end, { tarSplitDigest: DIGEST });
    const none = { sizeBytes: 0, digest: '', offset: 0, endOffset: 0, chunkBytes: 0, chunkOffset: 0, chunkDigest: '', isZeros: false };
    assert.deepEqual(entries, [
      { ...none, type: 'dir', name: './' },
      { ...none, type: 'reg', name: 'a"}]\\{[ä', sizeBytes: 5, digest: DIGEST, offset: 10, endOffset: 20 },
      { ...none, type: 'chunk', name: 'x', chunkBytes: 7, chunkOffset: 8, chunkDigest: DIGEST, isZeros: true },
    ]);
  });
}

const BAD: readonly [string, string, RegExp][] = [
  ['no JSON', 'nonsense', /no JSON/],
  ['a table that is not whole', TOC.slice(0, -5), /no JSON/],
  ['another version', '{"version":2,"entries":[]}', /its version is 2, must be 1/],
  ['entries that are no list', '{"version":1,"entries":{"a":1}}', /not a list/],
  ['entries that are no objects', '{"version":1,"entries":[1,2]}', /not a list|no JSON/],
  ['a size that is no count', '{"version":1,"entries":[{"type":"reg","size":-1}]}', /size of an entry is no count/],
  ['a size beyond all counts', '{"version":1,"entries":[{"type":"reg","size":1e300}]}', /size of an entry is no count/],
  ['a name that is no text', '{"version":1,"entries":[{"name":["x"]}]}', /name of an entry is no text/],
  ['a nest of lists', `{"version":1,"entries":[{"a":${'['.repeat(1e6)}`, /nested/],
  ['a large entry', `{"version":1,"entries":[{"a":"${'x'.repeat(2e6)}"}]}`, /an entry has more than/],
  ['much beside its entries', `{"version":1,"x":"${'y'.repeat(1e5)}","entries":[]}`, /beside its entries/],
  ['entries without number', `{"version":1,"entries":[${'{},'.repeat(1_000_001)}`, /more than 1000000 entries/],
  ['more ends than beginnings', '}}}}', /no JSON/],
];

for (const [what, text, why] of BAD) {
  test(`TocReader refuses ${what}`, () => {
    for (const pieceBytes of [1000, 1 << 24]) assert.throws(() => read(text, pieceBytes), why);
  });
}
