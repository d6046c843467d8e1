import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { makeLayer, sha256 } from '../../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../../scripts/make-demo-image.ts';
import { makeTar } from '../../../scripts/tar-writer.ts';
import type { TarEntry } from '../../../scripts/tar-writer.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { MEDIA } from '../../../src/image/oci-types.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { END_OF_TAR, paxHeader, rawMember } from '../../support/tar-blocks.ts';

const signal = AbortSignal.timeout(120_000);
const MIB = 1024 * 1024;

async function storage(t: TestContext): Promise<{ stores: ImageStorage; root: string; scratch: string }> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  return { stores, root, scratch };
}

/** An OCI layout under construction: documents by their digests, and what index.json names. */
class Layout {
  readonly #blobs = new Map<string, Buffer>();

  add(document: Buffer | object): { digest: string; size: number } {
    const bytes = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
    const digest = sha256(bytes);
    this.#blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  /** An image of one layer for an architecture. */
  image(layer: ImageLayer, architecture: string, text: string): { mediaType: string; digest: string; size: number } {
    this.add(layer.blob);
    const config = { os: 'linux', architecture, config: { Cmd: [text] }, rootfs: { type: 'layers', diff_ids: [layer.diffId] } };
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: { mediaType: MEDIA.ociConfig, ...this.add(config) },
      layers: [{ mediaType: MEDIA.ociLayerGzip, digest: layer.digest, size: layer.blob.length }],
    };
    return { mediaType: MEDIA.ociManifest, ...this.add(manifest) };
  }

  index(...manifests: object[]): { mediaType: string; digest: string; size: number } {
    return { mediaType: MEDIA.ociIndex, ...this.add({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }) };
  }

  archive(...manifests: object[]): Buffer {
    const entries: TarEntry[] = [{ path: 'index.json', kind: 'file', data: JSON.stringify({ schemaVersion: 2, manifests }) }];
    for (const [digest, data] of this.#blobs) entries.push({ path: `blobs/sha256/${digest.slice(7)}`, kind: 'file', data });
    return makeTar(entries);
  }
}

const layer = await makeLayer([{ path: 'f', kind: 'file', data: 'f' }]);

test('indexes in indexes without platforms are searched for the image of this machine', async (t) => {
  const { stores, scratch } = await storage(t);
  const platform = { os: 'linux', architecture: 'amd64' };
  const layout = new Layout();
  const arm = layout.image(layer, 'arm64', 'arm');
  const amd = layout.image(layer, 'amd64', 'amd');
  const of = (architecture: string): object => ({ platform: { os: 'linux', architecture } });
  const forms = {
    'two indexes, the second has it': layout.index(layout.index({ ...arm, ...of('arm64') }), layout.index({ ...amd, ...of('amd64') })),
    'manifests that do not say': layout.index(arm, amd),
    'a mark of attestations first': layout.index({ ...arm, ...of('unknown') }, layout.index(layout.index(arm, amd))),
  };
  for (const [name, top] of Object.entries(forms)) {
    const file = join(scratch, 'archive.tar');
    await writeFile(file, layout.archive(top));
    const [image] = await loadArchive(stores, file, { signal, platform });
    assert.deepEqual(image?.config.config?.Cmd, ['amd'], name);
  }
  const none = join(scratch, 'none.tar');
  await writeFile(none, layout.archive(layout.index(layout.index({ ...arm, ...of('arm64') }), arm)));
  await assert.rejects(loadArchive(stores, none, { signal, platform }), { kind: 'NotFound', message: /no image is for linux\/amd64/ });
});

test('an index of a ladder of indexes, or of too many that may fit, is given up', async (t) => {
  const { stores, root, scratch } = await storage(t);
  const platform = { os: 'linux', architecture: 'amd64' };
  const layout = new Layout();
  let deep = layout.image(layer, 'amd64', 'deep');
  for (let depth = 0; depth < 6; depth += 1) deep = layout.index(deep);
  const wide = layout.index(...Array.from({ length: 200 }, (_, index) => layout.image(layer, 'arm64', `arm ${index}`)));
  for (const [top, words] of [
    [deep, /more than 4 indexes in one another/],
    [wide, /more than 16 documents/],
  ] as const) {
    const file = join(scratch, 'archive.tar');
    await writeFile(file, layout.archive(top));
    await assert.rejects(loadArchive(stores, file, { signal, platform }), { kind: 'InvalidArgument', message: words });
  }
  assert.deepEqual(await inventoryOf(root), []);
});

test('an index.json of 60,000 images is refused at once, and so is a manifest.json', async (t) => {
  const { stores, root, scratch } = await storage(t);
  const [index, docker] = [join(scratch, 'index.tar'), join(scratch, 'docker.tar')] as const;
  await writeFile(
    index,
    new Layout().archive(...Array.from({ length: 60_000 }, (_, n) => ({ digest: sha256(Buffer.from(`${n}`)), size: 1 }))),
  );
  const entries = Array.from({ length: 60_000 }, () => ({ Config: 'c', Layers: [] }));
  await writeFile(docker, makeTar([{ path: 'manifest.json', kind: 'file', data: JSON.stringify(entries) }]));
  const names = [{ Config: 'c', Layers: [], RepoTags: Array.from({ length: 100_000 }, (_, n) => `x/y:${n}`) }];
  const startedMs = performance.now();
  for (const file of [index, docker])
    await assert.rejects(loadArchive(stores, file, { signal }), {
      kind: 'InvalidArgument',
      message: /has 60000 images, must have at most 1000/,
    });
  await writeFile(docker, makeTar([{ path: 'manifest.json', kind: 'file', data: JSON.stringify(names) }]));
  await assert.rejects(loadArchive(stores, docker, { signal }), {
    kind: 'InvalidArgument',
    message: /has 100000 names, must have at most 10000/,
  });
  const tookMs = performance.now() - startedMs;
  t.diagnostic(`${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 5000, `${tookMs} ms`); // copying each group for each of its members takes half a minute
  assert.deepEqual(await inventoryOf(root), []);
});

test('an archive whose member names have 160 MiB is refused after the first sixteen', async (t) => {
  const { stores, root, scratch } = await storage(t);
  const file = join(scratch, 'names.tar');
  const member = (index: number): Buffer =>
    Buffer.concat([paxHeader('x', [['path', `${index}`.padEnd(MIB - 100, 'n')]]), rawMember('0', '')]);
  await writeFile(file, '');
  for (let index = 0; index < 160; index += 1) await writeFile(file, member(index), { flag: 'a' });
  await writeFile(file, END_OF_TAR, { flag: 'a' });
  await assert.rejects(loadArchive(stores, file, { signal }), {
    kind: 'InvalidArgument',
    message: /the names of its members have more than 16777216 bytes: this is no image archive/,
  });
  assert.deepEqual(await inventoryOf(root), []);
});

async function peakBytes(): Promise<number> {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

test('sixty images of one archive with a config of 7 MiB are read one at a time, and its history is not kept', async (t) => {
  const { stores, scratch } = await storage(t);
  const history = Array.from({ length: 70_000 }, () => ({ created_by: 'x'.repeat(85) }));
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.diffId] }, history }),
  );
  assert.ok(config.length > 7_000_000 && config.length < 8 * MIB, `${config.length}`);
  const names = Array.from({ length: 60 }, (_, index) => ({ Config: 'config', Layers: ['layer'], RepoTags: [`localhost/same:${index}`] }));
  const file = join(scratch, 'docker.tar');
  await writeFile(
    file,
    makeTar([
      { path: 'manifest.json', kind: 'file', data: JSON.stringify(names) },
      { path: 'config', kind: 'file', data: config },
      { path: 'layer', kind: 'file', data: layer.blob },
    ]),
  );
  await writeFile('/proc/self/clear_refs', '5');
  const before = await peakBytes();
  const loaded = await loadArchive(stores, file, { signal });
  const grown = (await peakBytes()) - before;
  t.diagnostic(`grown by ${grown} bytes`);
  assert.ok(grown < 250 * MIB, `grown by ${grown} bytes`);
  assert.equal(loaded.at(-1)?.names.length, 60);
  assert.ok(JSON.stringify(loaded.at(-1)).length < 20_000);
  const image = stores.images.resolve('localhost/same:7');
  assert.ok(image !== undefined);
  const document = (await stores.images.configDocument(image)) as { history: unknown[] };
  assert.equal(document.history.length, 70_000);
});

test('a config over 8 MiB and an image of more layers than overlayfs stacks are refused, before a layer is fetched', async (t) => {
  const { stores, root, scratch } = await storage(t);
  const file = join(scratch, 'archive.tar');
  const archive = async (config: object, layers: number): Promise<void> => {
    const entry = { Config: 'config', Layers: Array.from({ length: layers }, () => 'layer'), RepoTags: ['localhost/odd:1'] };
    await writeFile(
      file,
      makeTar([
        { path: 'manifest.json', kind: 'file', data: JSON.stringify([entry]) },
        { path: 'config', kind: 'file', data: JSON.stringify(config) },
        { path: 'layer', kind: 'file', data: layer.blob },
      ]),
    );
  };
  await archive({ rootfs: { type: 'layers', diff_ids: [layer.diffId] }, author: 'x'.repeat(10 * MIB) }, 1);
  await assert.rejects(loadArchive(stores, file, { signal }), {
    kind: 'InvalidArgument',
    message: /config has \d+ bytes, must have at most 8388608/,
  });
  await archive({ rootfs: { type: 'layers', diff_ids: Array.from({ length: 5000 }, () => layer.diffId) } }, 5000);
  await assert.rejects(loadArchive(stores, file, { signal }), {
    kind: 'InvalidArgument',
    message: /it has 5000 layers, must have at most 499/,
  });
  assert.deepEqual(await inventoryOf(root), []);
});
