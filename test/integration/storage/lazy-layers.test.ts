/** The records of layers that lie in additional layer stores. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { ensureDir, remove } from 'fs-extra/esm';
import { silentLog } from '../../../src/base/log.ts';
import type { Digest } from '../../../src/base/ids.ts';
import { LazyLayers } from '../../../src/storage/lazy-layers.ts';
import type { LazyLayer } from '../../../src/storage/lazy-layers.ts';
import { startImageStorage } from '../../support/image-storage.ts';

const digest = (number: number): Digest => `sha256:${number.toString(16).padStart(64, '0')}` as Digest;
const layerOf = (number: number, store: string, tree: string): LazyLayer => {
  return { version: 1, chain: digest(number), diffId: digest(number), sizeBytes: 0, inodes: 0, outside: { store, tree } };
};

test('a layer has its record before its store hears that it is used, so that a crash between leaves nothing held', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-lazy-'));
  try {
    const [store, records] = [join(directory, 'store'), join(directory, 'records')];
    await ensureDir(join(store, 'layer', 'diff'));
    await execa('mkfifo', [join(store, 'layer', 'use')]); // whoever says that it is used waits for a reader
    const layers = new LazyLayers(records, silentLog);
    const adding = layers.add(layerOf(1, store, join(store, 'layer', 'diff')));
    const record = join(records, `${digest(1).slice('sha256:'.length)}.json`);
    for (let left = 30; left > 0 && !existsSync(record); left -= 1) await new Promise((done) => setTimeout(done, 100));
    const found = existsSync(record);
    await readFile(join(store, 'layer', 'use'));
    await adding;
    assert.ok(found);
    await layers.remove(digest(1));
    assert.deepEqual(await readdir(records), []);
  } finally {
    await remove(directory);
  }
});

test('a lost layer that is added again at its place is not released there, nor is one that is there', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-lazy-'));
  try {
    const [store, records] = [join(directory, 'store'), join(directory, 'records')];
    const [place, other] = [join(store, 'layer'), join(store, 'other')];
    await Promise.all([ensureDir(join(place, 'diff')), ensureDir(join(other, 'diff'))]);
    const layers = new LazyLayers(records, silentLog);
    const layer = layerOf(1, store, join(place, 'diff'));
    await layers.add(layer);
    await layers.add(layerOf(1, store, join(other, 'diff')));
    assert.deepEqual(layers.get(digest(1)), layer, 'who came first has it');
    await remove(join(place, 'diff'));
    await layers.look();
    assert.equal(layers.get(digest(1)), undefined);
    await layers.add(layer);
    // A release is rmdir(2) of what the layer lies in, which a directory without it would not refuse.
    assert.ok(existsSync(place), 'it was released');
    assert.deepEqual(layers.get(digest(1)), layer);
    await layers.remove(digest(1));
    assert.equal(existsSync(place), false, 'it was not released');
  } finally {
    await remove(directory);
  }
});

test('a daemon killed while it removes a layer has told its store, and removes it at its next start', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-lazy-'));
  try {
    const [place, records] = [join(directory, 'store/layer'), join(directory, 'root/layers/lazy')];
    await Promise.all([ensureDir(place), ensureDir(join(directory, 'root'))]);
    const layer = layerOf(1, join(directory, 'store'), join(place, 'diff'));
    const script = `
      import { LazyLayers } from ${JSON.stringify(join(import.meta.dirname, '../../../src/storage/lazy-layers.ts'))};
      await (await import('node:fs/promises')).mkdir(${JSON.stringify(join(directory, 'root/layers'))});
      const layers = new LazyLayers(${JSON.stringify(records)}, { warn() {}, info() {} });
      await layers.add(${JSON.stringify(layer)});
      await layers.remove(${JSON.stringify(layer.chain)});`;
    const env = { PODWRIGHT_KILL_AT: 'lazy-layer.released' };
    const { signal } = await execa(process.execPath, ['--input-type=module', '-e', script], { env, reject: false });
    assert.equal(signal, 'SIGKILL');
    assert.equal(existsSync(place), false, 'it was not released');
    assert.equal((await readdir(records)).length, 1);
    const stores = await startImageStorage(join(directory, 'root'));
    await stores.close();
    stores.layers.lazy.close();
    assert.deepEqual(await readdir(records), []);
  } finally {
    await remove(directory);
  }
});

test('a layer that is added while it is removed has its record', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-lazy-'));
  try {
    const [store, records] = [join(directory, 'store'), join(directory, 'records')];
    await ensureDir(join(store, 'layer/diff'));
    const layer = layerOf(1, store, join(store, 'layer/diff'));
    const layers = new LazyLayers(records, silentLog);
    await layers.add(layer);
    const removing = layers.remove(layer.chain);
    assert.equal(layers.get(layer.chain), undefined);
    await layers.add(layer);
    assert.equal(await removing, true);
    assert.deepEqual(layers.get(layer.chain), layer);
    assert.equal((await readdir(records)).length, 1);
    // And the other way round, of one that was lost: nothing is left.
    await remove(join(store, 'layer/diff'));
    await layers.look();
    const adding = layers.add(layer);
    assert.equal(await layers.remove(layer.chain), true);
    await adding;
    assert.equal(layers.list().length, 0);
    assert.deepEqual(await readdir(records), []);
  } finally {
    await remove(directory);
  }
});

test('thousands of layers with long paths are all looked for', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pw-lazy-'));
  try {
    const [store, records] = [join(directory, 'store'), join(directory, 'records')];
    const tree = join(store, 'r'.repeat(240), 'l'.repeat(240), 'diff');
    await Promise.all([ensureDir(tree), ensureDir(records)]);
    const MANY = 5000;
    for (let number = 0; number < MANY; number += 1)
      await writeFile(join(records, `${digest(number).slice('sha256:'.length)}.json`), JSON.stringify(layerOf(number, store, tree)));
    const layers = new LazyLayers(records, silentLog);
    await layers.start();
    layers.close();
    assert.equal(layers.list().filter(({ chain }) => layers.get(chain) !== undefined).length, MANY);
  } finally {
    await remove(directory);
  }
});
