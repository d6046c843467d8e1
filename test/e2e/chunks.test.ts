/** image.reuse_chunks, as a registry and a container see it. */
// long: 20 s
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busyboxLayer } from '../../scripts/make-demo-image.ts';
import type { ImageLayer } from '../../scripts/make-demo-image.ts';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { FaultyRegistry } from '../support/faulty-registry.ts';
import { removePod, runContainer, runPod } from '../support/pods.ts';
import { chunkedLayer, noChunked } from '../support/zstd-chunked.ts';

const MIB = 1024 * 1024;
const DATA = randomBytes(3 * MIB);
const versions = [1, 2, 3].map((version) => {
  const data = Buffer.from(DATA);
  randomBytes(64 * 1024).copy(data, (version - 1) * MIB);
  return data;
});

async function configure(daemon: TestDaemon, registry: FaultyRegistry, keys: string): Promise<void> {
  const conf = join(daemon.directory, 'registries.conf');
  await writeFile(conf, registry.conf);
  await mkdir(join(daemon.directory, 'conf.d'), { recursive: true });
  await writeFile(join(daemon.directory, 'conf.d/10-chunks.toml'), `registries_conf = "${conf}"\n[image]\ndiscard_blobs = true\n${keys}`);
  await daemon.restart();
}

async function dataInContainer(daemon: TestDaemon, image: string): Promise<string> {
  const pod = await runPod(daemon);
  const pid = await pidOf(daemon, await runContainer(daemon, pod, ['sleep', '3600'], { image }));
  const data = await readFile(`/proc/${pid}/root/data/model`);
  await removePod(daemon, pod.id);
  return createHash('sha256').update(data).digest('hex');
}

e2eTest(
  'of a new version the chunks that are not here are fetched, and with image.reuse_chunks = false the whole',
  async (daemon, t) => {
    const layers: ImageLayer[] = [];
    for (const data of versions) layers.push(await chunkedLayer([{ path: 'data/model', kind: 'file', data }]));
    let fetched = 0;
    const registry = await FaultyRegistry.start({
      fault: ({ url = '', headers }) => {
        const layer = layers.find(({ digest }) => url.includes(digest));
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
        if (layer !== undefined) fetched += from === undefined ? layer.blob.length : Number(to) - Number(from) + 1;
        return false;
      },
    });
    t.after(async () => registry.stop());
    const base = await busyboxLayer();
    for (const [index, layer] of layers.entries()) registry.addImage({ config: { Env: ['PATH=/bin'] }, layers: [base, layer] }, 'team/app', `${index + 1}`);
    const name = (version: number): string => `registry.example/team/app:${version}`;
    const pull = async (version: number): Promise<number> => {
      fetched = 0;
      await daemon.images.pullImage({ image: { image: name(version) } }, { timeoutMs: 60_000 });
      const sum = createHash('sha256').update(versions[version - 1]!).digest('hex');
      assert.equal(await dataInContainer(daemon, name(version)), sum);
      return fetched;
    };
    await configure(daemon, registry, '');
    const whole = await pull(1);
    assert.ok(whole >= 3 * MIB, `${whole}`);
    const part = await pull(2);
    assert.ok(part > 64 * 1024 && part < MIB, `${part} of ${whole}`);
    await configure(daemon, registry, 'reuse_chunks = false\n');
    const again = await pull(3);
    assert.ok(again >= 3 * MIB, `${again}`);
    for (const version of [1, 2, 3]) await daemon.images.removeImage({ image: { image: name(version) } });
  },
  { images: [], skip: noChunked },
); // prettier-ignore
