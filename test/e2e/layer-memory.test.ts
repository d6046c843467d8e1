import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { makeTar } from '../../scripts/tar-writer.ts';
import { ociArchive } from '../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../scripts/make-demo-image.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { noRegistry, TestRegistry } from '../support/registry.ts';
import { END_OF_TAR, gzipLayer, paxHeader } from '../support/tar-blocks.ts';

/** Most that one header may hold; ten times as much, and more, is sent in each of the ways below. */
const HEADER_BYTES = 1024 * 1024;
const HEADERS = 400;
/** What reading one layer may take besides what a daemon at rest has, whatever is in it. */
const MAX_GROWTH_BYTES = 160 * 1024 * 1024;

/** The most that a process has had in memory since {@link forgetPeak}, bytes. proc_pid_status(5). */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5'); // proc_pid_clear_refs(5)
}

function* globalHeaders(): Generator<Buffer> {
  const value = 'v'.repeat(HEADER_BYTES - 100);
  for (let index = 0; index < HEADERS; index += 1) {
    yield paxHeader('g', [[`key.${String(index).padStart(6, '0')}`, value]]);
  }
  yield makeTar([{ path: 'file', kind: 'file', data: 'content' }]).subarray(0, -END_OF_TAR.length);
  yield END_OF_TAR;
}

const registry = noRegistry === false ? await TestRegistry.start() : undefined;
after(async () => {
  await registry?.stop();
});

/** Has the daemon load and pull an image of this layer, and says how its memory grew. */
async function grow(daemon: TestDaemon, layer: ImageLayer, name: string): Promise<Record<'load' | 'pull', number>> {
  const archive = join(daemon.directory, `${name}.tar`);
  await writeFile(archive, ociArchive([{ name: `localhost/${name}:1`, layers: [layer], config: {} }]));
  const growth = async (work: () => Promise<unknown>): Promise<number> => {
    await forgetPeak(daemon.pid);
    const before = await peakOf(daemon.pid);
    await work();
    return (await peakOf(daemon.pid)) - before;
  };
  const load = await growth(async () => daemon.cli('image', 'load', archive));
  await daemon.images.removeImage({ image: { image: `localhost/${name}:1` } });
  assert.ok(registry !== undefined);
  await registry.push({ layers: [layer], config: {} }, name, ['1']);
  const image = `${registry.host}/${name}:1`;
  const pull = await growth(async () => daemon.images.pullImage({ image: { image } }, { timeoutMs: 120_000 }));
  await daemon.images.removeImage({ image: { image } });
  return { load, pull };
}

e2eTest(
  'a layer of 400 MiB of pax global headers takes no memory for them, loaded or pulled',
  async (daemon, t) => {
    const layer = await gzipLayer(globalHeaders());
    assert.ok(layer.blob.length < 4 * HEADER_BYTES, `the layer has ${layer.blob.length} bytes`);
    const growth = await grow(daemon, layer, 'global-headers');
    t.diagnostic(`the daemon grew by ${growth.load} bytes for the load and ${growth.pull} for the pull`);
    for (const [way, bytes] of Object.entries(growth)) {
      assert.ok(bytes < MAX_GROWTH_BYTES, `${way}: the daemon grew by ${bytes} bytes, may by ${MAX_GROWTH_BYTES}`);
    }
  },
  {
    skip: noRegistry,
    images: [],
    prepare: async () => ({ images: [], config: (await registry?.daemonConfig({})) ?? '' }),
  },
);
