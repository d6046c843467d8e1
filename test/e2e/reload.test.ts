/** SIGHUP: a reload changes all that it may, or nothing. */
// long: 30 s
import assert from 'node:assert/strict';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { busyboxLayer, makeLayer } from '../../scripts/make-demo-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { FaultyRegistry } from '../support/faulty-registry.ts';
import { failureOf, removePod, runContainer, runPod, until } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

const ends: (() => Promise<void>)[] = [];
after(async () => {
  for (const end of ends) await end();
});

async function registry(options: Parameters<typeof FaultyRegistry.start>[0] = {}): Promise<FaultyRegistry> {
  const started = await FaultyRegistry.start(options);
  ends.push(async () => started.stop());
  return started;
}

/** The daemon reads the registries.conf beside its own configuration. */
async function useRegistries(daemon: TestDaemon, text: string): Promise<void> {
  await writeFile(join(daemon.directory, 'registries.conf'), text);
}

async function configure(daemon: TestDaemon, text: string): Promise<void> {
  await writeFile(
    join(daemon.directory, 'conf.d', '10-registries.toml'),
    `registries_conf = "${join(daemon.directory, 'registries.conf')}"\n`,
  );
  await writeFile(join(daemon.directory, 'conf.d', '50-test.toml'), text);
}

const SLEEP = ['sleep', '3600'];
const WRONG = 'the new configuration is wrong; the old one stays in force';
const READ = 'configuration read again';

async function reload(daemon: TestDaemon, outcome: string): Promise<void> {
  const count = async (): Promise<number> => (await readFile(daemon.logFile, 'utf8')).split(outcome).length;
  const before = await count();
  process.kill(daemon.pid, 'SIGHUP');
  await until(`the log says "${outcome}"`, async () => (await count()) > before);
}

/** What is in force, as `status --verbose` shows it. */
async function shown(daemon: TestDaemon): Promise<{ pidsLimit: unknown; image: { pinned: unknown }; log: { level: unknown } }> {
  const { info } = await daemon.runtime.status({ verbose: true });
  return JSON.parse(Object.values(info).find((text) => text.includes('pidsLimit')) ?? '{}') as never;
}

async function pidsLimitOfNew(daemon: TestDaemon): Promise<number | undefined> {
  const pod = await runPod(daemon);
  const container = await runContainer(daemon, pod, SLEEP);
  const { info } = await daemon.runtime.containerStatus({ containerId: container, verbose: true });
  const { runtimeSpec } = JSON.parse(info['info'] ?? '{}') as { runtimeSpec: { linux: { resources?: { pids?: { limit?: number } } } } };
  await removePod(daemon, pod.id);
  return runtimeSpec.linux.resources?.pids?.limit;
}

async function imageId(daemon: TestDaemon, image: string): Promise<string | undefined> {
  return (await daemon.images.imageStatus({ image: { image } })).image?.id;
}

async function isPinned(daemon: TestDaemon): Promise<boolean> {
  const { images } = await daemon.images.listImages({});
  return images.some(({ pinned }) => pinned);
}

e2eTest('a reload whose registries.conf is wrong changes nothing, and the next right one changes all of it', async (daemon) => {
  await configure(daemon, '');
  await useRegistries(daemon, '');
  await daemon.restart();
  const before = await shown(daemon);
  const limitBefore = await pidsLimitOfNew(daemon);
  assert.equal(await isPinned(daemon), false);

  await configure(daemon, 'pids_limit = 77\n[image]\npinned = ["*busybox*"]\n[log]\nlevel = "info"\n');
  for (const wrong of [
    '[[registry',
    '[[registry]]\nlocation = "no host at all"\n',
    'unqualified-search-registries = ["https://quay.io"]',
  ]) {
    await useRegistries(daemon, wrong);
    await reload(daemon, WRONG);
    assert.deepEqual(await shown(daemon), before, wrong);
    assert.equal(await pidsLimitOfNew(daemon), limitBefore, wrong);
    assert.equal(await isPinned(daemon), false, wrong);
  }

  await useRegistries(daemon, '');
  await reload(daemon, READ);
  assert.equal((await shown(daemon)).pidsLimit, 77);
  assert.equal(await pidsLimitOfNew(daemon), 77);
  assert.equal(await isPinned(daemon), true);

  // The other way round: right registries, a wrong key.
  await useRegistries(daemon, '[[registry]]\nprefix = "moved.test"\nblocked = true\n');
  await configure(daemon, 'pids_limit = "many"\n');
  await reload(daemon, WRONG);
  const { message } = await failureOf(daemon.images.pullImage({ image: { image: 'moved.test/x:1' } }));
  assert.doesNotMatch(message, /blocked/);
  assert.equal((await shown(daemon)).pidsLimit, 77);
});

e2eTest('many reloads at once end with what was written last', async (daemon) => {
  await useRegistries(daemon, '');
  for (let limit = 100; limit < 120; limit += 1) {
    await configure(daemon, `pids_limit = ${limit}\n`);
    process.kill(daemon.pid, 'SIGHUP');
  }
  await until('the last one is in force', async () => (await shown(daemon)).pidsLimit === 119);
});

e2eTest(
  'which images are pinned is told as the last reload has it, of images by tag and by digest, and after a restart',
  async (daemon) => {
    const origin = await registry();
    const layers = [await busyboxLayer()];
    origin.addImage({ config: { Labels: { which: 'tag' } }, layers }, 'app', '1');
    const { manifest } = origin.addImage({ config: { Labels: { which: 'digest' } }, layers }, 'app', '2');
    await configure(daemon, '');
    await useRegistries(daemon, origin.conf);
    await daemon.restart();
    const [byTag, byDigest] = ['registry.example/app:1', `registry.example/app@${manifest}`];
    for (const image of [byTag, byDigest]) await daemon.images.pullImage({ image: { image } });

    /** What the kubelet's garbage collection leaves alone, which is what ImageStatus must say too. */
    const pinned = async (): Promise<string[]> => {
      const { images } = await daemon.images.listImages({});
      for (const { id, pinned: isPinned } of images)
        assert.equal((await daemon.images.imageStatus({ image: { image: id } })).image?.pinned, isPinned);
      return images.filter((image) => image.pinned).map(({ repoTags, repoDigests }) => repoTags[0] ?? repoDigests[0] ?? '');
    };
    for (const [patterns, expected] of [
      ['"registry.example/app:*"', [byTag]],
      [`"registry.example/app@*"`, [byDigest, byTag]],
      [`"${byDigest}"`, [byDigest]],
      ['"*busybox*", "registry.example/app:1"', [IMAGES.busybox, byTag]],
      ['', []],
    ] as const) {
      const before = await pinned();
      await configure(daemon, `[image]\npinned = [${patterns}]\n`);
      assert.deepEqual(await pinned(), before);
      await reload(daemon, READ);
      assert.deepEqual((await pinned()).sort(), [...expected].sort(), patterns);
      await daemon.restart();
      assert.deepEqual((await pinned()).sort(), [...expected].sort(), patterns);
    }
    // The kubelet does not remove a pinned image; an operator may.
    await configure(daemon, '[image]\npinned = ["*"]\n');
    await reload(daemon, READ);
    for (const image of [byTag, byDigest]) await daemon.images.removeImage({ image: { image } });
    assert.deepEqual(await pinned(), [IMAGES.busybox]);
  },
);

/** Whether the daemon has taken its root, which is the first thing it does. */
async function hasRoot(daemon: TestDaemon): Promise<boolean> {
  const folder = `/proc/${daemon.pid}/fd`;
  const links = await Promise.all((await readdir(folder)).map(async (fd) => readlink(join(folder, fd)).catch(() => '')));
  return links.includes(join(daemon.root, 'daemon.lock'));
}

e2eTest('a SIGHUP while the daemon starts does not end it, and is done when it has started', async (daemon) => {
  await useRegistries(daemon, '');
  await configure(daemon, 'pids_limit = 1\n');
  for (let round = 0; round < 2; round += 1) {
    await daemon.stop();
    await daemon.launch();
    while (!(await hasRoot(daemon))) await setImmediate();
    await configure(daemon, `pids_limit = ${100 + round}\n`);
    process.kill(daemon.pid, 'SIGHUP');
    await until('it serves', async () => (await shown(daemon).catch(() => undefined))?.pidsLimit === 100 + round, 30_000);
  }
});

e2eTest(
  'image.pull_progress_timeout is the whole time a pull waits, and a reload changes it',
  async (daemon) => {
    const layer = await makeLayer([{ path: 'big', kind: 'file', data: Buffer.alloc(1 << 20, 'x') }], 'none');
    const stalling = await registry({
      fault: ({ url = '' }, response) => {
        if (!url.includes(layer.digest)) return false;
        response.writeHead(200, { 'content-length': layer.blob.length }).write(layer.blob.subarray(0, 300_000));
        return true;
      },
    });
    stalling.addImage({ config: {}, layers: [layer] }, 'stall', '1');
    await configure(daemon, '[image]\npull_progress_timeout = "5m"\n');
    await useRegistries(daemon, stalling.conf);
    await daemon.restart();
    for (const seconds of [3, 2]) {
      await configure(daemon, `[image]\npull_progress_timeout = "${seconds}s"\n`);
      await reload(daemon, READ);
      const started = Date.now();
      const { message } = await failureOf(daemon.images.pullImage({ image: { image: 'registry.example/stall:1' } }, { timeoutMs: 60_000 }));
      const tookMs = Date.now() - started;
      assert.match(message, new RegExp(`^RegistryUnavailable: pull registry\\.example/stall:1: .* in ${seconds} s`));
      assert.ok(tookMs >= seconds * 1000 && tookMs < seconds * 1000 + 2500, `it took ${tookMs} ms with ${seconds} s set`);
    }
  },
  { images: [] },
);

e2eTest(
  'what a search registry gave is found, used and removed by its short name',
  async (daemon) => {
    const [first, second] = [await registry(), await registry()];
    second.addImage({ config: { Env: ['PATH=/bin'] }, layers: [await busyboxLayer()] }, 'tools/app', '1');
    const { manifest } = second.addImage({ config: { Env: ['PATH=/bin'] }, layers: [await busyboxLayer()] }, 'app', '1');
    const locations = [first, second].map(
      ({ host }, index) => `[[registry]]\nprefix = "search${index}.test"\nlocation = "${host}"\ninsecure = true\n`,
    );
    await configure(daemon, '');
    await useRegistries(daemon, `unqualified-search-registries = ["search0.test", "search1.test"]\n${locations.join('')}`);
    await daemon.restart();
    for (const name of ['app:1', 'tools/app:1', `app@${manifest}`]) {
      const { imageRef } = await daemon.images.pullImage({ image: { image: name } }, { timeoutMs: 60_000 });
      assert.equal(await imageId(daemon, name), imageRef, name);
      assert.equal((await daemon.images.listImages({ filter: { image: { image: name } } })).images.length, 1, name);
      const pod = await runPod(daemon);
      await runContainer(daemon, pod, SLEEP, { image: name });
      await removePod(daemon, pod.id);
      await daemon.images.removeImage({ image: { image: name } });
      assert.deepEqual((await daemon.images.listImages({})).images, [], name);
    }

    // Without the list the name means docker.io again; what was pulled has its whole name.
    await daemon.images.pullImage({ image: { image: 'app:1' } }, { timeoutMs: 60_000 });
    await useRegistries(daemon, locations.join(''));
    await reload(daemon, READ);
    assert.equal(await imageId(daemon, 'app:1'), undefined);
    assert.notEqual(await imageId(daemon, 'search1.test/app:1'), undefined);
    await daemon.images.removeImage({ image: { image: 'search1.test/app:1' } });
  },
  { images: [] },
);
