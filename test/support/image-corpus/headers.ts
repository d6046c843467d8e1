import { octalField, paxHeader } from '../tar-blocks.ts';
import { BASE, base256, dir, file, member } from './odd-image.ts';
import type { OddImage, Part } from './odd-image.ts';

const number = (name: string, value: bigint, at: number, width: number, type = '0'): Buffer =>
  member(name, type, '', (block) => {
    base256(block, value, at, width);
  });
const uid = (name: string, value: bigint): Buffer => number(name, value, 108, 8);
const mtime = (name: string, value: bigint, type = '0'): Buffer => number(name, value, 136, 12, type);
const pax = (records: readonly (readonly [string, string])[], data = 'data'): Part[] => [paxHeader('x', records), member('a', '0', data)];
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** A file `a` of 100,005 bytes, all hole but its last 5. */
const PAX_SPARSE = {
  '0.0': [
    ['GNU.sparse.size', '100005'],
    ['GNU.sparse.numblocks', '1'],
    ['GNU.sparse.offset', '100000'],
    ['GNU.sparse.numbytes', '5'],
  ],
  '0.1': [
    ['GNU.sparse.size', '100005'],
    ['GNU.sparse.numblocks', '1'],
    ['GNU.sparse.map', '100000,5'],
    ['GNU.sparse.name', 'b'],
  ],
  '1.0': [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 'c'],
    ['GNU.sparse.realsize', '100005'],
  ],
} as const;

const oldSparse = (offset: number, length: number, size: number): Buffer =>
  member('a', 'S', 'tail!', (block) => {
    block.write('ustar  \0', 257, 'latin1');
    block.fill(0, 345, 500);
    octalField(block, offset, 386);
    octalField(block, length, 398);
    octalField(block, size, 483);
  });

/** Modes, owners, times, attributes, types, and headers before headers. */
export const HEADERS: readonly OddImage[] = [
  {
    name: 'modes with set-id and sticky bits',
    layers: [
      [file('a', { mode: 0o4755 }), file('b', { mode: 0o2755, uid: 9, gid: 9 }), dir('t', { mode: 0o1777 }), dir('g', { mode: 0o2775 })],
    ],
  },
  { name: 'modes of 0', layers: [[file('a', { mode: 0 }), dir('d', { mode: 0 }), file('d/x')]] },
  { name: 'modes with bits of the type', layers: [[file('a', { mode: 0o100644 }), dir('d', { mode: 0o40755 })]] },
  { name: 'a large uid', layers: [[uid('a', 4_000_000_000n), file('b', { uid: 2_000_000, gid: 2_000_000 })]] },
  { name: 'uid -1', layers: [[uid('a', -1n)]] },
  {
    name: 'uid -5',
    refused: /entry 'a': uid -5 is out of range/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: the file would be given to somebody whom nobody named',
    layers: [[uid('a', -5n)]],
  },
  {
    name: 'a uid of 33 bits',
    refused: /entry 'a': uid 4294967303 is out of range/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: the file would be given to somebody whom nobody named',
    layers: [[uid('a', 0x1_0000_0007n)]],
  },
  {
    name: 'a uid of pax',
    layers: [
      pax([
        ['uid', '3000000000'],
        ['gid', '12'],
      ]),
    ],
  },
  {
    name: 'times before 1970',
    why: 'docs/decisions/0003: file systems have them',
    differs: { '0/a': / -100\.000000000 /, '0/d': / -100\.000000000 / },
    layers: [[mtime('a', -100n), mtime('d', -100n, '5')]],
  },
  { name: 'a time in the year 2242', layers: [[mtime('a', 8_589_934_592n)]] },
  {
    name: 'a time in the year 2700',
    why: 'docs/decisions/0003: the last that the file system has',
    differs: { '0/a': / (15032385535|23000000000)\.000000000 / },
    layers: [[mtime('a', 23_000_000_000n)]],
  },
  {
    name: 'a time of 61 bits',
    refused: /entry 'a': mtime 1152921504606846976 is out of range/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: a damaged header',
    layers: [[mtime('a', 1n << 60n)]],
  },
  { name: 'a time with a fraction', layers: [pax([['mtime', '1000.123456789']])] },
  { name: 'a time that is no number', refused: /entry 'a': time "noon" is not/, layers: [pax([['mtime', 'noon']])] },
  { name: 'no time', layers: [[file('a', { mtime: 0 })]] },
  { name: 'security.capability', layers: [[file('a', { mode: 0o755, uid: 5, xattrs: { 'security.capability': capability } })]] },
  {
    name: 'a capability that is none',
    refused: /entry 'a': EINVAL: .*'security\.capability'/,
    layers: [[file('a', { xattrs: { 'security.capability': 'x' } })]],
  },
  {
    name: 'user attributes',
    layers: [[file('a', { xattrs: { 'user.one': '1', 'user.binary': capability } }), dir('d', { xattrs: { 'user.d': '' } })]],
  },
  { name: 'a user attribute of a symlink', layers: [[{ path: 's', kind: 'symlink', linkTarget: 'x', xattrs: { 'user.a': 'x' } }]] },
  {
    name: 'attributes of overlayfs',
    layers: [
      BASE,
      [dir('etc', { xattrs: { 'trusted.overlay.opaque': 'y' } }), file('a', { xattrs: { 'trusted.overlay.redirect': '/etc/passwd' } })],
    ],
  },
  { name: 'user attributes of overlayfs', layers: [[dir('etc', { xattrs: { 'user.overlay.opaque': 'y' } })]] },
  {
    name: 'trusted attributes',
    why: 'docs/decisions/0003: as CRI-O; containerd drops them',
    differs: { '0/a': / trusted\.mine=x$/ },
    layers: [[file('a', { xattrs: { 'trusted.mine': 'x' } })]],
  },
  {
    name: 'security.selinux',
    why: 'docs/decisions/0003: labels of another policy',
    differs: { '0/a': / file 1 \w+$/ },
    layers: [[file('a', { xattrs: { 'security.selinux': 'system_u:object_r:bin_t:s0' } })]],
  },
  { name: 'an attribute without a namespace', layers: [[file('a', { xattrs: { lonely: 'x' } })]] },
  {
    name: 'an attribute of 70,000 bytes',
    refused: /entry 'a': E2BIG: .*'user\.big'/,
    layers: [[file('a', { xattrs: { 'user.big': 'x'.repeat(70_000) } })]],
  },
  { name: 'attributes of libarchive', layers: [pax([['LIBARCHIVE.xattr.user.a', 'eA==']])] },
  {
    name: 'a size of pax',
    layers: [
      [
        paxHeader('x', [['size', '4']]),
        member('a', '0', 'data', (block) => {
          octalField(block, 0, 124);
        }),
        file('b'),
      ],
    ],
  },
  { name: 'a size of pax that is negative', refused: /entry 'a': size "-4" is not a number/, layers: [pax([['size', '-4']])] },
  {
    name: 'a path and target of pax',
    layers: [
      [
        paxHeader('x', [
          ['path', 'p'],
          ['linkpath', 'somewhere'],
        ]),
        member('a', '2'),
      ],
    ],
  },
  {
    name: 'a pax header with empty values',
    layers: [
      pax([
        ['path', ''],
        ['mtime', ''],
      ]),
    ],
  },
  {
    name: 'a pax header with unknown keys',
    layers: [
      pax([
        ['VENDOR.key', 'x'],
        ['comment', 'y'],
        ['hdrcharset', 'BINARY'],
      ]),
    ],
  },
  {
    name: 'a pax header with a key twice',
    layers: [
      pax([
        ['path', 'one'],
        ['path', 'two'],
      ]),
    ],
  },
  {
    name: 'a pax header that is none',
    refused: /at its start: a pax header is not made of/,
    layers: [[member('p', 'x', '99 broken'), file('a')]],
  },
  {
    name: 'a pax header at the end',
    refused: /behind entry 'a': unexpected end: the archive is truncated/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: what it is for is missing',
    layers: [[file('a'), paxHeader('x', [['path', 'b']])]],
  },
  { name: 'two pax headers for one file', layers: [[paxHeader('x', [['path', 'one']]), ...pax([['uid', '7']])]] },
  {
    name: 'a pax header of 2 MiB',
    refused: /at its start: a header of type x has 2097169 bytes/,
    layers: [pax([['comment', 'x'.repeat(2 << 20)]])],
  },
  {
    name: 'pax headers for all',
    layers: [
      [
        paxHeader('g', [['comment', 'commit']]),
        ...pax([['uid', '7']]),
        paxHeader('g', [
          ['path', 'all'],
          ['uid', '5'],
        ]),
        file('b'),
      ],
    ],
  },
  { name: 'a long name of GNU', layers: [[member('././@LongLink', 'L', `${'l'.repeat(150)}\0`), member('short', '0', 'x')]] },
  { name: 'a long target of GNU', layers: [[member('././@LongLink', 'K', `${'t'.repeat(150)}\0`), member('s', '2')]] },
  { name: 'a long name of GNU and one of pax', layers: [[member('././@LongLink', 'L', 'gnu\0'), ...pax([['path', 'pax']])]] },
  {
    name: 'a long name of GNU of 2 MiB',
    refused: /at its start: a header of type L has 2097152 bytes/,
    layers: [[member('././@LongLink', 'L', 'l'.repeat(2 << 20)), file('a')]],
  },
  {
    name: 'a sparse file of GNU',
    containerd: 'refuses',
    why: 'docs/decisions/0003: GNU tar writes it',
    layers: [[oldSparse(100_000, 5, 100_005), file('b')]],
  },
  {
    name: 'a sparse file of GNU whose map is too long',
    refused: /entry 'a': the parts of a sparse file overlap or lie outside/,
    layers: [[oldSparse(100_000, 5, 10)]],
  },
  { name: 'sparse files of pax 0.0', layers: [pax(PAX_SPARSE['0.0'], 'tail!')] },
  { name: 'sparse files of pax 0.1', layers: [pax(PAX_SPARSE['0.1'], 'tail!')] },
  { name: 'sparse files of pax 1.0', layers: [pax(PAX_SPARSE['1.0'], `${'1\n100000\n5\n'.padEnd(512, '\0')}tail!`)] },
  {
    name: 'a sparse file of pax without its map',
    refused: /entry 'c': the map of a sparse file is cut short/,
    layers: [pax(PAX_SPARSE['1.0'], 'no map')],
  },
  {
    name: 'devices',
    layers: [
      [
        { path: 'c', kind: 'character', device: [1, 3], mode: 0o666 },
        { path: 'b', kind: 'block', device: [8, 1], uid: 4 },
      ],
    ],
  },
  { name: 'a device that is a whiteout', layers: [BASE, [dir('etc'), { path: 'etc/passwd', kind: 'character', device: [0, 0] }]] },
  { name: 'FIFOs', layers: [[{ path: 'p', kind: 'fifo', mode: 0o4622, uid: 6 }]] },
  {
    name: 'a file of type 7',
    containerd: 'refuses',
    why: 'docs/decisions/0003: POSIX has it read as a file',
    layers: [[member('a', '7', 'contiguous')]],
  },
  { name: 'a file of type NUL', layers: [[member('a', '\0', 'old')]] },
  {
    name: 'a volume label of GNU',
    containerd: 'refuses',
    why: 'docs/decisions/0003: GNU tar writes it',
    layers: [[member('label', 'V'), file('a')]],
  },
  { name: 'a directory listing of GNU', refused: /entry 'd': it has the unknown type "D"/, layers: [[member('d', 'D', 'Yfile\0\0')]] },
  { name: 'an unknown type', refused: /entry 'a': it has the unknown type "Z"/, layers: [[member('a', 'Z', 'x')]] },
  { name: 'a socket', refused: /entry 'a': it has the unknown type "s"/, layers: [[member('a', 's')]] },
  { name: 'a directory with content', layers: [[member('d', '5', ''), file('d/a')]] },
];
