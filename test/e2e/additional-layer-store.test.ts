/** Images that run before they are whole: layers in stargz-snapshotter's layer store, over a registry of our own. */
// long: 75 s
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { busyboxLayer, makeLayer } from '../../scripts/make-demo-image.ts';
import type { Image } from '../../api/cri/runtime.ts';
import type { CriError } from '../../src/cli/cri-client.ts';
import { settledWithin } from '../../src/base/deadline.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import { estargzLayer, LayerStoreProcess, noFuse, noLayerStore, pushChunked } from '../support/layer-store.ts';
import type { ChunkedLayer } from '../support/layer-store.ts';
import { execOutput, execSync, removePod, runContainer, runPod, until } from '../support/pods.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';

const skip = noLayerStore || noFuse || noRegistry;
const SLEEP = ['sleep', '3600'];
const CONFIG = { Cmd: ['sh'], Env: ['PATH=/bin'] };
const BIG = randomBytes(8 * 1024 * 1024);
const BIG_SUM = createHash('sha256').update(BIG).digest('hex');

/** Busybox, and a layer that takes of it and adds, with a file that nobody reads at first. */
const LAYERS: readonly ChunkedLayer[] = skip
  ? []
  : await Promise.all([
      estargzLayer(await busyboxLayer('none')),
      estargzLayer(
        await makeLayer(
          [
            { path: 'own', kind: 'file', data: 'of the layer', uid: 7, gid: 8, mode: 0o640 },
            { path: 'big', kind: 'file', data: BIG },
            { path: 'etc/.wh.group', kind: 'file', data: '' },
            { path: 'home/.wh..wh..opq', kind: 'file', data: '' },
          ],
          'none',
        ),
      ),
    ]);

interface Bench {
  readonly registry: TestRegistry;
  readonly store: LayerStoreProcess;
  readonly daemon: TestDaemon;
  /** The image of both layers. */
  readonly name: string;
  images(): Promise<readonly Image[]>;
  /** What the registry was asked for since the last call: the paths of blobs. */
  blobs(): Promise<string[]>;
}

async function withStore(work: (bench: Bench) => Promise<void>): Promise<void> {
  const registry = await TestRegistry.start();
  const store = await LayerStoreProcess.start();
  let daemon: TestDaemon | undefined;
  try {
    await pushChunked(registry, LAYERS, { repository: 'app', config: CONFIG });
    const config = `${await registry.daemonConfig({})}image.additional_layer_stores = ["${store.mountpoint}:ref"]\n`;
    daemon = await TestDaemon.start({ config, images: [] });
    const running = daemon;
    let seen = (await registry.asked()).length;
    await work({
      registry,
      store,
      daemon,
      name: `${registry.host}/app:1`,
      images: async () => (await running.images.listImages({})).images,
      blobs: async () => {
        const fresh = (await registry.asked()).slice(seen);
        seen += fresh.length;
        return fresh
          .filter(({ method, path, status }) => method === 'GET' && status === 200 && path.includes('/blobs/'))
          .map(({ path }) => path);
      },
    });
  } catch (error) {
    process.stdout.write((await daemon?.logTail()) ?? '');
    process.stdout.write(await store.log());
    throw error;
  } finally {
    await daemon?.destroy();
    await store.remove();
    await registry.stop();
  }
}

async function kilobytesOf(directory: string): Promise<number> {
  const { stdout } = await execa('du', ['-sk', directory]);
  return Number(stdout.split('\t')[0]);
}

test('an image of a layer store runs before it is whole, and is fetched while it is read', { skip, timeout: 120_000 }, async () => {
  await withStore(async ({ daemon, store, name, images }) => {
    const before = await inventoryOf(daemon);
    const { imageRef } = await daemon.images.pullImage({ image: { image: name } });
    assert.ok((await kilobytesOf(join(daemon.root, 'storage'))) < 300, 'layers were fetched');
    assert.ok((await store.cachedKilobytes()) < 1024, 'the store has fetched more than tables');
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { image: name });
    assert.ok((await store.cachedKilobytes()) < 6 * 1024, 'the big file was fetched before anybody read it');
    assert.equal((await execOutput(daemon, id, ['sha256sum', '/big'])).split(' ')[0], BIG_SUM);
    assert.ok((await store.cachedKilobytes()) >= 8 * 1024);
    assert.equal(await execOutput(daemon, id, ['cat', '/own']), 'of the layer');
    assert.equal(await execOutput(daemon, id, ['stat', '-c', '%a %u %g', '/own']), '640 7 8');
    assert.equal(
      await execOutput(daemon, id, ['sh', '-c', 'ls /etc/passwd; ls /etc/group 2>/dev/null; ls /home; touch /written; echo $?']),
      '/etc/passwd\n0',
    );
    const { imageFilesystems } = await daemon.images.imageFsInfo({});
    assert.ok((imageFilesystems[0]?.usedBytes?.value ?? 0n) < 100_000n, 'layers of the store count as ours');

    await daemon.restart();
    assert.deepEqual(
      (await images()).map(({ id: each, repoTags }) => [each, repoTags]),
      [[imageRef, [name]]],
    );
    assert.equal(await execOutput(daemon, id, ['cat', '/own']), 'of the layer');
    assert.equal((await daemon.images.pullImage({ image: { image: name } })).imageRef, imageRef);
    await removePod(daemon, pod.id);
    await daemon.images.removeImage({ image: { image: name } });
    assert.deepEqual(await readdir(join(daemon.root, 'storage/layers/lazy')), []);
    assert.equal((await store.log()).match(/is released due to no reference/g)?.length, 2);
    await assertNothingNew(daemon, before);
  });
});

test('a store that dies: its images are pulled again, whole, and what runs goes on', { skip, timeout: 180_000 }, async () => {
  await withStore(async ({ daemon, store, name, images, blobs }) => {
    await daemon.images.pullImage({ image: { image: name } });
    const pod = await runPod(daemon);
    const lazy = await runContainer(daemon, pod, SLEEP, { image: name, name: 'lazy' });
    // It runs, with all that it needs for that in memory.
    await until('it sleeps', async () => (await execOutput(daemon, lazy, ['cat', '/proc/1/wchan'])).includes('nanosleep'));
    await blobs();
    await store.kill();
    await until('the image is gone', async () => (await images()).length === 0, 30_000);
    assert.match(await readFile(daemon.logFile, 'utf8'), /lazily loaded layer is lost: .*Transport endpoint is not connected/);
    const { imageRef } = await daemon.images.pullImage({ image: { image: name } });
    assert.match(
      await readFile(daemon.logFile, 'utf8'),
      /additional layer store has no answer: layers are pulled whole .*Transport endpoint/,
    );
    assert.equal((await blobs()).length, 3, 'a config and two layers');
    const whole = await runContainer(daemon, pod, SLEEP, { image: name, name: 'whole' });
    assert.equal((await execOutput(daemon, whole, ['sha256sum', '/big'])).split(' ')[0], BIG_SUM);
    await daemon.restart();
    const { status } = await daemon.runtime.containerStatus({ containerId: lazy, verbose: false });
    assert.equal(status?.state, 1, 'the container of the dead store does not run');
    // Not all that this needs is in memory.
    const read = await execSync(daemon, lazy, ['cat', '/big']).catch((error: unknown) => ({ exitCode: (error as CriError).code }));
    assert.notEqual(read.exitCode, 0);

    // It comes back: what is whole stays whole.
    await store.unmount();
    await store.serve();
    await until('the image of before is there again', async () => (await images()).length === 2, 30_000);
    assert.equal((await daemon.images.pullImage({ image: { image: name } })).imageRef, imageRef);
    await removePod(daemon, pod.id);
  });
});

test('a store that restarts and is asked again at once counts each layer once', { skip, timeout: 120_000 }, async () => {
  await withStore(async ({ daemon, store, name, images }) => {
    const { imageRef } = await daemon.images.pullImage({ image: { image: name } });
    await store.kill();
    await until('the image is gone', async () => (await images()).length === 0, 30_000);
    await store.unmount();
    await store.serve();
    // Before the daemon looks at the store again.
    assert.equal((await daemon.images.pullImage({ image: { image: name } })).imageRef, imageRef);
    const noted = async (): Promise<string[]> => (await store.log()).match(/is marked as \w+" refcounter=\d+|is released/g) ?? [];
    const used = 'is marked as USING" refcounter=1';
    assert.deepEqual(await noted(), [used, used, used, used], 'as before the restart');
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { image: name });
    assert.equal((await execOutput(daemon, id, ['sha256sum', '/big'])).split(' ')[0], BIG_SUM);
    await removePod(daemon, pod.id);
    await daemon.images.removeImage({ image: { image: name } });
    assert.equal((await noted()).filter((each) => each === 'is released').length, 2);
  });
});

test('a store that hangs holds a pull no longer than its time, and nothing else', { skip, timeout: 180_000 }, async () => {
  await withStore(async ({ daemon, store, name, images }) => {
    store.signal('SIGSTOP');
    try {
      const start = Date.now();
      let slowestMs = 0;
      const pull = daemon.images.pullImage({ image: { image: name } });
      while (!(await settledWithin(pull, 50))) {
        const before = Date.now();
        await daemon.runtime.version({ version: '' });
        slowestMs = Math.max(slowestMs, Date.now() - before);
      }
      await pull;
      assert.ok(Date.now() - start < 30_000, `the pull took ${Date.now() - start} ms`);
      assert.ok(slowestMs < 2_000, `a call beside it took ${slowestMs} ms`);
      assert.match(await readFile(daemon.logFile, 'utf8'), /layers are pulled whole .*not finished after 15 s/);
      const pod = await runPod(daemon);
      const id = await runContainer(daemon, pod, SLEEP, { image: name });
      assert.equal((await execOutput(daemon, id, ['sha256sum', '/big'])).split(' ')[0], BIG_SUM);
      await removePod(daemon, pod.id);
      assert.equal((await images()).length, 1);
    } finally {
      store.signal('SIGCONT');
    }
  });
});

test('what a layer of a store claims to be is believed of no other image', { skip, timeout: 120_000 }, async () => {
  await withStore(async ({ daemon, registry, name, images }) => {
    const [base, top] = LAYERS as [ChunkedLayer, ChunkedLayer];
    const other = await estargzLayer(await makeLayer([{ path: 'own', kind: 'file', data: 'of somebody else' }], 'none'));
    // It says by its config that it is the image of both layers, and is another.
    await pushChunked(registry, [base, { ...other, diffId: top.diffId }], { repository: 'claims', config: CONFIG });
    await daemon.images.pullImage({ image: { image: `${registry.host}/claims:1` } });
    await pushChunked(registry, LAYERS, { repository: 'plain', config: CONFIG, tocs: [] });
    await daemon.images.pullImage({ image: { image: `${registry.host}/plain:1` } });
    await daemon.images.pullImage({ image: { image: name } });
    const pod = await runPod(daemon);
    const read = async (image: string): Promise<string> =>
      await execOutput(daemon, await runContainer(daemon, pod, SLEEP, { image: `${registry.host}/${image}:1`, name: image }), [
        'cat',
        '/own',
      ]);
    assert.equal(await read('claims'), 'of somebody else');
    assert.equal(await read('plain'), 'of the layer');
    assert.equal(await read('app'), 'of the layer');
    // A table of contents that is none of the blob's is not shown by the store: the layer comes whole.
    await pushChunked(registry, LAYERS, { repository: 'wrong', config: { ...CONFIG, Env: [] }, tocs: [base.tocDigest, other.tocDigest] });
    await daemon.images.pullImage({ image: { image: `${registry.host}/wrong:1` } });
    assert.equal(await read('wrong'), 'of the layer');
    assert.equal((await images()).length, 3);
    await removePod(daemon, pod.id);
  });
});
