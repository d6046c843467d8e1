/** Layers that a disk has damaged: found by the digest of their tree, made anew from their blob, or fetched again. */
import assert from 'node:assert/strict';
import { chmod, lchown, mkdir, readFile, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { readJson, writeJson } from 'fs-extra/esm';
import { makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import { artifactManifest, EMPTY } from '../../../scripts/push-image.ts';
import type { Digest } from '../../../src/base/ids.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { mendLayer, verifyImages } from '../../../src/image/mend-layer.ts';
import { repairImages } from '../../../src/image/repair-images.ts';
import type { ImageRecord } from '../../../src/image/store.ts';
import { openDirectory, setAttribute } from '../../../src/linux/at-calls.ts';
import { close } from '../../../src/linux/libc.ts';
import { StorageWorkers } from '../../../src/storage/storage-workers.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { pullBench } from '../../support/pull-bench.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const signal = AbortSignal.timeout(120_000);
const NAME = 'localhost/test/torn:1';

interface Lab {
  readonly root: string;
  readonly archive: string;
  stores: ImageStorage;
  image: ImageRecord;
}

/** An image of two layers; the upper one has the file that is torn, and a directory that it does not describe. */
async function lab(t: TestContext): Promise<Lab> {
  const scratch = await scratchDirectory(t);
  const [root, archive] = [join(scratch, 'root'), join(scratch, 'image.tar')];
  await mkdir(root);
  const layers = [
    await makeLayer([{ path: 'dir', kind: 'directory', mode: 0o750, uid: 7, gid: 8 }]),
    await makeLayer([{ path: 'dir/file', kind: 'file', data: 'content '.repeat(5000) }]),
  ];
  await writeFile(archive, ociArchive([{ name: NAME, config: {}, layers }]));
  const stores = await startImageStorage(root);
  const [image = assert.fail()] = await loadArchive(stores, archive, { signal });
  const made: Lab = { root, archive, stores, image };
  t.after(async () => made.stores.close());
  return made;
}

function treeOf({ stores, image }: Lab, index: number): string {
  return stores.layers.lowerDirs(image.chain).reverse()[index] ?? assert.fail();
}

/** What a disk does that lost a write: the size and the times are right, the data is not. */
async function tear(path: string): Promise<void> {
  const { size, atimeMs, mtimeMs } = await stat(path);
  await truncate(path, 0);
  await truncate(path, size);
  await utimes(path, atimeMs / 1000, mtimeMs / 1000);
}

async function tearBlob({ stores, image }: Lab, index: number): Promise<void> {
  await tear(stores.blobs.path(image.layers[index]?.digest ?? assert.fail()));
}

const outcomes = async ({ stores }: Lab, isToRepair: boolean): Promise<string[]> =>
  (await verifyImages(stores, isToRepair, signal)).map(({ tree, blob, repair }) => `${tree} ${blob} ${repair}`);

test('a torn file is found, and its layer is made anew from its blob; a container on it keeps it as it is', async (t) => {
  const made = await lab(t);
  assert.deepEqual(await outcomes(made, true), ['sound sound none', 'sound sound none']);
  const before = await inventoryOf(made.root);
  const file = join(treeOf(made, 1), 'dir/file');
  await tear(file);
  assert.deepEqual(await outcomes(made, false), ['sound sound none', 'damaged sound none']);
  made.stores.images.hold(made.image.id, 'user');
  assert.deepEqual(await outcomes(made, true), ['sound sound none', 'damaged sound in use']);
  made.stores.images.release(made.image.id, 'user');
  assert.deepEqual(await outcomes(made, true), ['sound sound none', 'damaged sound mended']);
  assert.equal(await readFile(file, 'utf8'), 'content '.repeat(5000));
  assert.deepEqual(await outcomes(made, false), ['sound sound none', 'sound sound none']);
  assert.equal(((await stat(join(treeOf(made, 1), 'dir'))).mode & 0o777).toString(8), '750', 'as in the layer below');
  assert.deepEqual(await inventoryOf(made.root), before);
});

test('with its blob torn too, the image is set aside, and loading it makes that layer alone', async (t) => {
  const made = await lab(t);
  const before = await inventoryOf(made.root);
  const lower = (await stat(treeOf(made, 0))).ino;
  await tear(join(treeOf(made, 1), 'dir/file'));
  await tearBlob(made, 1);
  assert.deepEqual(await outcomes(made, true), ['sound sound none', 'damaged damaged dropped']);
  assert.equal(made.stores.images.resolve(NAME), undefined);
  const [again = assert.fail()] = await loadArchive(made.stores, made.archive, { signal });
  assert.equal(again.id, made.image.id);
  assert.equal((await stat(treeOf(made, 0))).ino, lower);
  assert.deepEqual(await outcomes(made, false), ['sound sound none', 'sound sound none']);
  const left = (await inventoryOf(made.root)).filter((line) => line !== 'images/bad');
  assert.deepEqual(left, before);
});

/** Makes the disk say that all layers were made in a boot that ended `cleanly` or not. */
async function reboot(made: Lab, cleanly: boolean): Promise<void> {
  if (cleanly) await made.stores.layers.close();
  await made.stores.close();
  const marks = join(made.root, 'layers/boot.json');
  const old = (await readJson(marks)) as { running?: string };
  assert.equal(old.running === undefined, cleanly);
  if (!cleanly) await writeJson(marks, { ...old, running: 'earlier' });
  for (const { chain } of made.image.layers) {
    const path = join(made.root, 'layers', chain.slice(7, 23), 'layer.json');
    await writeJson(path, { ...((await readJson(path)) as object), boot: 'earlier' });
  }
  made.stores = await startImageStorage(made.root);
  made.stores.layers.mend = async (chain) => mendLayer(made.stores, chain);
}

test('after an unclean end of the node layers are looked at before they are used, and once', async (t) => {
  const made = await lab(t);
  const { chain } = made.image;
  const file = join(treeOf(made, 1), 'dir/file');
  await tear(file);
  await reboot(made, true);
  assert.deepEqual(made.stores.layers.suspects, []);

  await reboot(made, false);
  assert.equal(made.stores.layers.suspects.length, 2);
  await Promise.all([made.stores.layers.ready(chain), made.stores.layers.ready(chain)]);
  assert.equal(await readFile(file, 'utf8'), 'content '.repeat(5000));
  assert.deepEqual(made.stores.layers.suspects, []);
  await made.stores.close();
  made.stores = await startImageStorage(made.root);
  assert.deepEqual(made.stores.layers.suspects, [], 'a restart in the same boot has nothing to look at');
});

test('a layer that is lost for good is not used: the image is gone, for the kubelet to pull it', async (t) => {
  const made = await lab(t);
  await tear(join(treeOf(made, 1), 'dir/file'));
  await tearBlob(made, 1);
  await reboot(made, false);
  await assert.rejects(made.stores.layers.ready(made.image.chain), /the disk lost part of it: pull or load its image again/);
  assert.deepEqual(made.stores.images.list(), []);
});

test('the digest of a tree tells every kind of change, and nothing else', async (t) => {
  const scratch = await scratchDirectory(t);
  const workers = new StorageWorkers({ idleMs: 100 });
  t.after(async () => workers.close());
  const when = 1_600_000_000;
  const make = async (name: string, files: readonly string[], change?: (tree: string) => Promise<unknown>): Promise<string> => {
    const tree = join(scratch, name);
    await mkdir(join(tree, 'd'), { recursive: true });
    for (const file of files) await writeFile(join(tree, file), `of ${file}`);
    await symlink('a', join(tree, 'link'));
    await execa('touch', ['-h', '-d', `@${when}`, join(tree, 'link')]);
    await execa('mknod', [join(tree, 'whiteout'), 'c', '0', '0']);
    await change?.(tree);
    for (const path of [...files, 'whiteout', 'd', '.']) await utimes(join(tree, path), when, when).catch(() => undefined);
    return await workers.run('digestTree', { path: tree });
  };
  const same = await make('one', ['a', 'b', 'd/c']);
  assert.equal(await make('two', ['d/c', 'b', 'a']), same);
  const changes: Readonly<Record<string, (tree: string) => Promise<unknown>>> = {
    content: async (tree) => writeFile(join(tree, 'a'), 'OF a'),
    size: async (tree) => truncate(join(tree, 'a'), 2),
    mode: async (tree) => chmod(join(tree, 'd/c'), 0o4755),
    owner: async (tree) => lchown(join(tree, 'link'), 1, 0),
    attribute: (tree) => {
      const fd = openDirectory(join(tree, 'd'));
      setAttribute(fd, 'trusted.overlay.opaque', Buffer.from('y'));
      close(fd);
      return Promise.resolve();
    },
    target: async (tree) =>
      execa('ln', ['-sfn', 'b', join(tree, 'link')]).then(async () => execa('touch', ['-h', '-d', `@${when}`, join(tree, 'link')])),
    device: async (tree) => rm(join(tree, 'whiteout')).then(async () => execa('mknod', [join(tree, 'whiteout'), 'c', '1', '3'])),
    place: async (tree) => execa('mv', [join(tree, 'b'), join(tree, 'd/b')]).then(async () => utimes(join(tree, 'd/b'), when, when)),
    missing: async (tree) => rm(join(tree, 'b')),
    more: async (tree) => writeFile(join(tree, 'e'), '').then(async () => utimes(join(tree, 'e'), when, when)),
    root: async (tree) => chmod(tree, 0o700),
  };
  for (const [what, change] of Object.entries(changes)) assert.notEqual(await make(what, ['a', 'b', 'd/c'], change), same, what);
});

test('what is lost by a repair is pulled again; what somebody removes meanwhile is not', async (t) => {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  const { puller, stores } = await pullBench(t, registry.conf);
  const pulled: Record<string, ImageRecord> = {};
  for (const name of ['torn', 'removed']) {
    registry.addImage({ config: {}, layers: [await makeLayer([{ path: name, kind: 'file', data: `${name} `.repeat(5000) }])] }, name, '1');
    pulled[name] = await puller.pull(`registry.example/${name}:1`, undefined, signal);
  }
  const { torn = assert.fail(), removed = assert.fail() } = pulled;
  await tear(join(stores.layers.lowerDirs(torn.chain)[0] ?? assert.fail(), 'torn'));
  await tear(stores.blobs.path(torn.layers[0]?.digest ?? assert.fail()));
  const verify = stores.layers.verify.bind(stores.layers);
  stores.layers.verify = async (...asked) => {
    await stores.images.remove(removed.id);
    return await verify(...asked);
  };
  const findings = await repairImages(stores, puller, undefined, signal);
  assert.deepEqual(
    findings.filter(({ chain }) => chain === torn.chain),
    [{ image: torn.names[0], chain: torn.chain, digest: torn.layers[0]?.digest, tree: 'damaged', blob: 'damaged', repair: 'fetched' }],
  );
  assert.deepEqual(stores.images.list().map(({ id, names }) => [id, names]), [[torn.id, torn.names]]); // prettier-ignore
});

test('a torn file of an artifact is found by its blob; the next pull fetches that one alone', async (t) => {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  const { puller, stores } = await pullBench(t, registry.conf);
  const files = [
    { name: 'one', data: Buffer.alloc(50_000, 'one ') },
    { name: 'two', data: Buffer.alloc(50_000, 'two ') },
    { data: Buffer.alloc(50_000, 'nameless ') },
  ];
  const blobs = [EMPTY, ...files.map(({ data }) => data)].map((data) => registry.add('model', 'blobs', data, 'application/octet-stream'));
  registry.add('model', 'manifests', artifactManifest(files), 'application/vnd.oci.image.manifest.v1+json', '1');
  const pull = async (): Promise<ImageRecord> => await puller.pull('registry.example/model:1', undefined, signal);
  const { chain } = await pull();
  const found = async (isToRepair: boolean): Promise<string[]> =>
    (await verifyImages(stores, isToRepair, signal)).map(({ tree, blob, repair }) => `${tree} ${blob} ${repair}`);
  assert.deepEqual(await found(false), ['sound sound none', 'sound sound none', 'sound sound none']);

  for (const [torn, tree] of [
    [2, 'damaged'],
    [3, 'sound'],
  ] as const) {
    await tear(stores.blobs.path(blobs[torn] as Digest));
    const states = files.map((_, index) => `${tree} ${index + 1 === torn ? 'damaged' : 'sound'} none`);
    assert.deepEqual(await found(false), states);
    await found(true);
    assert.deepEqual([stores.images.list(), stores.layers.has(chain)], [[], false]);
    const before = registry.requests.length;
    await pull();
    const fetched = registry.requests.slice(before).filter((line) => line.includes('/blobs/') && !line.includes(blobs[0]!));
    assert.deepEqual(fetched, [`GET /v2/model/blobs/${blobs[torn]}`]);
    assert.deepEqual(await found(false), ['sound sound none', 'sound sound none', 'sound sound none']);
  }
});
