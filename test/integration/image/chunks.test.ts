// long: 60 s
/** zstd:chunked layers put together of chunks that are here and of those that are fetched. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { execa } from 'execa';
import { dockerArchive, makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import type { Digest } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { loadArchive } from '../../../src/image/load.ts';
import type { PullSnapshot } from '../../../src/base/pull-snapshot.ts';
import type { ImageRecord } from '../../../src/image/store.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { inventoryOf } from '../../support/image-storage.ts';
import { pullBench } from '../../support/pull-bench.ts';
import type { PullBench } from '../../support/pull-bench.ts';
import { findProgram } from '../../support/find-program.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { killAtEachStage } from '../../support/take-image.ts';
import { chunkedLayer, noChunked } from '../../support/zstd-chunked.ts';

/** Ends a pull that hangs. */
const limit = (): AbortSignal => AbortSignal.timeout(120_000);
const MIB = 1 << 20;
const NAME = 'registry.example/team/app';

/** The same bytes for the same seed, which no compression makes smaller. */
function noise(bytes: number, seed: number): Buffer {
  const data = Buffer.alloc(bytes);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at + 4 <= bytes; at += 4) {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9;
    data.writeUInt32LE((state ^ (state >>> 13)) >>> 0, at);
  }
  return data;
}

const LARGE = noise(4 * MIB, 1);
/** A stretch of a large file, and one of twenty others, is another one. */
const CHANGED = Buffer.concat([LARGE.subarray(0, MIB), noise(128 * 1024, 2), LARGE.subarray(MIB + 128 * 1024)]);

/** One version of an image's layer: all kinds of entries. */
function entriesOf(version: 1 | 2): TarEntry[] {
  const files = Array.from({ length: 100 }, (_, index): TarEntry => ({
    path: `usr/share/app/d${index % 7}/file-${index}`,
    kind: 'file',
    data: noise(1000 + index * 700, version === 2 && index % 20 === 0 ? 1000 + index : index),
    uid: index,
    mtime: 1_600_000_000 + index,
  }));
  // One that no entry describes would have the time of its making.
  const directories = [
    '.',
    'dev',
    'usr',
    'usr/bin',
    'usr/lib',
    'usr/share',
    'usr/share/app',
    ...[0, 1, 2, 3, 4, 5, 6].map((at) => `usr/share/app/d${at}`),
  ];
  return [
    ...directories.map((path, index): TarEntry => ({ path, kind: 'directory', mode: 0o750 + index, mtime: 1_500_000_000 + index })),
    { path: 'usr/bin/tool', kind: 'file', mode: 0o4755, data: noise(50_000, 77), xattrs: { 'security.capability': Buffer.from('0100000200040000000000000000000000000000', 'hex'), 'user.kept': 'yes' } },
    { path: 'usr/bin/hard', kind: 'hardlink', linkTarget: 'usr/bin/tool' },
    { path: 'usr/bin/soft', kind: 'symlink', linkTarget: '../share', uid: 5 },
    { path: 'usr/lib/large', kind: 'file', data: version === 1 ? LARGE : CHANGED },
    { path: `usr/lib/${'long-'.repeat(40)}ä`, kind: 'file', data: noise(30_000, 5) },
    { path: 'usr/lib/holes', kind: 'file', data: Buffer.concat([noise(5000, 6), Buffer.alloc(300_000), noise(5000, 7)]) },
    { path: 'usr/lib/twice', kind: 'file', data: noise(20_000, 8) },
    { path: 'usr/lib/twice-more', kind: 'file', data: noise(20_000, 8) },
    { path: 'usr/lib/as-large', kind: 'file', data: noise(2000, 9) },
    { path: 'usr/lib/as-small', kind: 'file', data: noise(2000, 10) },
    { path: 'usr/lib/empty', kind: 'file', data: '' },
    { path: 'dev/pipe', kind: 'fifo', gid: 9 },
    { path: 'dev/null', kind: 'character', device: [1, 3], mode: 0o666 },
    ...files,
  ]; // prettier-ignore
}

const [V1, V2] = noChunked === false ? [await chunkedLayer(entriesOf(1)), await chunkedLayer(entriesOf(2))] : [];

const image = (layer: ImageLayer | undefined): { config: object; layers: ImageLayer[] } => ({ config: {}, layers: [layer!] });

interface Lab extends PullBench {
  readonly registry: FaultyRegistry;
  /** What was asked of the layer of version 2: ranges, and `-` for the whole. */
  readonly ranges: string[];
  readonly log: string[];
}

/** A node that has version 1, and a registry with further ones. */
async function start(t: TestContext, options: FaultyRegistryOptions = {}, v2: ImageLayer | undefined = V2): Promise<Lab> {
  const ranges: string[] = [];
  const registry = await FaultyRegistry.start({
    ...options,
    fault: async (request, response, count) => {
      if (request.url?.includes(v2!.digest) === true) ranges.push(request.headers.range ?? '-');
      return (await options.fault?.(request, response, count)) ?? false;
    },
  });
  t.after(async () => registry.stop());
  registry.addImage(image(V1), 'team/app', '1');
  registry.addImage(image(v2), 'team/app', '2');
  const log: string[] = [];
  const keep = (words: string, fields?: object): void => {
    log.push(`${words} ${JSON.stringify(fields ?? {})}`);
  };
  const bench = await pullBench(t, registry.conf, {
    discardsBlobs: () => true,
    rangeBytes: () => 8 * MIB,
    log: { ...silentLog, info: keep, warn: keep, error: keep },
  });
  await bench.puller.pull(`${NAME}:1`, undefined, limit());
  return { ...bench, registry, ranges, log };
}

/** The digest of the tree of an image of one layer: types, modes, owners, times, attributes, links and content. */
function treeOf({ stores }: PullBench, { chain }: ImageRecord): string {
  return stores.layers.get(chain)?.tree ?? '';
}

/** What a plain pull makes of it. */
async function plainTree(t: TestContext, layer: ImageLayer | undefined = V2): Promise<string> {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  registry.addImage(image(layer), 'team/app', '2');
  const bench = await pullBench(t, registry.conf);
  return treeOf(bench, await bench.puller.pull(`${NAME}:2`, undefined, limit()));
}

function bytesOf(ranges: readonly string[]): number {
  return ranges.reduce((sum, range) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    return sum + (from === undefined ? Infinity : Number(to) - Number(from) + 1);
  }, 0);
}

/** The layer has come whole, and is right; nothing is left of the attempt. */
async function assertWhole(t: TestContext, lab: Lab, why: RegExp, layer = V2): Promise<void> {
  const ended: PullSnapshot[] = [];
  lab.puller.onEnded((pull) => ended.push(pull));
  const record = await lab.puller.pull(`${NAME}:2`, undefined, limit());
  const shown = ended[0]?.layers[0];
  assert.deepEqual([shown?.isOfChunks, shown?.receivedBytes, shown?.wantedBytes], [false, layer?.blob.length, layer?.blob.length]);
  assert.equal(treeOf(lab, record), await plainTree(t, layer));
  const told = lab.log.filter((line) => line.includes('is fetched whole'));
  assert.equal(told.length, 1, lab.log.join('\n'));
  assert.match(told[0]!, why);
  assert.deepEqual(
    (await inventoryOf(lab.root)).filter((path) => /ingest|staging|removing/.test(path)),
    [],
  );
}

test(
  'of a layer that differs by a twentieth the chunks that are new are fetched, and the tree is that of a plain pull',
  { skip: noChunked || noRegistry },
  async (t) => {
    const registry = await TestRegistry.start();
    t.after(async () => registry.stop());
    await registry.push(image(V1), 'team/app', ['1']);
    await registry.push(image(V2), 'team/app', ['2']);
    const conf = `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n`;
    const bench = await pullBench(t, conf, { discardsBlobs: () => true, rangeBytes: () => 8 * MIB });
    const first = await bench.puller.pull(`${NAME}:1`, undefined, limit());
    assert.equal(treeOf(bench, first), await plainTree(t, V1));
    const before = await registry.sentBytes();
    const ended: PullSnapshot[] = [];
    bench.puller.onEnded((pull) => ended.push(pull));
    const second = await bench.puller.pull(`${NAME}:2`, undefined, limit());
    const sent = (await registry.sentBytes()) - before;
    t.diagnostic(`${sent} bytes on the wire, the blob has ${V2!.blob.length}`);
    assert.ok(sent < V2!.blob.length * 0.2, `${sent} of ${V2!.blob.length}`);
    const { isOfChunks, receivedBytes, wantedBytes, sources } = ended[0]?.layers[0] ?? assert.fail('it was not told of');
    assert.deepEqual([isOfChunks, receivedBytes, sources[0]?.bytes], [true, wantedBytes, receivedBytes]);
    assert.ok(receivedBytes < sent && receivedBytes > sent * 0.9, `${receivedBytes} of ${sent}, the rest is manifest and config`);
    assert.equal(treeOf(bench, second), await plainTree(t));
    assert.equal(second.layers[0]?.digest, V2!.digest);
    assert.equal(await bench.stores.layers.verify(second.chain), 'sound');
    assert.deepEqual(
      (await inventoryOf(bench.root)).filter((path) => /ingest|staging|removing/.test(path)),
      [],
    );
  },
);

test('a layer that was put together is itself a source for the next', { skip: noChunked }, async (t) => {
  const lab = await start(t);
  const second = await lab.puller.pull(`${NAME}:2`, undefined, limit());
  await lab.stores.images.remove(`${NAME}:1`);
  const next = await chunkedLayer([...entriesOf(2), { path: 'more', kind: 'file', data: noise(100_000, 99) }]);
  lab.registry.addImage(image(next), 'team/app', '3');
  const third = await lab.puller.pull(`${NAME}:3`, undefined, limit());
  assert.equal(treeOf(lab, third), await plainTree(t, next));
  assert.equal(lab.log.filter((line) => line.includes('was put together of chunks')).length, 2, lab.log.join('\n'));
  assert.notEqual(third.chain, second.chain);
});

test('a layer that was loaded from an archive is a source as well', { skip: noChunked }, async (t) => {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  registry.addImage(image(V2), 'team/app', '2');
  const bench = await pullBench(t, registry.conf, { discardsBlobs: () => true });
  const archive = join(await scratchDirectory(t), 'image.tar');
  await writeFile(archive, ociArchive([{ name: 'localhost/app:1', ...image(V1), architecture: 'amd64' }]));
  await loadArchive(bench.stores, archive, { signal: limit() });
  const record = await bench.puller.pull(`${NAME}:2`, undefined, limit());
  assert.equal(treeOf(bench, record), await plainTree(t));
  const asked = registry.requests.filter((request) => request.includes(V2!.digest));
  assert.ok(asked.length > 2, asked.join(' '));
});

test('a file that was changed on the disk is no source', { skip: noChunked }, async (t) => {
  const lab = await start(t);
  const [tree = ''] = lab.stores.layers.lowerDirs(lab.stores.images.list()[0]!.chain);
  const untouched = bytesOf(
    (await start(t).then(async (other) => (await other.puller.pull(`${NAME}:2`, undefined, limit()), other))).ranges,
  );
  await writeFile(join(tree, 'usr/lib/large'), Buffer.concat([LARGE.subarray(0, 2 * MIB), Buffer.alloc(2 * MIB, 7)]));
  const record = await lab.puller.pull(`${NAME}:2`, undefined, limit());
  assert.equal(treeOf(lab, record), await plainTree(t));
  assert.ok(bytesOf(lab.ranges) > untouched + 1.5 * MIB, `${bytesOf(lab.ranges)} beside ${untouched}`);
  assert.ok(!lab.ranges.includes('-'));
});

test('a registry that knows no ranges sends the whole', { skip: noChunked }, async (t) => {
  const lab = await start(t, { ranges: false });
  await assertWhole(t, lab, /does not send the range/);
});

const noSkopeo = (await findProgram('skopeo')) === undefined && 'skopeo is not in PATH (Debian package skopeo)';

test(
  "of layers that Debian's skopeo made, without a tar-split, large files are put together too",
  { skip: noSkopeo || noRegistry },
  async (t) => {
    const registry = await TestRegistry.start();
    t.after(async () => registry.stop());
    const scratch = await scratchDirectory(t);
    for (const version of [1, 2] as const) {
      const archive = join(scratch, `${version}.tar`);
      const name = `localhost/app:${version}`;
      await writeFile(archive, dockerArchive([{ name, config: {}, layers: [await makeLayer(entriesOf(version), 'none')] }]));
      const options = [
        '--insecure-policy',
        'copy',
        '-q',
        '--dest-tls-verify=false',
        '--dest-compress-format',
        'zstd:chunked',
        '--format',
        'oci',
      ];
      await execa('skopeo', [...options, `docker-archive:${archive}`, `docker://${registry.host}/team/app:${version}`]);
    }
    const conf = `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n`;
    const bench = await pullBench(t, conf, { discardsBlobs: () => true, rangeBytes: () => 8 * MIB });
    await bench.puller.pull(`${NAME}:1`, undefined, limit());
    const before = await registry.sentBytes();
    const second = await bench.puller.pull(`${NAME}:2`, undefined, limit());
    const sent = (await registry.sentBytes()) - before;
    const blobBytes = second.layers[0]!.sizeBytes;
    t.diagnostic(`${sent} bytes on the wire, the blob has ${blobBytes}`);
    assert.ok(sent < blobBytes * 0.6, `${sent} of ${blobBytes}`);
    const plain = await pullBench(t, conf);
    assert.equal(treeOf(bench, second), treeOf(plain, await plain.puller.pull(`${NAME}:2`, undefined, limit())));
  },
);

/** The layer with another table of contents, whose digest is right unless it is given. */
async function withToc(
  layer: ImageLayer,
  change: (toc: { entries: Entry[]; tarSplitDigest?: string }) => void,
  digest?: string,
): Promise<ImageLayer> {
  const { 'io.github.containers.zstd-chunked.manifest-position': place = '', ...annotations } = layer.annotations ?? {};
  const [offset = 0, stored = 0] = place.split(':').map(Number);
  const toc = JSON.parse((await promisify(zstdDecompress)(layer.blob.subarray(offset, offset + stored))).toString()) as {
    entries: Entry[];
  };
  change(toc);
  const plain = Buffer.from(JSON.stringify(toc));
  const bytes = await promisify(zstdCompress)(plain);
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50, 0);
  header.writeUInt32LE(bytes.length, 4);
  const blob = Buffer.concat([layer.blob, header, bytes]);
  return {
    ...layer,
    blob,
    digest: sha256(blob),
    annotations: {
      ...annotations,
      'io.github.containers.zstd-chunked.manifest-position': `${layer.blob.length + 8}:${bytes.length}:${plain.length}:1`,
      'io.github.containers.zstd-chunked.manifest-checksum': digest ?? sha256(bytes),
    },
  };
}

interface Entry {
  type: string;
  name: string;
  size?: number;
  digest?: string;
  offset?: number;
  endOffset?: number;
  chunkDigest?: string;
  chunkSize?: number;
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

const fileIn = (toc: { entries: Entry[] }, name: string): Entry => toc.entries.find((entry) => entry.name === name)!;
/** A file that is not the same in both versions. */
const OTHER = 'usr/share/app/d6/file-20';

const LIES: readonly [what: string, why: RegExp, change: (toc: { entries: Entry[]; tarSplitDigest?: string }) => void, digest?: string][] = [
  ['has not the digest that the manifest names', /digest of its table of contents is sha256:.*, must be sha256:0{64}/, () => undefined, `sha256:${'0'.repeat(64)}`],
  ['says that another file is a chunk', /digest of the unpacked data is/, (toc) => (fileIn(toc, 'usr/lib/as-large').digest = fileIn(toc, 'usr/lib/as-small').digest!)],
  ['has a wrong digest of a chunk that is fetched', /digest of a chunk is/, (toc) => (fileIn(toc, OTHER).digest = `sha256:${'1'.repeat(64)}`)],
  ['has a wrong digest of the tar-split', /digest of its tar-split is/, (toc) => (toc.tarSplitDigest = `sha256:${'2'.repeat(64)}`)],
  ['has chunks that overlap', /chunks overlap/, (toc) => (fileIn(toc, OTHER).offset! -= 100_000)],
  ['has a file that ends before it begins', /chunks overlap/, (toc) => (fileIn(toc, OTHER).endOffset = 1)],
  ['has a chunk that is not in the blob', /not in the content of the blob/, (toc) => (toc.entries.at(-1)!.endOffset = 1e12)],
  ['says that a file is larger than what is free', /are free where layers are/, (toc) => (fileIn(toc, OTHER).size = 1e15)],
  ['has chunks that do not make up their file', /the chunks of .* have .* bytes, must have/, (toc) => (fileIn(toc, 'usr/lib/large').size! += 1)],
  ['lacks a file of the tar-split', /files are not those of its tar-split/, (toc) => (toc.entries = toc.entries.filter(({ name }) => name !== OTHER))],
]; // prettier-ignore

for (const [what, why, change, digest] of LIES) {
  test(`a table of contents that ${what} makes it a pull of the whole`, { skip: noChunked }, async (t) => {
    const layer = await withToc(V2!, change, digest);
    await assertWhole(t, await start(t, {}, layer), why, layer);
  });
}

test('a range with other bytes than it should have makes it a pull of the whole', { skip: noChunked }, async (t) => {
  const lab = await start(t, {
    fault: (request, response) => {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      // The index comes as it is.
      if (from === undefined || request.url?.includes(V2!.digest) !== true || Number(to) > V2!.blob.length - 1000) return false;
      const bytes = Buffer.from(V2!.blob.subarray(Number(from), Number(to) + 1));
      bytes[bytes.length >> 1]! ^= 1;
      response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${V2!.blob.length}`, 'content-length': bytes.length }).end(bytes);
      return true;
    },
  });
  await assertWhole(t, lab, /digest of a chunk is|decompress/);
});

test('a range that breaks is taken up again', { skip: noChunked }, async (t) => {
  let broken = 0;
  const lab = await start(t, {
    fault: (request, response) => {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      if (from === undefined || request.url?.includes(V2!.digest) !== true || Number(to) - Number(from) < 20_000 || broken > 2)
        return false;
      broken += 1;
      response.writeHead(206, {
        'content-range': `bytes ${from}-${to}/${V2!.blob.length}`,
        'content-length': Number(to) - Number(from) + 1,
      });
      response.write(V2!.blob.subarray(Number(from), Number(from) + 10_000), () => response.destroy());
      return true;
    },
  });
  const record = await lab.puller.pull(`${NAME}:2`, undefined, limit());
  assert.equal(treeOf(lab, record), await plainTree(t));
  assert.ok(broken > 0 && !lab.ranges.includes('-'), lab.ranges.join(' '));
});

test('eStargz is fetched whole, as gzip', { skip: noChunked }, async (t) => {
  const blob = await promisify(gzip)(V2!.tar);
  const estargz = { 'containerd.io/snapshot/stargz/toc.digest': sha256(blob), 'io.containers.estargz.uncompressed-size': '1' };
  const layer: ImageLayer = { ...V2!, compression: 'gzip', blob, digest: sha256(blob), annotations: estargz };
  const lab = await start(t, {}, layer);
  assert.equal(treeOf(lab, await lab.puller.pull(`${NAME}:2`, undefined, limit())), await plainTree(t, layer));
  assert.ok(!lab.log.some((line) => line.includes('chunks')), lab.log.join());
});

test('where blobs are kept, the whole is fetched, and its blob is there', { skip: noChunked }, async (t) => {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  registry.addImage(image(V1), 'team/app', '1');
  registry.addImage(image(V2), 'team/app', '2');
  let discards = true;
  const bench = await pullBench(t, registry.conf, { discardsBlobs: () => discards });
  await bench.puller.pull(`${NAME}:1`, undefined, limit());
  discards = false;
  await bench.puller.pull(`${NAME}:2`, undefined, limit());
  assert.equal(bench.stores.blobs.sizeOf(V2!.digest as Digest), V2!.blob.length);
});

test(
  'a process killed at any stage of a pull by chunks leaves an image or nothing, and the next pull works',
  { skip: noChunked },
  async (t) => {
    const registry = await FaultyRegistry.start();
    t.after(async () => registry.stop());
    registry.addImage(image(V1), 'team/app', '1');
    registry.addImage(image(V2), 'team/app', '2');
    const scratch = await scratchDirectory(t);
    const conf = join(scratch, 'registries.conf');
    await writeFile(conf, registry.conf);
    const env = { DISCARD_BLOBS: '1' };
    await killAtEachStage(scratch, { name: `${NAME}:2`, before: `${NAME}:1`, conf, env, leastStages: 8, mustPass: 'pull.chunks-unpacked' });
  },
);
