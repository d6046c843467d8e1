/** How many downloads a registry sees at once: of one image, of the node, of ranges, and after a reload. */
// long: 15 s
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeLayer } from '../../scripts/make-demo-image.ts';
import { atEnd } from '../support/at-end.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { RegistryFront } from '../support/registry-front.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';
import { until } from '../support/pods.ts';

const IMAGES = ['one', 'two', 'three', 'four'];
const LAYERS = 5;
const DELAY_MS = 300;
const MIB = 1024 * 1024;

let front: RegistryFront;
const limits = (ofOne: number, ofNode: number): string =>
  `[image]\nmax_parallel_downloads = ${ofOne}\nmax_parallel_downloads_per_node = ${ofNode}\ndownload_range_mib = 1\n`;
const test = sharedDaemon({
  images: [],
  skip: noRegistry,
  prepare: async () => {
    const registry = await TestRegistry.start();
    atEnd(async () => registry.stop());
    const counted = new Set<string>();
    front = await RegistryFront.start(registry.url, { blobDelayMs: DELAY_MS, counted });
    atEnd(async () => front.stop());
    const push = async (name: string, files: number, sizeBytes: number): Promise<void> => {
      const layers = Array.from({ length: files }, async (_, index) =>
        makeLayer([{ path: `${name}-${index}`, kind: 'file', data: randomBytes(sizeBytes) }]),
      );
      for (const { digest } of await Promise.all(layers)) counted.add(digest);
      await registry.push({ config: {}, layers: await Promise.all(layers) }, name, ['1']);
    };
    for (const name of IMAGES) await push(name, LAYERS, 1000);
    for (const name of ['large', 'larger']) await push(name, 1, 12 * MIB);
    return { config: await registry.daemonConfig({ [front.host]: front.host }) };
  },
});

async function setLimits(daemon: TestDaemon, ofOne: number, ofNode: number): Promise<void> {
  await writeFile(join(daemon.directory, 'conf.d/50-limits.toml'), limits(ofOne, ofNode));
  process.kill(daemon.pid, 'SIGHUP');
  await until('the limits are in force', async () => {
    const { info } = await daemon.runtime.status({ verbose: true });
    const shown = Object.values(info).find((text) => text.includes('maxParallelDownloadsPerNode')) ?? '{}';
    return (JSON.parse(shown) as { image?: { maxParallelDownloadsPerNode: number } }).image?.maxParallelDownloadsPerNode === ofNode;
  });
}

/** Pulls images at once and removes them. @returns the most blobs that were under way. */
async function pullAll(daemon: TestDaemon, names: readonly string[]): Promise<{ ofAll: number; ofOne: number }> {
  front.takeMost();
  const images = names.map((name) => `${front.host}/${name}:1`);
  await Promise.all(images.map(async (image) => daemon.images.pullImage({ image: { image } }, { timeoutMs: 60_000 })));
  const most = front.takeMost();
  for (const image of images) await daemon.images.removeImage({ image: { image } });
  return most;
}

test('downloads of all images together stay within the limit of the node, those of one within its own, also after a reload', async (daemon) => {
  await setLimits(daemon, 2, 5);
  assert.deepEqual(await pullAll(daemon, IMAGES), { ofAll: 5, ofOne: 2 });
  await setLimits(daemon, 4, 3);
  assert.deepEqual(await pullAll(daemon, IMAGES), { ofAll: 3, ofOne: 3 });
  await setLimits(daemon, 4, 100);
  assert.deepEqual(await pullAll(daemon, IMAGES), { ofAll: 16, ofOne: 4 });
});

test('ranges of a large layer count as downloads', async (daemon) => {
  await setLimits(daemon, 4, 100);
  assert.deepEqual(await pullAll(daemon, ['large']), { ofAll: 4, ofOne: 4 });
  await setLimits(daemon, 4, 3);
  const { ofAll } = await pullAll(daemon, ['large', 'larger']);
  assert.equal(ofAll, 3);
  assert.ok(front.passed.some(({ headers }) => headers.range !== undefined));
});
