/** image.discard_blobs: what is kept, what is lost, and that the key may change at any time. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { digestsOf, dockerArchive, makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../../scripts/make-demo-image.ts';
import { silentLog } from '../../../src/base/log.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { saveArchive } from '../../../src/image/save.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const signal = AbortSignal.timeout(120_000);
const NAME = 'localhost/test/discard:1';
/** The manifest and the config. */
const DOCUMENTS = 2;

async function image(): Promise<ImageSource> {
  const layers = await Promise.all(['one', 'two'].map(async (data) => await makeLayer([{ path: data, kind: 'file', data }], 'gzip')));
  return { name: NAME, config: {}, layers };
}

async function open(t: TestContext, discards: { is: boolean }): Promise<{ stores: ImageStorage; root: string; archive: string }> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  const stores = await startImageStorage(root, silentLog, () => discards.is);
  t.after(async () => stores.close());
  const archive = join(scratch, 'image.tar');
  await writeFile(archive, ociArchive([await image()]));
  return { stores, root, archive };
}

async function blobsIn(root: string): Promise<number> {
  return (await readdir(join(root, 'blobs/sha256'))).length;
}

async function save(stores: ImageStorage): Promise<void> {
  await saveArchive(stores, stores.images.list(), new PassThrough().resume(), { format: 'oci', signal });
}

test('with discard_blobs an image has its documents and layers, and image save says what to do', async (t) => {
  const discards = { is: true };
  const { stores, root, archive } = await open(t, discards);
  const [record] = await loadArchive(stores, archive, { signal });
  assert.equal(await blobsIn(root), DOCUMENTS);
  assert.equal(stores.layers.list().length, 2);
  const { usedBytes } = stores.images.usage();
  assert.equal(stores.images.get(record!.id)?.sizeBytes, usedBytes);
  assert.ok(usedBytes < record!.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) + stores.layers.usage().usedBytes + 4096);
  await assert.rejects(save(stores), /set image.discard_blobs = false, remove the image, and pull or load it anew/);

  discards.is = false;
  await assert.rejects(save(stores), /its blob must be there: remove the image, and pull or load it anew/);
  await loadArchive(stores, archive, { signal });
  assert.equal(await blobsIn(root), DOCUMENTS, 'an image that is here is not fetched again');
  await stores.images.remove(NAME);
  assert.deepEqual(await inventoryOf(root), []);
  await loadArchive(stores, archive, { signal });
  await save(stores);
});

test('the key drops the blobs of images that are here, at the next collection or start', async (t) => {
  const discards = { is: false };
  const { stores, root, archive } = await open(t, discards);
  const [{ id, sizeBytes } = assert.fail()] = await loadArchive(stores, archive, { signal });
  assert.equal(await blobsIn(root), DOCUMENTS + 2);
  discards.is = true;
  await stores.images.collect();
  assert.equal(await blobsIn(root), DOCUMENTS);
  assert.ok((stores.images.get(id)?.sizeBytes ?? 0) < sizeBytes, 'the size says what a removal frees');

  const again = await startImageStorage(root, silentLog, () => true);
  t.after(async () => again.close());
  assert.deepEqual(again.images.get(id)?.names, [NAME]);
  assert.equal(again.rootfs.lowerDirectories(again.images.get(id)!.chain).length, 2);
});

test('a layer without its blob is used by an archive that has it plain', async (t) => {
  const { stores, root, archive } = await open(t, { is: true });
  await loadArchive(stores, archive, { signal });
  const plain = join(root, '..', 'docker.tar');
  const source = { ...(await image()), name: 'localhost/test/other:1', config: { Labels: { other: 'yes' } } };
  await writeFile(plain, dockerArchive([source]));
  const [record] = await loadArchive(stores, plain, { signal });
  assert.equal(record?.id, digestsOf(source).imageId);
  assert.equal(stores.layers.list().length, 2);
  assert.ok(record.layers.every(({ sizeBytes }) => sizeBytes > 0));
});
