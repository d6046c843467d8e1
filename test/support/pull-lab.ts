import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { busyboxLayer, makeLayer } from '../../scripts/make-demo-image.ts';
import type { ImageLayer, LayerCompression } from '../../scripts/make-demo-image.ts';
import { pidOf } from './cgroup-files.ts';
import { TestDaemon } from './daemon.ts';
import { assertNothingNew, inventoryOf } from './e2e-test.ts';
import type { Inventory } from './inventory.ts';
import { removePod, runContainer, runPod } from './pods.ts';
import { noRegistry, TestRegistry } from './registry.ts';

/** Of the layers above busybox. */
const LAYERS: readonly LayerCompression[] = ['gzip', 'none', 'zstd', 'gzip', 'gzip'];
const TEST_TIMEOUT_MS = 14 * 60_000;
const PULL_TIMEOUT_MS = 120_000;

async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** A daemon without images, and a registry with one. */
export class PullLab {
  readonly registry: TestRegistry;
  readonly daemon: TestDaemon;
  readonly name: string;
  readonly imageId: string;
  /** Of the files that the layers brought: digest and name. */
  readonly #sums: readonly string[];
  /** What is there without the image. */
  readonly #empty: Inventory;

  private constructor(registry: TestRegistry, daemon: TestDaemon, imageId: string, sums: readonly string[], empty: Inventory) {
    this.registry = registry;
    this.daemon = daemon;
    this.name = `${registry.host}/crash:1`;
    this.imageId = imageId;
    this.#sums = sums;
    this.#empty = empty;
  }

  static async make(sizeBytes: number): Promise<PullLab> {
    const registry = await TestRegistry.start();
    try {
      const sums: string[] = [];
      const layers: ImageLayer[] = [await busyboxLayer()];
      for (const [index, compression] of LAYERS.entries()) {
        const data = randomBytes(Math.round(sizeBytes / LAYERS.length));
        const name = `layer-${index}`;
        layers.push(await makeLayer([{ path: `data/${name}`, kind: 'file', data }], compression));
        sums.push(`${createHash('sha256').update(data).digest('hex')} ${name}`);
      }
      const { imageId } = await registry.push({ layers, config: { Env: ['PATH=/bin'] } }, 'crash', ['1']);
      const daemon = await TestDaemon.start({ images: [], config: await registry.daemonConfig({}) });
      return new PullLab(registry, daemon, imageId, sums, await inventoryOf(daemon));
    } catch (error) {
      await registry.stop();
      throw error;
    }
  }

  async pull(): Promise<string> {
    return (await this.daemon.images.pullImage({ image: { image: this.name } }, { timeoutMs: PULL_TIMEOUT_MS })).imageRef;
  }

  /** After a kill in a pull and the next start: whether the image is there, which it may only be as a whole. */
  async settle(): Promise<'absent' | 'whole'> {
    const { image } = await this.daemon.images.imageStatus({ image: { image: this.name } });
    if (image === undefined) {
      assert.deepEqual((await this.daemon.images.listImages({})).images, []);
      await assertNothingNew(this.daemon, this.#empty);
      return 'absent';
    }
    await this.check();
    return 'whole';
  }

  /** Compares what a container sees with what was pushed. */
  async check(): Promise<void> {
    const pod = await runPod(this.daemon);
    const pid = await pidOf(this.daemon, await runContainer(this.daemon, pod, ['sleep', '3600'], { image: this.name }));
    const data = `/proc/${pid}/root/data`;
    const sums = await Promise.all((await readdir(data)).sort().map(async (name) => `${await sha256File(join(data, name))} ${name}`));
    assert.deepEqual(sums, this.#sums);
    await removePod(this.daemon, pod.id);
  }

  async remove(): Promise<void> {
    await this.daemon.images.removeImage({ image: { image: this.imageId } });
    await assertNothingNew(this.daemon, this.#empty);
  }

  async pullCheckRemove(): Promise<void> {
    assert.equal(await this.pull(), this.imageId);
    await this.check();
    await this.remove();
  }

  async close(): Promise<void> {
    await this.daemon.destroy();
    await this.registry.stop();
  }
}

/** A test of pulls of one image of about this size. */
export function pullTest(name: string, sizeBytes: number, body: (lab: PullLab, context: TestContext) => Promise<void>): void {
  test(name, { timeout: TEST_TIMEOUT_MS, skip: noRegistry }, async (context) => {
    const lab = await PullLab.make(sizeBytes);
    try {
      await body(lab, context);
    } catch (error) {
      process.stdout.write(await lab.daemon.logTail(40));
      throw error;
    } finally {
      await lab.close();
    }
  });
}
