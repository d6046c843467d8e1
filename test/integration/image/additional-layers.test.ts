/** Images of additional stores beside those that are here: what is kept, what is told, what is removed. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ContainerId, Digest, ImageId } from '../../../src/base/ids.ts';
import { loadArchive } from '../../../src/image/load.ts';
import type { ImageRecord } from '../../../src/image/image-record.ts';
import { saveArchive } from '../../../src/image/save.ts';
import { chainId } from '../../../src/storage/chain-id.ts';
import type { LayerRecord } from '../../../src/storage/layer-record.ts';
import { startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const signal = AbortSignal.timeout(60_000);
const CONTAINER = 'c'.repeat(64) as ContainerId;
const NAME = 'localhost/here:1';
const STORED_NAME = 'localhost/stored:1';

interface Lab {
  readonly root: string;
  readonly target: string;
  readonly stores: ImageStorage;
  /** The image that is here: one layer with `base`. */
  readonly own: ImageRecord;
  /** One of a store: that layer, and one of the store's with `top`. */
  readonly stored: ImageRecord;
  readonly layer: LayerRecord;
}

async function start(t: TestContext): Promise<Lab> {
  const scratch = await scratchDirectory(t);
  const [root, target, tree] = ['root', 'target', 'store/fs'].map((name) => join(scratch, name)) as [string, string, string];
  for (const directory of [root, target, tree]) await mkdir(directory, { recursive: true });
  await writeFile(join(tree, 'top'), 'top');
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  const layers = [await makeLayer([{ path: 'base', kind: 'file', data: 'base' }])];
  await loadArchive(stores, Readable.from([ociArchive([{ name: NAME, config: {}, layers }])]), { signal });
  const [own] = stores.images.list();
  assert.ok(own !== undefined);
  const diffId = `sha256:${'d'.repeat(64)}` as Digest;
  const layer: LayerRecord = {
    version: 1,
    chain: chainId(own.chain, diffId),
    diffId,
    parent: own.chain,
    sizeBytes: 0,
    inodes: 0,
    outside: { tree, store: join(scratch, 'store') },
  };
  const stored: ImageRecord = {
    ...own,
    id: `sha256:${'1'.repeat(64)}` as ImageId,
    names: [STORED_NAME],
    digests: [],
    chain: layer.chain,
    layers: [...own.layers, { digest: diffId, mediaType: '', sizeBytes: 0, diffId, chain: layer.chain }],
    store: join(scratch, 'store'),
  };
  stores.layers.setAdditional([layer]);
  stores.images.setAdditional([stored]);
  return { root, target, stores, own, stored, layer };
}

test('a container on layers of a store and of ours keeps ours while the store is gone, also over a start', async (t) => {
  const { root, target, stores, stored, own } = await start(t);
  await stores.rootfs.mount(CONTAINER, stored.chain, { target });
  try {
    stores.layers.setAdditional([]);
    stores.images.setAdditional([]);
    await stores.images.remove(NAME);
    assert.equal(stores.layers.has(own.chain), true);
    assert.equal(await readFile(join(target, 'base'), 'utf8'), 'base');
    const again = await startImageStorage(root);
    t.after(async () => again.close());
    assert.equal(again.layers.has(own.chain), true);
    assert.equal(await readFile(join(target, 'top'), 'utf8'), 'top');
    await again.rootfs.unmount(CONTAINER, target);
    await again.rootfs.remove(CONTAINER);
    await again.images.collect();
    assert.deepEqual(again.layers.list(), []);
  } finally {
    await stores.rootfs.unmount(CONTAINER, target);
  }
});

test('a container on a lazy layer and on ours keeps both while their store is gone, and their image set aside or removed', async (t) => {
  for (const taken of ['set aside', 'removed'] as const) {
    const { root, target, stores, stored, own, layer } = await start(t);
    stores.layers.setAdditional([]);
    stores.images.setAdditional([]);
    const { outside } = layer;
    assert.ok(outside !== undefined);
    await stores.layers.lazy.add({ ...layer, outside });
    await stores.images.put({ ...stored, store: undefined });
    await stores.rootfs.mount(CONTAINER, layer.chain, { target });
    try {
      await rename(outside.store, `${outside.store}.away`);
      await stores.layers.lazy.look();
      assert.equal(stores.layers.has(layer.chain), false);
      await stores.images.remove(NAME);
      if (taken === 'removed') await stores.images.remove(STORED_NAME);
      else await stores.images.setAside(stored.id);
      // Nothing is retained after a start.
      const again = await startImageStorage(root);
      t.after(async () => again.close());
      t.after(() => {
        again.layers.lazy.close();
      });
      assert.deepEqual(again.images.list(), []);
      assert.deepEqual(
        again.layers
          .list()
          .map(({ chain }) => chain)
          .sort(),
        [own.chain, layer.chain].sort(),
      );
      assert.equal(await readFile(join(target, 'base'), 'utf8'), 'base');
      await again.rootfs.unmount(CONTAINER, target);
      await again.rootfs.remove(CONTAINER);
      await again.images.collect();
      assert.deepEqual(again.layers.list(), []);
    } finally {
      await stores.rootfs.unmount(CONTAINER, target);
    }
  }
});

test('what a container that is being made of an image of a store stands on is kept', async (t) => {
  const { stores, stored, own } = await start(t);
  stores.images.hold(stored.id, CONTAINER);
  await stores.images.remove(NAME);
  assert.equal(stores.layers.has(own.chain), true);
  stores.images.release(stored.id, CONTAINER);
  await stores.images.collect();
  assert.equal(stores.layers.has(own.chain), false);
});

test('an image of a store has not the name of one that is here, however it is asked for', async (t) => {
  const { stores, stored } = await start(t);
  stores.images.setAdditional([{ ...stored, names: [NAME, STORED_NAME] }]);
  assert.deepEqual(stores.images.list().find(({ id }) => id === stored.id)?.names, [STORED_NAME]);
  assert.deepEqual(stores.images.resolve(stored.id)?.names, [STORED_NAME]);
  assert.deepEqual(stores.images.resolve(STORED_NAME)?.names, [STORED_NAME]);
  await stores.images.remove(NAME);
  assert.equal(stores.images.resolve(NAME)?.id, stored.id);
});

test('an image that is here is removed by a name that only a store has for it', async (t) => {
  const { stores, own } = await start(t);
  stores.images.setAdditional([{ ...own, names: [STORED_NAME], store: '/store' }]);
  assert.deepEqual(stores.images.resolve(STORED_NAME)?.names, [NAME, STORED_NAME]);
  assert.equal(await stores.images.remove(STORED_NAME), own.id);
  assert.deepEqual(stores.layers.list(), []);
});

test('a layer on one of a store is not made while that store is gone, and says so', async (t) => {
  const { stores, layer } = await start(t);
  const lower = stores.layers.lowerDirs(layer.chain);
  const content = { diffId: `sha256:${'e'.repeat(64)}` as Digest, sizeBytes: 0, inodes: 1, notes: [], tree: undefined };
  const make = async () => {
    const staged = stores.layers.newStaged();
    await stores.layers.stage(staged);
    await mkdir(join(staged.tree, 'implied'));
    try {
      return await stores.layers.complete(staged, layer.chain, { ...content, impliedDirectories: ['implied'] }, lower);
    } finally {
      await stores.layers.discard(staged);
    }
  };
  assert.equal((await make()).parent, layer.chain);
  await rename(layer.outside?.tree ?? '', `${layer.outside?.store}/away`);
  await assert.rejects(make(), { kind: 'FailedPrecondition', message: /use layers of the store/ });
  stores.layers.setAdditional([]);
  await assert.rejects(make(), { kind: 'FailedPrecondition', message: /its store is gone/ });
});

test('an image that has lost a layer and comes again with other blobs can be saved', async (t) => {
  const { stores, own } = await start(t);
  const [layer] = own.layers;
  assert.ok(layer !== undefined);
  // As where an additional store had the layer: no blob of it was ever here.
  await stores.layers.remove(layer.chain);
  await stores.blobs.remove(layer.digest);
  const layers = [await makeLayer([{ path: 'base', kind: 'file', data: 'base' }], 'zstd')];
  await loadArchive(stores, Readable.from([ociArchive([{ name: NAME, config: {}, layers }])]), { signal });
  const [again] = stores.images.list();
  assert.ok(again !== undefined);
  assert.equal(again.id, own.id);
  assert.equal(again.layers[0]?.digest, layers[0]?.digest);
  await stores.images.collect();
  const archive = new PassThrough();
  const [saved] = await Promise.all([buffer(archive), saveArchive(stores, [again], archive, { format: 'oci', signal })]);
  assert.ok(saved.includes(again.manifestDigest) && saved.includes(layers[0]?.blob ?? 'none'));
});
