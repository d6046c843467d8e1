/** Image stores that others have filled: of skopeo, mounted read-only. */
// long: 40 s
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import type { LayerReport } from '../../src/admin/reports.ts';
import type { Image } from '../../api/cri/runtime.ts';
import { ContainersStorage, noSkopeo } from '../support/containers-storage.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import { execOutput, failureOf, removePod, runContainer, runPod, until } from '../support/pods.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';
import { LAYERS_CONTENT, testImages } from '../support/test-image.ts';

const skip = noSkopeo || noRegistry;
const NAME = 'store.example/team/app:1';
const HUNG_FUSE = join(import.meta.dirname, '../fixtures/hung-fuse.ts');
const noFuse = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';
const SLEEP = ['sleep', '3600'];

interface Bench {
  readonly registry: TestRegistry;
  readonly storage: ContainersStorage;
  readonly daemon: TestDaemon;
  images(): Promise<readonly Image[]>;
  /** Has the daemon look at its stores now. */
  look(): void;
}

/** A daemon with a store that has the image of five layers as {@link NAME}, and with no image of its own. */
async function withStore(work: (bench: Bench) => Promise<void>): Promise<void> {
  const registry = await TestRegistry.start();
  const storage = await ContainersStorage.make();
  let daemon: TestDaemon | undefined;
  try {
    await registry.push((await testImages()).layers, 'app', ['1']);
    await storage.add(`${registry.host}/app:1`, NAME);
    await storage.show();
    const config = `${await registry.daemonConfig({})}image.additional_stores = ["${storage.shown}"]\n`;
    daemon = await TestDaemon.start({ config, images: [] });
    const running = daemon;
    await work({
      registry,
      storage,
      daemon,
      images: async () => (await running.images.listImages({})).images,
      look: () => {
        process.kill(running.pid, 'SIGHUP');
      },
    });
  } catch (error) {
    process.stdout.write((await daemon?.logTail()) ?? '');
    throw error;
  } finally {
    await daemon?.destroy();
    await storage.remove();
    await registry.stop();
  }
}

async function verify(daemon: TestDaemon): Promise<LayerReport[]> {
  const asked = request({ socketPath: join(daemon.runDir, 'admin.sock'), method: 'POST', path: '/v1/images/verify?repair=true' });
  asked.end();
  return await new Promise((resolve, reject) => {
    asked.on('error', reject).on('response', (answer) => {
      text(answer).then((words) => {
        resolve(JSON.parse(words) as LayerReport[]);
      }, reject);
    });
  });
}

test('an image of a read-only store is listed, run and never removed', { skip, timeout: 120_000 }, async () => {
  await withStore(async ({ daemon, registry, images }) => {
    const before = await inventoryOf(daemon);
    const asked = await registry.asked();
    const [image, ...others] = await images();
    assert.deepEqual(others, []);
    assert.deepEqual(image?.repoTags, [NAME]);
    assert.match(image.repoDigests.join(), /^store\.example\/team\/app@sha256:[0-9a-f]{64}$/);
    assert.equal(image.pinned, true);
    assert.ok(image.size > 3_000_000n, String(image.size));
    for (const name of [NAME, image.id, image.repoDigests[0] ?? '', image.id.slice(7, 19)])
      assert.equal((await daemon.images.imageStatus({ image: { image: name }, verbose: false })).image?.id, image.id, name);
    const { info } = await daemon.images.imageStatus({ image: { image: NAME }, verbose: true });
    assert.match(info['info'] ?? '', /"history"|"rootfs"/);

    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { image: NAME, imageVolumes: { '/other': { image: NAME } } });
    for (const [path, content] of Object.entries(LAYERS_CONTENT)) {
      for (const root of ['', '/other']) {
        const seen = await execOutput(daemon, id, ['sh', '-c', `cat ${root}${path} 2>/dev/null || echo gone`]);
        if (!(root !== '' && path === '/data/symlink')) assert.equal(seen.trim(), content ?? 'gone', `${root}${path}`);
      }
    }
    assert.equal((await execOutput(daemon, id, ['stat', '-c', '%a %u %g', '/data/kept'])).trim(), '640 1000 2000');
    const { imageFilesystems } = await daemon.images.imageFsInfo({});
    assert.ok((imageFilesystems[0]?.usedBytes?.value ?? 0n) < 100_000n, 'layers of the store count as ours');
    assert.deepEqual(
      new Set((await verify(daemon)).map(({ tree, blob, repair }) => `${tree} ${blob} ${repair}`)),
      new Set(['outside absent none']),
    );

    await daemon.restart();
    assert.equal((await execOutput(daemon, id, ['cat', '/data/kept'])).trim(), 'from layer 1');
    await removePod(daemon, pod.id);
    await daemon.images.removeImage({ image: { image: NAME } });
    await daemon.images.removeImage({ image: { image: image.id } });
    assert.deepEqual(
      (await images()).map((each) => each.repoTags),
      [[NAME]],
    );
    assert.match(await readFile(daemon.logFile, 'utf8'), /image is not removed: it lies in an additional store/);
    assert.deepEqual(await registry.asked(), asked, 'a registry was asked');
    await assertNothingNew(daemon, before);
  });
});

test('a pull takes the layers that a store has, and leaves them there when it is removed', { skip, timeout: 120_000 }, async () => {
  await withStore(async ({ daemon, registry, images }) => {
    const { layers } = await testImages();
    const own = await makeLayer([{ path: 'own', kind: 'file', data: 'of the pull' }]);
    const mixed = { layers: [...layers.layers, own], config: { Cmd: ['x'] } };
    await registry.push(mixed, 'mixed', ['1']);
    const before = await inventoryOf(daemon);
    const name = `${registry.host}/mixed:1`;
    const start = (await registry.asked()).length;
    const { imageRef } = await daemon.images.pullImage({ image: { image: name } });
    const blobs = (await registry.asked()).slice(start).filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'));
    assert.equal(blobs.length, 2, `its config and its own layer: ${JSON.stringify(blobs)}`);
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { image: name });
    assert.equal(await execOutput(daemon, id, ['cat', '/own', '/data/replaced']), 'of the pullfrom layer 2');

    // The image of the store itself: its documents alone.
    await daemon.images.pullImage({ image: { image: `${registry.host}/app:1` } });
    const [stored] = (await images()).filter(({ repoTags }) => repoTags.includes(`${registry.host}/app:1`));
    assert.deepEqual(stored?.repoTags, [`${registry.host}/app:1`, NAME]);
    assert.equal((await readdir(join(daemon.root, 'storage/layers'))).filter((each) => /^[0-9a-f]{16}$/.test(each)).length, 1);
    await daemon.images.removeImage({ image: { image: `${registry.host}/app:1` } });
    assert.deepEqual((await images()).flatMap(({ repoTags }) => repoTags).sort(), [name, NAME].sort());
    assert.match((await failureOf(daemon.images.removeImage({ image: { image: imageRef } }))).message, /uses it/);
    await removePod(daemon, pod.id);
    await daemon.images.removeImage({ image: { image: imageRef } });
    assert.deepEqual(
      (await images()).map(({ repoTags }) => repoTags),
      [[NAME]],
    );
    await assertNothingNew(daemon, before);
  });
});

test('a store that goes, is damaged or changes takes its images along and nothing else', { skip, timeout: 180_000 }, async () => {
  await withStore(async ({ daemon, registry, storage, images, look }) => {
    const tags = async (): Promise<string[]> => (await images()).flatMap(({ repoTags }) => repoTags).sort();
    const own = await makeLayer([{ path: 'own', kind: 'file', data: 'of the pull' }]);
    await registry.push({ layers: [...(await testImages()).layers.layers, own], config: { Cmd: ['x'] } }, 'mixed', ['1']);
    const mixed = `${registry.host}/mixed:1`;
    await daemon.images.pullImage({ image: { image: mixed } });
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { image: mixed });
    assert.deepEqual(await tags(), [mixed, NAME].sort());

    await storage.hide();
    look();
    await until('both images are gone', async () => (await tags()).length === 0);
    assert.match(await readFile(daemon.logFile, 'utf8'), /additional store has no images: it cannot be read .*No such file/);
    assert.equal(await execOutput(daemon, id, ['cat', '/own', '/data/replaced']), 'of the pullfrom layer 2');
    await daemon.restart();
    assert.deepEqual(await tags(), []);
    assert.equal(await execOutput(daemon, id, ['cat', '/own', '/data/replaced']), 'of the pullfrom layer 2');

    await storage.add(`${registry.host}/mixed:1`, 'store.example/second:2');
    await storage.show();
    look();
    // The second image of the store is the pulled one.
    await until('both images are back', async () => (await tags()).length === 3);
    assert.deepEqual(await tags(), [mixed, NAME, 'store.example/second:2'].sort());
    assert.equal((await images()).length, 2);
    assert.equal(await execOutput(daemon, id, ['cat', '/own']), 'of the pull');

    // One layer of the store that is no longer there, and then a list that is none.
    const list = join(storage.written, 'overlay-layers/layers.json');
    const layers = await readFile(list, 'utf8');
    const [lowest = '', ...others] = (JSON.parse(layers) as { id: string; parent?: string }[]).sort((each) => (each.parent === undefined ? -1 : 1)).map((each) => JSON.stringify(each)); // prettier-ignore
    await writeFile(list, `[${others.join()}]`);
    look();
    await until('all that stands on it is gone', async () => (await tags()).length === 0);
    assert.match(
      await readFile(daemon.logFile, 'utf8'),
      new RegExp(`leftOut.*its layer ${(JSON.parse(lowest) as { id: string }).id} is not in layers\\.json`),
    );
    await writeFile(list, layers.slice(0, 100));
    look();
    await until('the damaged list is told', async () => /layers\.json: must be JSON/.test(await readFile(daemon.logFile, 'utf8')));
    await writeFile(list, layers);
    look();
    await until('the image is back', async () => (await tags()).includes(NAME));
    await removePod(daemon, pod.id);
  });
});

test(
  'a store that hangs costs its own images: the daemon starts, serves and ends without it',
  { skip: noFuse, timeout: 120_000 },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pw-hung-'));
    const hung = join(directory, 'hung');
    await mkdir(hung);
    const fuse = spawn(process.execPath, [HUNG_FUSE, hung], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(fuse.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
    const before = Date.now();
    const daemon = await TestDaemon.start({ config: `image.additional_stores = ["${hung}"]\n` });
    try {
      assert.ok(Date.now() - before < 25_000, `it took ${Date.now() - before} ms to start`);
      const pod = await runPod(daemon);
      const id = await runContainer(daemon, pod, SLEEP);
      for (let looks = 0; looks < 8; looks += 1) process.kill(daemon.pid, 'SIGHUP');
      await until('its words are in the log', async () =>
        /additional store has no images: it cannot be read .*not finished after 5 s/.test(await readFile(daemon.logFile, 'utf8')),
      );
      assert.equal(await execOutput(daemon, id, ['echo', 'on']), 'on');
      await removePod(daemon, pod.id);
      const stopping = Date.now();
      await daemon.stop();
      assert.ok(Date.now() - stopping < 10_000, `it took ${Date.now() - stopping} ms to end`);
    } catch (error) {
      process.stdout.write(await daemon.logTail());
      throw error;
    } finally {
      await execa('umount', ['-l', hung]).catch(() => undefined);
      fuse.kill('SIGKILL');
      if (fuse.exitCode === null && fuse.signalCode === null) await once(fuse, 'exit');
      await daemon.destroy();
      await remove(directory);
    }
  },
);
