/** What a manifest may name, seen through a pull; and chunked layers of real tools, taken as what they are for all others. */
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { makeLayer, ociArchive, sha256 } from '../../../scripts/make-demo-image.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { findProgram } from '../../support/find-program.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import { estargzLayer, noLayerStore, pushChunked } from '../../support/layer-store.ts';
import { pullBench } from '../../support/pull-bench.ts';
import { noRegistry, TestRegistry } from '../../support/registry.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const signal = AbortSignal.timeout(120_000);
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

const base = await makeLayer([{ path: 'base', kind: 'file', data: 'base' }]);
const top = await makeLayer([{ path: 'top', kind: 'file', data: 'top' }]);

/** Serves an image of two layers, whose upper one calls itself this; `isThere`: whether the registry has it. */
function serve(registry: FaultyRegistry, tag: string, mediaType: string, isThere = true): void {
  const blob = (bytes: Buffer): { digest: string; size: number } => ({
    digest: registry.add('team/app', 'blobs', bytes, 'application/octet-stream'),
    size: bytes.length,
  });
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [base.diffId, top.diffId] } }),
  );
  const upper = isThere ? blob(top.blob) : { digest: sha256(Buffer.from('elsewhere')), size: top.blob.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...blob(config) },
    layers: [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...blob(base.blob) },
      { mediaType, ...upper, urls: [`http://${registry.host}/elsewhere`] },
    ],
  };
  registry.add('team/app', 'manifests', Buffer.from(JSON.stringify(manifest)), MANIFEST, tag);
}

test('layers of unknown kinds and foreign ones that are elsewhere are refused by name, and nothing is asked elsewhere', async (t) => {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  const { puller, root } = await pullBench(t, registry.conf);
  serve(registry, 'helm', 'application/vnd.cncf.helm.chart.content.v1.tar+gzip');
  serve(registry, 'encrypted', 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted');
  serve(registry, 'foreign', FOREIGN, false);
  serve(registry, 'kept', FOREIGN);
  await assert.rejects(puller.pull('registry.example/team/app:helm', undefined, signal), {
    kind: 'InvalidArgument',
    message:
      /^pull registry\.example\/team\/app:helm: .*layers\[1\] \(sha256:[0-9a-f]{64}\) is of the media type "application\/vnd\.cncf\.helm/,
  });
  await assert.rejects(puller.pull('registry.example/team/app:encrypted', undefined, signal), {
    message: /is encrypted, which is not supp/,
  });
  await assert.rejects(puller.pull('registry.example/team/app:foreign', undefined, signal), {
    kind: 'FailedPrecondition',
    message: /is a foreign one .* it is at http:\/\/127\.0\.0\.1:\d+\/elsewhere, and layers are not fetched by URL/,
  });
  assert.deepEqual(await inventoryOf(root), []);
  assert.ok(!registry.requests.some((line) => line.includes('/elsewhere')));
  const image = await puller.pull('registry.example/team/app:kept', undefined, signal);
  assert.equal(image.layers[1]?.mediaType, FOREIGN);
});

test('signatures beside an image in an index without platforms are passed over', async (t) => {
  const registry = await FaultyRegistry.start();
  t.after(async () => registry.stop());
  const { puller } = await pullBench(t, registry.conf);
  const image = registry.addImage({ config: { Cmd: ['/app'] }, layers: [base] }, 'team/app', 'image');
  const empty = registry.add('team/app', 'blobs', Buffer.from('{}'), 'application/octet-stream');
  const signature = { schemaVersion: 2, mediaType: MANIFEST, config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty, size: 2 }, layers: [] }; // prettier-ignore
  const digest = registry.add('team/app', 'manifests', Buffer.from(JSON.stringify(signature)), MANIFEST);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [digest, image.manifest].map((each) => ({ mediaType: MANIFEST, digest: each, size: 1 })),
  };
  registry.add('team/app', 'manifests', Buffer.from(JSON.stringify(index)), index.mediaType, 'index');
  assert.equal((await puller.pull('registry.example/team/app:index', undefined, signal)).id, image.config);
});

const noSkopeo = (await findProgram('skopeo')) === undefined && 'skopeo is not in PATH (Debian package skopeo)';

test('a zstd:chunked layer of skopeo is read as plain zstd', { skip: noSkopeo }, async (t) => {
  const scratch = await scratchDirectory(t);
  const data = Buffer.alloc(300_000, 'chunk by chunk ');
  const layer = await makeLayer([{ path: 'etc/data', kind: 'file', data, uid: 7, xattrs: { 'user.kept': 'yes' } }]);
  const archive = join(scratch, 'image.tar');
  await writeFile(archive, ociArchive([{ name: 'localhost/chunked:1', layers: [layer], config: { Cmd: ['x'] } }]));
  const policy = ['--insecure-policy', 'copy', '--dest-compress-format', 'zstd:chunked'];
  await execa('skopeo', [...policy, `oci-archive:${archive}`, `oci-archive:${join(scratch, 'chunked.tar')}:localhost/chunked:1`]);
  const root = join(scratch, 'root');
  await mkdir(root);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  const [image] = await loadArchive(stores, join(scratch, 'chunked.tar'), { signal });
  assert.ok(image !== undefined);
  assert.match(image.layers[0]?.mediaType ?? '', /\+zstd$/);
  assert.deepEqual(await readFile(join(stores.layers.lowerDirs(image.chain)[0] ?? '', 'etc/data')), data);
});

test('an eStargz layer of its own module is pulled as plain gzip', { skip: noLayerStore || noRegistry }, async (t) => {
  const registry = await TestRegistry.start();
  t.after(async () => registry.stop());
  const { puller, stores } = await pullBench(t, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
  const data = Buffer.alloc(300_000, 'chunk by chunk ');
  const entries = [{ path: 'etc/data', kind: 'file' as const, data, uid: 7, xattrs: { 'user.kept': 'yes' } }];
  await pushChunked(registry, [await estargzLayer(await makeLayer(entries, 'none'))], { repository: 'app', config: { Cmd: ['x'] } });
  const image = await puller.pull(`${registry.host}/app:1`, undefined, signal);
  assert.equal(image.layers[0]?.diffId, image.config.rootfs.diff_ids[0]);
  const tree = stores.layers.lowerDirs(image.chain)[0] ?? '';
  assert.deepEqual(await readFile(join(tree, 'etc/data')), data);
  assert.equal((await stat(join(tree, 'etc/data'))).uid, 7);
});
