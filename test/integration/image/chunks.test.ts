/** zstd:chunked layers put together of chunks that are here and of those that are fetched. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ImageLayer } from '../../../scripts/make-demo-image.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { ImageRecord } from '../../../src/image/store.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { inventoryOf } from '../../support/image-storage.ts';
import { pullBench } from '../../support/pull-bench.ts';
import type { PullBench } from '../../support/pull-bench.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { chunkedLayer, noChunked } from '../../support/zstd-chunked.ts';

const signal = AbortSignal.timeout(120_000);
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
  await bench.puller.pull(`${NAME}:1`, undefined, signal);
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
  return treeOf(bench, await bench.puller.pull(`${NAME}:2`, undefined, signal));
}

function bytesOf(ranges: readonly string[]): number {
  return ranges.reduce((sum, range) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    return sum + (from === undefined ? Infinity : Number(to) - Number(from) + 1);
  }, 0);
}

/** The layer has come whole, and is right; nothing is left of the attempt. */
async function assertWhole(t: TestContext, lab: Lab, why: RegExp, layer = V2): Promise<void> {
  const record = await lab.puller.pull(`${NAME}:2`, undefined, signal);
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
    const first = await bench.puller.pull(`${NAME}:1`, undefined, signal);
    assert.equal(treeOf(bench, first), await plainTree(t, V1));
    const before = await registry.sentBytes();
    const second = await bench.puller.pull(`${NAME}:2`, undefined, signal);
    const sent = (await registry.sentBytes()) - before;
    t.diagnostic(`${sent} bytes on the wire, the blob has ${V2!.blob.length}`);
    assert.ok(sent < V2!.blob.length * 0.2, `${sent} of ${V2!.blob.length}`);
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
  const second = await lab.puller.pull(`${NAME}:2`, undefined, signal);
  await lab.stores.images.remove(`${NAME}:1`);
  const next = await chunkedLayer([...entriesOf(2), { path: 'more', kind: 'file', data: noise(100_000, 99) }]);
  lab.registry.addImage(image(next), 'team/app', '3');
  const third = await lab.puller.pull(`${NAME}:3`, undefined, signal);
  assert.equal(treeOf(lab, third), await plainTree(t, next));
  assert.equal(lab.log.filter((line) => line.includes('was put together of chunks')).length, 2, lab.log.join('\n'));
  assert.notEqual(third.chain, second.chain);
});

test('a file that was changed on the disk is no source', { skip: noChunked }, async (t) => {
  const lab = await start(t);
  const [tree = ''] = lab.stores.layers.lowerDirs(lab.stores.images.list()[0]!.chain);
  const untouched = bytesOf(
    (await start(t).then(async (other) => (await other.puller.pull(`${NAME}:2`, undefined, signal), other))).ranges,
  );
  await writeFile(join(tree, 'usr/lib/large'), Buffer.concat([LARGE.subarray(0, 2 * MIB), Buffer.alloc(2 * MIB, 7)]));
  const record = await lab.puller.pull(`${NAME}:2`, undefined, signal);
  assert.equal(treeOf(lab, record), await plainTree(t));
  assert.ok(bytesOf(lab.ranges) > untouched + 1.5 * MIB, `${bytesOf(lab.ranges)} beside ${untouched}`);
  assert.ok(!lab.ranges.includes('-'));
});

test('a registry that knows no ranges sends the whole', { skip: noChunked }, async (t) => {
  const lab = await start(t, { ranges: false });
  await assertWhole(t, lab, /does not send the range/);
});
