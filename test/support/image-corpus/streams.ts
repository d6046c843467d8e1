import { sha256 } from '../../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../../scripts/make-demo-image.ts';
import { END_OF_TAR, gzipLayer, octalField, paxHeader } from '../tar-blocks.ts';
import { BASE, dir, file, layerOf, member, tarOf, white, zip, zstd } from './odd-image.ts';
import type { OddImage, Part } from './odd-image.ts';

const PARTS: readonly Part[] = [dir('d'), file('d/a', { data: 'a'.repeat(3000) }), file('b')];
let count = 0;

/** A layer of a tar that no other row has: a layer that is here already is not unpacked again. */
function made(make: (whole: Buffer, half: Buffer, rest: Buffer) => Promise<ImageLayer> | ImageLayer): () => Promise<ImageLayer> {
  return async () => {
    count += 1;
    const whole = Buffer.concat([tarOf([...PARTS, file(`row-${count}`)]), END_OF_TAR]);
    return make(whole, whole.subarray(0, 2000), whole.subarray(2000));
  };
}

/** A frame of zstd that decoders pass over: RFC 8878, 3.1.2. */
const skippable = Buffer.from('502a4d180400000061626364', 'hex');
const cut = (data: Buffer, bytes: number): Buffer => data.subarray(0, data.length - bytes);
const numbered = (count: number): Part[][] => Array.from({ length: count }, (_, index) => [file(`layer-${index}`, { mtime: index })]);

async function damagedGzip(whole: Buffer): Promise<ImageLayer> {
  const blob = await zip(whole);
  blob.writeUInt32LE(0x12345678, blob.length - 8);
  return layerOf(whole, blob, 'gzip');
}

/** A file of zeros that is thousands of times as large as its layer. */
async function zeros(): Promise<ImageLayer> {
  const mebibyte = Buffer.alloc(1 << 20);
  const head = member('zeros', '0', '', (block) => {
    octalField(block, 256 << 20, 124);
  });
  return gzipLayer([head, ...Array.from({ length: 256 }, () => mebibyte), END_OF_TAR]);
}

const many = (): Part[] =>
  Array.from({ length: 20_000 }, (_, index) =>
    index % 100 === 0 ? dir(`d${index / 100}`) : file(`d${Math.floor(index / 100)}/f${index}`),
  );

/** What the bytes of a layer are. */
export const STREAMS: readonly OddImage[] = [
  { name: 'a layer of gzip', layers: [made(async (whole) => layerOf(whole, await zip(whole), 'gzip'))], isPulled: true },
  { name: 'a layer of zstd', layers: [made(async (whole) => layerOf(whole, await zstd(whole), 'zstd'))], isPulled: true },
  { name: 'gzip that says it is plain', layers: [made(async (whole) => layerOf(whole, await zip(whole), 'none'))] },
  { name: 'plain that says it is gzip', layers: [made((whole) => layerOf(whole, whole, 'gzip'))] },
  {
    name: 'several members of gzip',
    layers: [made(async (whole, half, rest) => layerOf(whole, Buffer.concat([await zip(half), await zip(rest)]), 'gzip'))],
    isPulled: true,
  },
  {
    name: 'garbage behind gzip',
    refused: /the data is truncated or damaged/,
    layers: [made(async (whole) => layerOf(whole, Buffer.concat([await zip(whole), Buffer.from('garbage')]), 'gzip'))],
  },
  {
    name: 'zeros behind gzip',
    containerd: 'refuses',
    why: 'docs/decisions/0003: gzip(1) passes over it as well, and the digest has been checked',
    layers: [made(async (whole) => layerOf(whole, Buffer.concat([await zip(whole), Buffer.alloc(700)]), 'gzip'))],
  },
  {
    name: 'gzip that is cut off',
    refused: /the data is truncated or damaged/,
    layers: [made(async (whole) => layerOf(whole, cut(await zip(whole), 20), 'gzip'))],
    isPulled: true,
  },
  { name: 'gzip with a wrong sum', refused: /the data is truncated or damaged/, layers: [made(damagedGzip)] },
  {
    name: 'several frames of zstd',
    layers: [made(async (whole, half, rest) => layerOf(whole, Buffer.concat([await zstd(half), await zstd(rest)]), 'zstd'))],
  },
  {
    name: 'skippable frames of zstd',
    layers: [
      made(async (whole, half, rest) => layerOf(whole, Buffer.concat([await zstd(half), skippable, await zstd(rest), skippable]), 'zstd')),
    ],
    isPulled: true,
  },
  {
    name: 'a skippable frame of zstd at the start',
    layers: [made(async (whole) => layerOf(whole, Buffer.concat([skippable, await zstd(whole)]), 'zstd'))],
  },
  {
    name: 'zstd that is cut off',
    refused: /the data is truncated or damaged/,
    layers: [made(async (whole) => layerOf(whole, cut(await zstd(whole), 5), 'zstd'))],
  },
  {
    name: 'garbage behind zstd',
    refused: /truncated or damaged|bytes that are no frame/,
    layers: [made(async (whole) => layerOf(whole, Buffer.concat([await zstd(whole), Buffer.from('garbage!')]), 'zstd'))],
  },
  { name: 'nothing at all', layers: [() => layerOf(Buffer.alloc(0))] },
  { name: 'an empty archive', layers: [PARTS, []] },
  { name: 'no end mark', layers: [made((whole) => layerOf(cut(whole, 1024)))] },
  { name: 'one block of zeros at the end', layers: [made((whole) => layerOf(cut(whole, 512)))] },
  {
    name: 'an entry behind one block of zeros',
    refused: /behind entry 'b': an entry follows a block of zeros/,
    layers: [[...PARTS, Buffer.alloc(512), file('c')]],
  },
  { name: 'an entry behind the end', layers: [[...PARTS, END_OF_TAR, file('c')]] },
  { name: 'garbage behind the end', layers: [made((whole) => layerOf(Buffer.concat([whole, Buffer.from('garbage')])))] },
  {
    name: 'a file that is cut off',
    refused: /in entry 'd\/a': unexpected end: the archive is truncated/,
    layers: [made((_whole, half) => layerOf(half))],
  },
  {
    name: 'a header that is cut off',
    refused: /behind entry 'd\/': unexpected end: the archive is truncated/,
    layers: [made((whole) => layerOf(whole.subarray(0, 700)))],
  },
  {
    name: 'a file that claims 8 GB',
    refused: /in entry 'a': unexpected end: the archive is truncated/,
    layers: [
      [
        member('a', '0', 'x', (block) => {
          octalField(block, 8_000_000_000, 124);
        }),
      ],
    ],
  },
  {
    name: 'a file of negative size',
    refused: /entry 'a': size -1 is negative/,
    layers: [
      [
        member('a', '0', '', (block) => {
          Buffer.from('ffffffffffffffffffffffff', 'hex').copy(block, 124);
        }),
      ],
    ],
  },
  {
    name: 'a size that is no number',
    refused: /entry 'a': size "elephants!" is not an octal number/,
    layers: [
      [
        member('a', '0', '', (block) => {
          block.write('elephants!\0', 124);
        }),
      ],
    ],
  },
  {
    name: 'a wrong checksum',
    refused: /at its start: the checksum of a header is wrong/,
    layers: [
      made((whole) => {
        const tar = Buffer.from(whole);
        tar[0] = 0x7a;
        return layerOf(tar);
      }),
    ],
  },
  {
    name: 'text',
    refused: /at its start: checksum .* is not an octal number/,
    layers: [() => layerOf(Buffer.from('<html>not found</html>'.repeat(50)))],
  },
  {
    name: 'a wrong digest',
    layers: [made((whole) => ({ ...layerOf(whole), digest: sha256(Buffer.from('another')) }))],
    refused: /digest/,
    containerd: 'not asked',
  },
  {
    name: 'a wrong diff id',
    refused: /the digest of the unpacked data is sha256:\w+, must be sha256:/,
    layers: [made((whole) => ({ ...layerOf(whole), diffId: sha256(Buffer.from('another')) }))],
  },
  { name: 'one layer twice', layers: [PARTS, PARTS, [white('.wh.b')], PARTS] },
];

/** Much of something. */
export const LARGE: readonly OddImage[] = [
  { name: '499 layers', layers: numbered(499) },
  {
    name: '500 layers',
    refused: /it has 500 layers, must have at most 499/,
    containerd: 'unpacks',
    why: 'docs/decisions/0003: overlayfs stacks no more',
    layers: numbered(500),
  },
  { name: '20,000 small entries', layers: [many()] },
  { name: '256 MiB of zeros', layers: [zeros] },
  {
    name: '100 pax headers of 1 MB for all',
    layers: [
      async () =>
        gzipLayer([...Array.from({ length: 100 }, () => paxHeader('g', [['comment', 'x'.repeat(1_000_000)]])), tarOf(BASE), END_OF_TAR]),
    ],
  },
  {
    name: 'a thousand attributes of 3,000 bytes',
    layers: [Array.from({ length: 1000 }, (_, index) => file(`f${index}`, { xattrs: { 'user.value': String(index).padEnd(3000) } }))],
  },
];
