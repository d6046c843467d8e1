import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTar, TarWriter } from '../../../scripts/tar-writer.ts';
import { readPaxTime } from '../../../src/storage/tar-header.ts';
import type { TarEntry } from '../../../src/storage/tar-header.ts';
import { TarReader } from '../../../src/storage/tar-reader.ts';

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

/** A header block with what the test writer has no word for; the checksum is made right. */
function rawHeader(change: (block: Buffer) => void, name = 'raw'): Buffer {
  const block = makeTar([{ path: name, kind: 'file' }]).subarray(0, 512);
  change(block);
  block.fill(' ', 148, 156);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  return block;
}

function pax(type: 'x' | 'g', records: Readonly<Record<string, string>>): Buffer {
  const body = Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return `${length}${rest}`;
    })
    .join('');
  return extension(type, body);
}

function extension(type: string, body: string): Buffer {
  const data = Buffer.alloc(Math.ceil(body.length / 512) * 512);
  data.write(body, 'latin1');
  return Buffer.concat([
    rawHeader((block) => block.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1') && block.write(type, 156, 'latin1')),
    data,
  ]);
}

const END = Buffer.alloc(1024);

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
    extension('L', `${'g'.repeat(300)}\0`),
    extension('K', `${'k'.repeat(300)}\0`),
    rawHeader((block) => block.write('2', 156, 'latin1')),
    pax('g', { mtime: '10.5', comment: 'of the whole archive' }),
    pax('x', { path: 'from/pax', size: '3', uid: '3000000000', gid: '7', mtime: '1700000000.123456789999' }),
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
  assert.deepEqual(last?.modified, { seconds: 10, nanoseconds: 500_000_000 });
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

test('TarReader refuses what it cannot mean', () => {
  const cases: [string, Buffer, RegExp][] = [
    ['unknown type', rawHeader((block) => block.write('Z', 156, 'latin1')), /unknown type "Z"/],
    ['sparse', rawHeader((block) => block.write('S', 156, 'latin1')), /sparse/],
    ['sparse by pax', Buffer.concat([pax('x', { 'GNU.sparse.major': '1' }), rawHeader(() => undefined)]), /sparse/],
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
    ['uid -1', Buffer.concat([pax('x', { uid: '4294967295' }), rawHeader(() => undefined)]), /out of range/],
    ['pax without length', extension('x', 'path=x\n'), /pax header/],
    ['pax too long', extension('x', '99 path=x\n'), /pax header/],
    ['pax with a bad time', Buffer.concat([pax('x', { mtime: 'soon' }), rawHeader(() => undefined)]), /time "soon"/],
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
