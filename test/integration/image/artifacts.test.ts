/** OCI artifacts: what is kept of them, what is refused, and that a kill leaves one or nothing. */
// long: 30 s
import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createWriteStream } from 'node:fs';
import { artifactManifest, EMPTY, pushArtifact } from '../../../scripts/push-image.ts';
import type { ArtifactFile } from '../../../scripts/push-image.ts';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { saveArchive } from '../../../src/image/save.ts';
import type { ImageRecord } from '../../../src/image/store.ts';
import { digest, FaultyRegistry } from '../../support/faulty-registry.ts';
import type { FaultyRegistryOptions } from '../../support/faulty-registry.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { pullBench } from '../../support/pull-bench.ts';
import type { PullBench } from '../../support/pull-bench.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { killAtEachStage } from '../../support/take-image.ts';

const signal = AbortSignal.timeout(120_000);
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const NAME = 'registry.example/models/tiny:1';
const FILES: readonly ArtifactFile[] = [
  { name: 'model.safetensors', data: Buffer.alloc(600_000, 'weights') },
  { name: '/tokenizer/./vocab.json', data: Buffer.from('{"a":1}') },
  { name: 'tokenizer/x/../merges.txt', data: Buffer.from('a b') },
  { name: 'copy', data: Buffer.alloc(600_000, 'weights') },
  { data: Buffer.from('nobody sees this') },
];

async function bench(t: TestContext, options: FaultyRegistryOptions = {}): Promise<PullBench & { readonly registry: FaultyRegistry }> {
  const registry = await FaultyRegistry.start(options);
  t.after(async () => registry.stop());
  return { ...(await pullBench(t, registry.conf)), registry };
}

function add(registry: FaultyRegistry, files: readonly ArtifactFile[], tag = '1'): string {
  for (const data of [EMPTY, ...files.map((file) => file.data)]) registry.add('models/tiny', 'blobs', data, 'application/octet-stream');
  return registry.add('models/tiny', 'manifests', artifactManifest(files), MANIFEST, tag);
}

function treeOf(stores: ImageStorage, image: ImageRecord): string {
  return stores.layers.lowerDirs(image.chain)[0] ?? '';
}

test('the files of an artifact are by their titles, once on the disk, and readable for all', async (t) => {
  const { puller, stores, root, registry } = await bench(t);
  const manifest = add(registry, FILES);
  const image = await puller.pull(NAME, undefined, signal);
  assert.equal(image.id, manifest);
  assert.deepEqual(image.artifact, { type: 'application/vnd.example.model', files: 4 });
  assert.deepEqual([image.names, image.digests], [[NAME], [`registry.example/models/tiny@${manifest}`]]);
  const tree = treeOf(stores, image);
  assert.deepEqual((await readdir(tree, { recursive: true })).sort(), ['copy', 'model.safetensors', 'tokenizer', 'tokenizer/merges.txt', 'tokenizer/vocab.json']); // prettier-ignore
  assert.deepEqual(await readFile(join(tree, 'tokenizer/vocab.json')), FILES[1]?.data);
  const weights = await lstat(join(tree, 'model.safetensors'));
  assert.deepEqual([weights.mode & 0o7777, weights.uid, weights.nlink, (await lstat(join(tree, 'tokenizer'))).mode & 0o7777], [0o644, 0, 3, 0o755]); // prettier-ignore
  assert.equal(weights.ino, (await lstat(stores.blobs.path(digest(FILES[0]!.data) as never))).ino);
  // As CRI-O counts it: each content once, and the documents.
  assert.equal(image.sizeBytes, 600_000 + 7 + 3 + 16 + 2 + artifactManifest(FILES).length);
  const { usedBytes } = stores.images.usage();
  assert.ok(usedBytes < image.sizeBytes + 10_000, `${usedBytes} bytes`);

  // Again, by its digest: nothing is fetched but the manifest.
  const before = registry.requests.length;
  await puller.pull(`registry.example/models/tiny@${manifest}`, undefined, signal);
  assert.ok(registry.requests.slice(before).every((line) => line.includes('/manifests/') || line.includes(digest(EMPTY))));
  await stores.images.remove(NAME);
  assert.deepEqual(await inventoryOf(root), []);
});

test('content that an image or another artifact has here is not fetched again, and stays while one of them does', async (t) => {
  const { puller, stores, root, registry } = await bench(t);
  const layer = await makeLayer([{ path: 'f', kind: 'file', data: 'f' }]);
  registry.addImage({ config: {}, layers: [layer] }, 'team/app', '1');
  add(registry, [{ name: 'layer.tar.gz', data: layer.blob }, FILES[0]!], 'a');
  add(registry, [{ name: 'other', data: FILES[0]!.data }], 'b');
  await puller.pull('registry.example/team/app:1', undefined, signal);
  await puller.pull('registry.example/models/tiny:a', undefined, signal);
  const b = await puller.pull('registry.example/models/tiny:b', undefined, signal);
  assert.ok(!registry.requests.some((line) => line.includes(`models/tiny/blobs/${layer.digest}`)));
  assert.equal(registry.requests.filter((line) => line.includes(digest(FILES[0]!.data))).length, 1);
  await stores.images.remove('registry.example/models/tiny:a');
  assert.deepEqual(await readFile(join(treeOf(stores, b), 'other')), FILES[0]!.data);
  await stores.images.remove('registry.example/models/tiny:b');
  await stores.images.remove('registry.example/team/app:1');
  assert.deepEqual(await inventoryOf(root), []);
});

test('titles that no tree can have are refused by layer and name, and nothing is left', async (t) => {
  const { puller, root, registry } = await bench(t);
  const cases: readonly [titles: readonly string[], words: RegExp][] = [
    [
      ['ok', '../../etc/cron.d/x'],
      /layers\[1\] \(sha256:[0-9a-f]{64}\): its title "\.\.\/\.\.\/etc\/cron\.d\/x" leads out of the artifact/,
    ],
    [['a/../..'], /layers\[0\].* leads out of the artifact/],
    [['./'], /layers\[0\].* names no file/],
    [['a\0b'], /has a NUL character/],
    [['n'.repeat(256)], /is too long, must have at most 255 bytes between slashes/],
    [['a/b/c', 'a/b'], /it has a file "a\/b" and a file "a\/b\/c" below it/],
  ];
  for (const [index, [titles, words]] of cases.entries()) {
    add(registry, titles.map((name, n) => ({ name, data: Buffer.from(`${n}`) })), `bad${index}`); // prettier-ignore
    await assert.rejects(puller.pull(`registry.example/models/tiny:bad${index}`, undefined, signal), { kind: 'InvalidArgument', message: words }); // prettier-ignore
  }
  assert.deepEqual(await inventoryOf(root), []);
});

test('a file that is not what its digest says is refused, and so is one that is cut off or too long', async (t) => {
  const wrong = digest(FILES[0]!.data);
  const answers: Readonly<Record<string, Buffer>> = {
    other: Buffer.alloc(600_000, 'poison!'),
    longer: Buffer.alloc(700_000),
    short: Buffer.alloc(10),
  };
  for (const [name, bytes] of Object.entries(answers)) {
    const { puller, root, registry } = await bench(t, {
      fault: (request, response) => {
        if (request.url?.includes(wrong) !== true) return false;
        response.end(bytes);
        return true;
      },
    });
    add(registry, FILES);
    await assert.rejects(puller.pull(NAME, undefined, signal), { kind: name === 'short' ? 'RegistryUnavailable' : 'FailedPrecondition' }, name); // prettier-ignore
    assert.deepEqual(await inventoryOf(root), [], name);
  }
});

test('an artifact is saved as an OCI layout, and is the same where it is loaded', async (t) => {
  const { puller, stores, registry } = await bench(t);
  add(registry, FILES);
  const image = await puller.pull(NAME, undefined, signal);
  const scratch = await scratchDirectory(t);
  const file = join(scratch, 'saved.tar');
  await saveArchive(stores, [image], createWriteStream(file), { format: 'oci', signal });
  await assert.rejects(saveArchive(stores, [image], createWriteStream(join(scratch, 'no')), { format: 'docker', signal }), {
    kind: 'InvalidArgument',
    message: /is an artifact, which docker's format cannot hold/,
  });
  const other = join(scratch, 'other');
  await mkdir(other);
  const elsewhere = await startImageStorage(other);
  t.after(async () => elsewhere.close());
  const [loaded] = await loadArchive(elsewhere, file, { signal });
  assert.ok(loaded !== undefined);
  assert.deepEqual([loaded.id, loaded.artifact, loaded.names, loaded.sizeBytes], [image.id, image.artifact, image.names, image.sizeBytes]);
  assert.deepEqual(await readFile(join(treeOf(elsewhere, loaded), 'model.safetensors')), FILES[0]!.data);
});

test('a process killed at any stage of an artifact pull leaves it or nothing, and the next pull works', { skip: noRegistry }, async (t) => {
  const registry = await TestRegistry.start();
  t.after(async () => registry.stop());
  await pushArtifact(FILES, { registry: registry.url, repository: 'models/tiny', tags: ['1'] });
  const scratch = await scratchDirectory(t);
  const conf = join(scratch, 'registries.conf');
  await writeFile(conf, `[[registry]]\nprefix = "registry.example"\nlocation = "${registry.host}"\ninsecure = true\n`);
  await killAtEachStage(scratch, { name: NAME, conf, leastStages: 7 });
});
