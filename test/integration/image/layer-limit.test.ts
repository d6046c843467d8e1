import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLayer } from '../../../scripts/make-demo-image.ts';
import { FaultyRegistry } from '../../support/faulty-registry.ts';
import { pullBench } from '../../support/pull-bench.ts';

const IMAGES = ['one', 'two', 'three'];
/** Few bytes to download, and many to unpack. */
const LAYER_BYTES = 24 * 1024 * 1024;
const LAYERS = 5;

test('downloads wait where the unpacking is behind, however many images are pulled', async (t) => {
  const registry = await FaultyRegistry.start({});
  t.after(async () => registry.stop());
  for (const image of IMAGES) {
    const layers = Array.from({ length: LAYERS }, async (_, index) =>
      makeLayer([{ path: `${image}-${index}`, kind: 'file', data: Buffer.alloc(LAYER_BYTES, index) }]),
    );
    registry.addImage({ config: {}, layers: await Promise.all(layers) }, `team/${image}`, '1');
  }
  const { puller } = await pullBench(t, registry.conf, { parallelDownloads: () => 3, parallelDownloadsOfAll: () => 1 });
  let most = 0;
  const watch = setInterval(() => {
    const layers = puller.inProgress.flatMap((image) => image.layers);
    most = Math.max(most, layers.filter(({ state }) => state === 'fetching' || state === 'unpacking').length);
  }, 1);
  try {
    await Promise.all(IMAGES.map(async (image) => puller.pull(`registry.example/team/${image}:1`, undefined, AbortSignal.timeout(60_000))));
  } finally {
    clearInterval(watch);
  }
  assert.equal(most, 2);
});
