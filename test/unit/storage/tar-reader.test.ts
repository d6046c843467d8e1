import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTar, TarWriter } from '../../../scripts/tar-writer.ts';
import { readPaxTime } from '../../../src/storage/pax-records.ts';
import type { TarEntry } from '../../../src/storage/tar-header.ts';
import { TarReader } from '../../../src/storage/tar-reader.ts';
import { END_OF_TAR as END, paxHeader, rawHeader, rawMember } from '../../support/tar-blocks.ts';

interface Seen extends TarEntry {
  data: string;
  ended: boolean;
}

function read(pieces: Iterable<Buffer>): Seen[] {
  const seen: Seen[] = [];
  const reader = new TarReader({
    entry: (entry) => seen.push({ ...entry, data: '', ended: false }),
    data: (piece) => {
      seen.at(-1)!.data += piece.toString('latin1');
    },
    hole: (sizeBytes) => {
      seen.at(-1)!.data += '\0'.repeat(sizeBytes);
    },
    endOfFile: () => {
      seen.at(-1)!.ended = true;
    },
  });
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return seen;
}

function* inPieces(bytes: Buffer, sizeBytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

const RICH = new TarWriter()
  .add({ path: 'dir', kind: 'directory', mode: 0o1777 })
  .add({ path: 'dir/file', kind: 'file', data: 'x'.repeat(1500), mode: 0o4755, uid: 1000, gid: 2000, mtime: 1234567890 })
  .add({ path: 'empty', kind: 'file' })
  .add({ path: 'full', kind: 'file', data: 'y'.repeat(1024) })
  .add({
    path: `long/${'n'.repeat(200)}`,
    kind: 'file',
    data: 'z',
    xattrs: { 'user.a': 'value\nwith=all', 'security.capability': Uint8Array.of(0, 255, 10) },
  })
  .add({ path: 'link', kind: 'symlink', linkTarget: `/${'t'.repeat(150)}` })
  .add({ path: 'hard', kind: 'hardlink', linkTarget: 'dir/file' })
  .add({ path: 'null', kind: 'character', device: [1, 3] })
  .finish();

test('TarReader reads the same whatever pieces it gets', () => {
  const whole = read([RICH]);
  assert.equal(whole.length, 8);
  assert.deepEqual(
    whole.map(({ name, type, data, ended }) => [name.slice(0, 10), type, data.length, ended]),
    [
      ['dir/', 'directory', 0, false],
      ['dir/file', 'file', 1500, true],
      ['empty', 'file', 0, true],
      ['full', 'file', 1024, true],
      ['long/nnnnn', 'file', 1, true],
      ['link', 'symlink', 0, false],
      ['hard', 'hardlink', 0, false],
      ['null', 'char', 0, false],
    ],
  );
  assert.deepEqual(
    whole[4]!.attributes,
    new Map([
      ['user.a', Buffer.from('value\nwith=all')],
      ['security.capability', Buffer.from([0, 255, 10])],
    ]),
  );
  for (const size of [1, 7, 100, 511, 512, 513, 1000, 1024, 4097]) assert.deepEqual(read(inPieces(RICH, size)), whole, `pieces of ${size}`);
});

test('TarReader takes an archive that ends without its end mark, and nothing after one', () => {
  const mark = RICH.length - 1024;
  assert.equal(read([RICH.subarray(0, mark)]).length, 8);
  assert.equal(read([RICH.subarray(0, mark + 512)]).length, 8);
  assert.equal(read([RICH, Buffer.from('rubbish')]).length, 8);
  assert.deepEqual(read([]), []);
  assert.deepEqual(read([Buffer.alloc(512)]), []);
});

test('TarReader refuses an archive cut at any place but an entry’s end', () => {
  const archive = makeTar([{ path: `long/${'n'.repeat(200)}`, kind: 'file', data: 'x'.repeat(700) }]).subarray(0, -1024);
  for (let cut = 1; cut < archive.length; cut += 97) {
    assert.throws(() => read([archive.subarray(0, cut)]), { kind: 'InvalidArgument', message: /truncated/ }, `cut at ${cut}`);
  }
});

test('TarReader reads GNU names and base-256 numbers, and pax overrides of all kinds', () => {
  const base256 = rawHeader((block) => {
    Buffer.from('80000000ffff0000', 'hex').copy(block, 108); // uid
    Buffer.from('ffffffffffffffffffffff9c', 'hex').copy(block, 136); // mtime -100
  }, 'numbers');
  const archive = Buffer.concat([
    base256,
    rawMember('L', `${'g'.repeat(300)}\0`),
    rawMember('K', `${'k'.repeat(300)}\0`),
    rawHeader((block) => block.write('2', 156, 'latin1')),
    paxHeader('g', Object.entries({ mtime: '10.5', comment: 'of the whole archive' })),
    paxHeader('x', Object.entries({ path: 'from/pax', size: '3', uid: '3000000000', gid: '7', mtime: '1700000000.123456789999' })),
    rawHeader(() => undefined),
    Buffer.concat([Buffer.from('abc'), Buffer.alloc(509)]),
    rawHeader(() => undefined, 'last'),
    END,
  ]);
  const [numbers, gnu, paxed, last] = read([archive]);
  assert.equal(numbers?.uid, 0xffff0000);
  assert.deepEqual(numbers.modified, { seconds: -100, nanoseconds: 0 });
  assert.deepEqual([gnu?.name, gnu?.linkName, gnu?.type], ['g'.repeat(300), 'k'.repeat(300), 'symlink']);
  assert.deepEqual([paxed?.name, paxed?.data, paxed?.uid, paxed?.gid], ['from/pax', 'abc', 3_000_000_000, 7]);
  assert.deepEqual(paxed?.modified, { seconds: 1_700_000_000, nanoseconds: 123_456_789 });
  // Nothing of a header for all entries is for any of them.
  assert.deepEqual(last?.modified, { seconds: 0, nanoseconds: 0 });
});

test('TarReader joins the ustar prefix, and takes a v7 file with a slash for a directory', () => {
  const prefixed = rawHeader((block) => block.write('some/prefix', 345, 'latin1'), 'name');
  const v7 = rawHeader((block) => {
    block.fill(0, 257);
    block[156] = 0;
  }, 'old/');
  assert.deepEqual(
    read([Buffer.concat([prefixed, v7, END])]).map(({ name, type }) => [name, type]),
    [
      ['some/prefix/name', 'file'],
      ['old/', 'directory'],
    ],
  );
});

function sparse(map: string, sizeBytes: number): Buffer {
  return Buffer.concat([
    paxHeader('x', [
      ['GNU.sparse.size', String(sizeBytes)],
      ['GNU.sparse.map', map],
    ]),
    rawHeader(() => undefined),
  ]);
}

test('TarReader takes the owner -1 for none, which leaves a file with root', () => {
  const negative = rawHeader((block) => Buffer.from('ffffffffffffffffffffffffffffffff', 'hex').copy(block, 108), 'base256');
  const records = [
    ['uid', '4294967295'],
    ['gid', '-1'],
  ] as const;
  const archive = Buffer.concat([negative, paxHeader('x', records), rawHeader(() => undefined), END]);
  assert.deepEqual(
    read([archive]).map(({ uid, gid }) => [uid, gid]),
    [
      [0, 0],
      [0, 0],
    ],
  );
});

test('TarReader reads a sparse file in pieces of any size as it reads it whole', () => {
  const map = '3\n1000\n10\n2000\n5\n4000\n0\n';
  const data = Buffer.concat([Buffer.from(map), Buffer.alloc(512 - map.length), Buffer.from('0123456789abcde')]);
  const records = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 'the/name'],
    ['GNU.sparse.realsize', '4000'],
  ] as const;
  const archive = Buffer.concat([paxHeader('x', records), rawMember('0', data, 'GNUSparseFile.1/name'), END]);
  const [whole] = read([archive]);
  const expected = Buffer.alloc(4000);
  expected.write('0123456789', 1000);
  expected.write('abcde', 2000);
  assert.equal(whole?.name, 'the/name');
  assert.equal(whole.sizeBytes, 4000);
  assert.equal(whole.data, expected.toString('latin1'));
  for (const size of [1, 13, 511, 512, 513]) assert.deepEqual(read(inPieces(archive, size)), [whole], `pieces of ${size}`);
});

test('TarReader refuses what it cannot mean', () => {
  const cases: [string, Buffer, RegExp][] = [
    ['unknown type', rawHeader((block) => block.write('Z', 156, 'latin1')), /unknown type "Z"/],
    [
      'sparse of no version',
      Buffer.concat([
        paxHeader('x', [
          ['GNU.sparse.major', '2'],
          ['GNU.sparse.size', '1'],
        ]),
        rawHeader(() => undefined),
      ]),
      /version 2.0/,
    ],
    ['sparse without a size', Buffer.concat([paxHeader('x', [['GNU.sparse.map', '0,1']]), rawHeader(() => undefined)]), /no size/],
    ['sparse with parts that overlap', sparse('0,5,3,5', 10), /overlap/],
    ['sparse with a part outside', sparse('8,5', 10), /outside/],
    ['sparse with too little data', sparse('0,7', 10), /0 bytes of data, must have 7/],
    ['sparse with half a pair', sparse('0,7,9', 10), /odd number/],
    ['negative size', rawHeader((block) => block.fill(0xff, 124, 136)), /size -1 is negative/],
    [
      'huge number',
      rawHeader((block) => {
        block.fill(0x7f, 125, 136);
        block[124] = 0x80;
      }),
      /out of range/,
    ],
    ['no octal', rawHeader((block) => block.write('12x', 100, 'latin1')), /not an octal number/],
    [
      'uid beyond 32 bits',
      Buffer.concat([paxHeader('x', [['uid', '4294967296']]), rawHeader(() => undefined)]),
      /entry 'raw': uid 4294967296 is out of range/,
    ],
    ['uid -2', Buffer.concat([paxHeader('x', [['uid', '-2']]), rawHeader(() => undefined)]), /uid -2 is out of range/],
    ['pax without length', rawMember('x', 'path=x\n'), /pax header/],
    ['pax too long', rawMember('x', '99 path=x\n'), /pax header/],
    ['pax with a bad time', Buffer.concat([paxHeader('x', Object.entries({ mtime: 'soon' })), rawHeader(() => undefined)]), /time "soon"/],
    ['entry after a zero block', Buffer.concat([Buffer.alloc(512), rawHeader(() => undefined)]), /damaged/],
    [
      'giant pax header',
      rawHeader((block) => block.write('77777777777\0', 124, 'latin1') && block.write('x', 156, 'latin1')),
      /must have at most 1048576/,
    ],
  ];
  for (const [name, bytes, words] of cases) assert.throws(() => read([bytes, END]), { name: 'DaemonError', message: words }, name);
});

test('readPaxTime keeps nanoseconds on both sides of 1970', () => {
  assert.deepEqual(readPaxTime('0'), { seconds: 0, nanoseconds: 0 });
  assert.deepEqual(readPaxTime('1.5'), { seconds: 1, nanoseconds: 500_000_000 });
  assert.deepEqual(readPaxTime('-1.25'), { seconds: -2, nanoseconds: 750_000_000 });
  assert.deepEqual(readPaxTime('-0.000000001'), { seconds: -1, nanoseconds: 999_999_999 });
  assert.deepEqual(readPaxTime('-3'), { seconds: -3, nanoseconds: 0 });
});
