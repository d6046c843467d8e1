import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { digestsOf, dockerArchive, makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../../scripts/make-demo-image.ts';
import type { ContainerId, ImageId } from '../../../src/base/ids.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const signal = AbortSignal.timeout(120_000);

async function source(name: string, text: string): Promise<ImageSource> {
  return {
    name,
    config: { Labels: { text } },
    layers: [await makeLayer([{ path: 'base', kind: 'file', data: 'base' }]), await makeLayer([{ path: 'top', kind: 'file', data: text }])],
  };
}

async function load(stores: ImageStorage, ...images: ImageSource[]): Promise<void> {
  for (const image of images) await loadArchive(stores, Readable.from([ociArchive([image])]), { signal });
}

async function start(t: TestContext): Promise<{ stores: ImageStorage; root: string; scratch: string }> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  return { stores, root, scratch };
}

test('resolve finds an image by every kind of reference, and nothing else', async (t) => {
  const { stores } = await start(t);
  const image = await source('docker.io/library/thing:1.0', 'one');
  await load(stores, image, await source('docker.io/library/thing:latest', 'two'));
  const { imageId, manifestDigest } = digestsOf(image);
  const hex = imageId.slice(7);

  for (const text of [
    imageId,
    hex,
    hex.slice(0, 12),
    `sha256:${hex.slice(0, 12)}`,
    'thing:1.0',
    'library/thing:1.0',
    'docker.io/thing:1.0',
    'index.docker.io/library/thing:1.0',
    `thing@${manifestDigest}`,
    `thing:9@${manifestDigest}`,
    manifestDigest,
  ]) {
    assert.equal(stores.images.resolve(text)?.id, imageId, text);
  }
  assert.notEqual(stores.images.resolve('thing')?.id, imageId);
  for (const text of [
    '',
    'thing:2',
    'other/thing:1.0',
    `other@${manifestDigest}`,
    `sha256:${'0'.repeat(64)}`,
    'Not A Reference',
    hex.slice(0, 2),
    '../etc',
    `thing@sha256:${'0'.repeat(64)}`,
  ]) {
    assert.equal(stores.images.resolve(text), undefined, text);
  }
});

test('a name moves to the image that was loaded last, and the old one stays by its id', async (t) => {
  const { stores, root } = await start(t);
  const [one, two] = [await source('localhost/a:1', 'one'), await source('localhost/a:1', 'two')];
  await load(stores, one, two);
  assert.equal(stores.images.resolve('localhost/a:1')?.id, digestsOf(two).imageId);
  assert.deepEqual(stores.images.resolve(digestsOf(one).imageId)?.names, []);
  const again = await startImageStorage(root);
  assert.deepEqual(
    again.images
      .list()
      .map(({ id, names }) => [id, names])
      .sort(),
    stores.images
      .list()
      .map(({ id, names }) => [id, names])
      .sort(),
  );
  await again.close();
});

test('removing by one name removes all names, five at once succeed, and shared layers stay', async (t) => {
  const { stores, root } = await start(t);
  const image = await source('localhost/a:1', 'one');
  await load(stores, image, { ...image, name: 'quay.example/b:2' }, await source('localhost/other:1', 'other'));
  assert.deepEqual(stores.images.resolve('localhost/a:1')?.names, ['localhost/a:1', 'quay.example/b:2']);
  assert.equal(stores.images.list().length, 2);

  const removed = await Promise.all(
    ['localhost/a:1', 'quay.example/b:2', 'localhost/a:1', digestsOf(image).imageId, 'localhost/a:1'].map(
      async (name) => await stores.images.remove(name),
    ),
  );
  assert.equal(removed.filter((id) => id !== undefined).length, 1);
  assert.equal(stores.images.resolve('quay.example/b:2'), undefined);
  assert.equal(stores.layers.list().length, 2);
  await stores.images.remove('localhost/other:1');
  assert.deepEqual(await inventoryOf(root), []);
  assert.deepEqual(stores.images.usage(), { usedBytes: 0, inodesUsed: 0 });
});

test('an image in use is not removed, and a mounted container keeps its layers whatever becomes of the record', async (t) => {
  const { stores, root, scratch } = await start(t);
  await load(stores, await source('localhost/a:1', 'one'));
  const record = stores.images.resolve('localhost/a:1');
  assert.ok(record !== undefined);
  stores.images.hold(record.id, 'container-1');
  stores.images.hold(record.id, 'container-2');
  stores.images.release(record.id, 'container-1');
  await assert.rejects(stores.images.remove('localhost/a:1'), { kind: 'FailedPrecondition', message: /container-2 uses it/ });

  const container = 'e'.repeat(64) as ContainerId;
  const target = join(scratch, 'target');
  await mkdir(target);
  await stores.rootfs.mount(container, record.chain, { target });
  await writeFile(join(root, 'images', `${record.id.slice(7)}.json`), 'broken');
  const again = await startImageStorage(root);
  assert.equal(again.images.list().length, 0);
  assert.equal(again.layers.list().length, 2);
  await again.rootfs.unmount(container, target);
  await again.rootfs.remove(container);
  await again.images.collect();
  assert.equal(again.layers.list().length, 0);
  await again.close();
});

test('an image removed and loaded at the same time is there or not, but never broken', async (t) => {
  const { stores, root } = await start(t);
  const image = await source('localhost/a:1', 'one');
  const archive = dockerArchive([image]);
  for (let round = 0; round < 10; round += 1) {
    await Promise.all([
      loadArchive(stores, Readable.from([archive]), { signal }),
      stores.images.remove('localhost/a:1'),
      loadArchive(stores, Readable.from([archive]), { signal }),
      stores.images.remove(digestsOf(image).imageId),
    ]);
    for (const { chain } of stores.images.list()) assert.equal(stores.layers.lowerDirs(chain).length, 2);
  }
  await stores.images.remove(digestsOf(image).imageId);
  assert.deepEqual(await inventoryOf(root), []);
});

test('pinned names follow the configuration', async (t) => {
  const { stores } = await start(t);
  await load(stores, await source('docker.io/library/pause:3', 'one'), await source('quay.example/x/y:1', 'two'));
  const pinned = (): string[] =>
    stores.images
      .list()
      .filter((record) => record.pinned)
      .flatMap((record) => record.names);
  assert.deepEqual(pinned(), []);
  stores.images.setPinned(['pause:*']);
  assert.deepEqual(pinned(), ['docker.io/library/pause:3']);
  stores.images.setPinned(['quay.example/*']);
  assert.deepEqual(pinned(), ['quay.example/x/y:1']);
  const [digest = ''] = stores.images.resolve('pause:3')?.digests ?? [];
  for (const pattern of [digest, 'pause@*', 'docker.io/*@sha256:*']) {
    stores.images.setPinned([pattern]);
    assert.deepEqual(pinned(), ['docker.io/library/pause:3'], pattern);
  }
  stores.images.setPinned([digest.slice(0, -1), 'other@*']);
  assert.deepEqual(pinned(), []);
  assert.equal(stores.images.get('sha256:none' as ImageId), undefined);
});
