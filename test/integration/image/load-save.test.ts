import assert from 'node:assert/strict';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestsOf, dockerArchive, makeLayer, ociArchive } from '../../../scripts/make-demo-image.ts';
import type { ImageSource } from '../../../scripts/make-demo-image.ts';
import { makeTar } from '../../../scripts/tar-writer.ts';
import { loadArchive } from '../../../src/image/load.ts';
import { saveArchive } from '../../../src/image/save.ts';
import type { ContainerId } from '../../../src/base/ids.ts';
import { run } from '../../../src/linux/spawn.ts';
import { inventoryOf, startImageStorage } from '../../support/image-storage.ts';
import type { ImageStorage } from '../../support/image-storage.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const signal = AbortSignal.timeout(120_000);

async function smallImage(name = 'localhost/test/small:1', text = 'one'): Promise<ImageSource> {
  return {
    name,
    config: { Cmd: ['/bin/true'], Labels: { text } },
    layers: [
      await makeLayer([
        { path: 'etc', kind: 'directory', mode: 0o750, uid: 5, gid: 6, mtime: 1000 },
        { path: 'etc/a', kind: 'file', data: `a ${text}` },
        { path: 'etc/gone', kind: 'file', data: 'x' },
      ]),
      await makeLayer(
        [
          { path: 'etc/b', kind: 'file', data: 'b' },
          { path: 'etc/.wh.gone', kind: 'file' },
        ],
        'zstd',
      ),
      await makeLayer([{ path: 'c', kind: 'file', data: 'c' }], 'none'),
    ],
  };
}

async function storage(t: TestContext): Promise<{ stores: ImageStorage; root: string; scratch: string }> {
  const scratch = await scratchDirectory(t);
  const root = join(scratch, 'root');
  await mkdir(root);
  const stores = await startImageStorage(root);
  t.after(async () => stores.close());
  return { stores, root, scratch };
}

async function program(file: string, ...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await run(file, { args, timeoutMs: 60_000 });
  assert.equal(exit.code, 0, `${file} ${args.join(' ')}: ${stderr.toString()}`);
  return stdout.toString();
}

test('both kinds of archive, plain and compressed, from a file and a stream, make the same image', async (t) => {
  const image = await smallImage();
  const { imageId, manifestDigest } = digestsOf(image);
  const archives = {
    oci: ociArchive([image]),
    docker: dockerArchive([image]),
    'oci.gz': gzipSync(ociArchive([image])),
    'docker.zst': zstdCompressSync(dockerArchive([image])),
  };
  for (const [kind, bytes] of Object.entries(archives)) {
    for (const way of ['file', 'stream']) {
      const { stores, root, scratch } = await storage(t);
      const file = join(scratch, 'archive');
      await writeFile(file, bytes);
      const [record, ...more] = await loadArchive(
        stores,
        way === 'file' ? file : Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]),
        { signal },
      );
      assert.equal(more.length, 0);
      assert.equal(record?.id, imageId, `${kind} by ${way}`);
      assert.deepEqual(record.names, ['localhost/test/small:1']);
      if (kind.startsWith('oci')) assert.deepEqual(record.digests, [`localhost/test/small@${manifestDigest}`]);
      assert.equal(record.layers.length, 3);
      assert.deepEqual(record.config.config?.Cmd, ['/bin/true']);
      assert.deepEqual(stores.layers.lowerDirs(record.chain).length, 3);
      assert.deepEqual(
        (await inventoryOf(root)).filter((name) => /ingest|staging|removing/.test(name)),
        [],
      );
    }
  }
});

test('a container sees the merged layers, and its own root looks like the image root', async (t) => {
  const { stores, scratch } = await storage(t);
  const [record] = await loadArchive(stores, Readable.from([ociArchive([await smallImage()])]), { signal });
  assert.ok(record !== undefined);
  const target = join(scratch, 'mounted');
  await mkdir(target);
  const container = 'c'.repeat(64) as ContainerId;
  await stores.rootfs.mount(container, record.chain, { target });

  assert.equal(await program('/bin/sh', '-c', `cd "$1"; ls etc; cat etc/a etc/b c`, 'sh', target), 'a\nb\na onebc');
  // A layer that has etc/b but no etc keeps what the layer below says of etc.
  assert.equal(await program('/usr/bin/stat', '-c', '%a %u %g', join(target, 'etc')), '750 5 6\n');
  assert.equal(await program('/usr/bin/stat', '-c', '%a %u %g', target), '755 0 0\n');
  await writeFile(join(target, 'written'), Buffer.alloc(100_000));
  const usage = await stores.rootfs.usage(container);
  assert.ok(usage.usedBytes >= 100_000 && usage.usedBytes < 200_000, JSON.stringify(usage));
  assert.equal(usage.inodesUsed, 2);
  assert.deepEqual(await stores.rootfs.list(), [container]);

  await stores.rootfs.unmount(container, target);
  await stores.rootfs.unmount(container, target);
  await stores.rootfs.remove(container);
  await stores.rootfs.remove(container);
  assert.deepEqual(await stores.rootfs.list(), []);
});

test('more than a hundred layers can be mounted, and read in their order', async (t) => {
  const { stores, scratch } = await storage(t);
  const layers = await Promise.all(
    Array.from(
      { length: 120 },
      async (_, index) =>
        await makeLayer(
          [
            { path: 'top', kind: 'file', data: `${index}` },
            { path: `f${index}`, kind: 'file' },
          ],
          'none',
        ),
    ),
  );
  const [record] = await loadArchive(stores, Readable.from([dockerArchive([{ name: 'localhost/test/deep:1', config: {}, layers }])]), {
    signal,
  });
  assert.ok(record !== undefined);
  const target = join(scratch, 'mounted');
  await mkdir(target);
  const container = 'd'.repeat(64) as ContainerId;
  await stores.rootfs.mount(container, record.chain, { target });
  t.after(async () => {
    await stores.rootfs.unmount(container, target);
  });
  assert.equal(await readFile(join(target, 'top'), 'utf8'), '119');
  assert.equal((await program('/bin/ls', target)).split('\n').length, 122);
  await stores.rootfs.unmount(container, target);
});

for (const format of ['oci', 'docker'] as const) {
  test(`a saved ${format} archive is read by skopeo, and one of skopeo's by us`, async (t) => {
    const { stores, scratch } = await storage(t);
    const image = await smallImage();
    const [record] = await loadArchive(stores, Readable.from([ociArchive([image])]), { signal });
    assert.ok(record !== undefined);
    const saved = join(scratch, 'saved.tar');
    await saveArchive(stores, [record], createWriteStream(saved), { format, signal });

    const kind = `${format}-archive`;
    const copied = join(scratch, 'copied.tar');
    await program('/usr/bin/skopeo', '--insecure-policy', 'copy', '-q', `${kind}:${saved}`, `${kind}:${copied}:localhost/test/copied:2`);
    const inspected = JSON.parse(await program('/usr/bin/skopeo', 'inspect', '--config', `${kind}:${saved}`)) as {
      rootfs: { diff_ids: string[] };
    };
    assert.deepEqual(
      inspected.rootfs.diff_ids,
      image.layers.map(({ diffId }) => diffId),
    );

    const [again] = await loadArchive(stores, copied, { signal });
    assert.deepEqual([...(again?.names ?? [])].sort(), ['localhost/test/copied:2', 'localhost/test/small:1']);
    assert.equal(again?.id, record.id);

    const fresh = await storage(t);
    const [reloaded] = await loadArchive(fresh.stores, createReadStream(saved), { signal });
    assert.equal(reloaded?.id, record.id);
    assert.deepEqual(reloaded.names, record.names);
    if (format === 'oci') assert.equal(reloaded.manifestDigest, record.manifestDigest);
  });
}

test('a layout for several platforms gives the image of this one', async (t) => {
  const { stores } = await storage(t);
  const { architecture } = { architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  const [mine, other] = [await smallImage('localhost/test/multi:1', 'mine'), await smallImage('localhost/test/multi:1', 'other')];
  const scratch = await scratchDirectory(t);
  for (const [index, image] of [mine, other].entries()) {
    const file = join(scratch, `${index}.tar`);
    await writeFile(file, ociArchive([image]));
    await mkdir(join(scratch, `${index}`));
    await program('/bin/tar', '-C', join(scratch, `${index}`), '-xf', file);
  }
  const layout = join(scratch, '0');
  await program('/bin/cp', '-r', join(scratch, '1/blobs'), layout);
  const index = (images: [ImageSource, string][]): string =>
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: images.map(([image, arch]) => ({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestsOf(image).manifestDigest,
        size: 1,
        platform: { os: 'linux', architecture: arch },
      })),
    });
  const nested = Buffer.from(
    index([
      [other, 'riscv64'],
      [mine, architecture],
      [other, 'unknown'],
    ]),
  );
  const { digestOf } = await import('../../../src/image/oci-types.ts');
  await writeFile(join(layout, 'blobs/sha256', digestOf(nested).slice(7)), nested);
  await writeFile(
    join(layout, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.index.v1+json',
          digest: digestOf(nested),
          size: nested.length,
          annotations: { 'org.opencontainers.image.ref.name': 'localhost/test/multi:1' },
        },
      ],
    }),
  );
  await program('/bin/tar', '-C', layout, '-cf', join(scratch, 'multi.tar'), '.');

  const [record] = await loadArchive(stores, join(scratch, 'multi.tar'), { signal });
  assert.equal(record?.id, digestsOf(mine).imageId);
  assert.ok(record.digests.includes(`localhost/test/multi@${digestOf(nested)}`));
  await assert.rejects(loadArchive(stores, join(scratch, 'multi.tar'), { signal, platform: { os: 'linux', architecture: 's390x' } }), {
    kind: 'NotFound',
    message: /linux\/s390x, there are linux\/riscv64/,
  });
});

test('what is no archive, is damaged or is cut off leaves nothing and says why', async (t) => {
  const { stores, root } = await storage(t);
  const image = await smallImage();
  const archive = ociArchive([image]);
  const flipped = Buffer.from(archive);
  const layerAt = archive.indexOf(image.layers[0]!.blob);
  assert.ok(layerAt > 0);
  flipped[layerAt + image.layers[0]!.blob.length - 20]! ^= 0xff;
  const wrongConfig = Buffer.from(archive.toString('latin1').replace('/bin/true', '/bin/fals'), 'latin1');
  const cases: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /empty/],
    ['text', Buffer.from('hello world '.repeat(100)), /checksum/],
    ['a tar of something else', makeTar([{ path: 'etc/passwd', kind: 'file' }]), /neither index.json/],
    ['cut in a blob', archive.subarray(0, layerAt + 50), /truncated/],
    ['a damaged layer', flipped, /digest|damaged/],
    ['a damaged config', wrongConfig, /digest of blobs/],
    ['cut gzip', gzipSync(archive).subarray(0, 300), /truncated|end of file/],
    ['bad index', makeTar([{ path: 'index.json', kind: 'file', data: '{"schemaVersion":2,"manifests":[]}' }]), /no images/],
    [
      'missing blob',
      makeTar([{ path: 'index.json', kind: 'file', data: `{"manifests":[{"digest":"sha256:${'0'.repeat(64)}","size":1}]}` }]),
      /has no file blobs/,
    ],
    [
      'bad manifest.json',
      makeTar([{ path: 'manifest.json', kind: 'file', data: '[{"Config":1}]' }]),
      /manifest\.json: \[0\]\.Config: must be text, is 1$/,
    ],
    [
      'layer out of the archive',
      makeTar([{ path: 'manifest.json', kind: 'file', data: '[{"Config":"../../etc/passwd","Layers":["/etc/passwd"]}]' }]),
      /has no file/,
    ],
    ['link circle', makeTar([{ path: 'index.json', kind: 'symlink', linkTarget: 'index.json' }]), /neither/],
  ];
  for (const [name, bytes, words] of cases) {
    await assert.rejects(loadArchive(stores, Readable.from([bytes]), { signal }), { name: 'DaemonError', message: words }, name);
    assert.deepEqual(await inventoryOf(root), [], name);
  }
});

test('a load that is cancelled leaves nothing', async (t) => {
  const { stores, root } = await storage(t);
  const controller = new AbortController();
  const slow = Readable.from(
    (async function* () {
      yield ociArchive([await smallImage()]).subarray(0, 2000);
      controller.abort();
      await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    })(),
  );
  await assert.rejects(loadArchive(stores, slow, { signal: controller.signal }), { kind: 'Canceled' });
  assert.deepEqual(await inventoryOf(root), []);
});
