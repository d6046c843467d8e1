/** Pulls of images that are made for it: from nothing, and where all layers but a small one are here. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { blobsOf, NEXT, pushBenchImage } from './pull-images.ts';
import type { BenchImage } from './pull-images.ts';
import { forgetPeak, peakOf, processorMsOf } from './runtime-process.ts';
import type { Target } from './targets.ts';
import type { Times } from './times.ts';
import { inTurn } from './turns.ts';

const OPTIONS = { timeoutMs: 900_000 };
/** For what one leaves to the kernel: files to remove, memory to free. */
const PAUSE_MS = 2000;
const UNPACK = 'set -o pipefail; mkdir "$2"; curl -sf "$1" | tee >(sha256sum >&2) | gzip -dc | tee >(sha256sum >&2) | tar -x -C "$2"; wait';

/** Pulls each image with each target, `rounds` times. Those that the registry has not are made and pushed before. */
export async function measurePulls(
  targets: readonly Target[],
  floor: Times | undefined,
  images: readonly BenchImage[],
  registry: string,
  rounds: number,
): Promise<void> {
  for (const image of images) {
    // Read once, so that the first to ask has no worse disk than the others.
    if ((await blobsOf(registry, image, '1')).length === 0) await pushBenchImage(image, registry);
    for (let round = 0; round < rounds; round += 1) {
      for (const target of inTurn(targets, round)) await pullBoth(target, image, registry);
      if (floor !== undefined) await unpackBare(floor, image, registry);
    }
  }
}

async function pullBoth(target: Target, image: BenchImage, registry: string): Promise<void> {
  const name = (tag: string): string => `${registry}/bench/${image.name}:${tag}`;
  await pull(target, name('1'), `pull ${image.words}, cold`);
  await pull(target, name(NEXT), `pull ${image.words}, shared layers`);
  for (const tag of ['1', NEXT]) await target.client.image.removeImage({ image: { image: name(tag) } }, OPTIONS);
  await execa('sync');
  await sleep(PAUSE_MS);
}

async function pull({ client, times, pid }: Target, image: string, what: string): Promise<void> {
  if (pid !== undefined) await forgetPeak(pid);
  const before = pid === undefined ? 0 : await processorMsOf(pid);
  const begun = performance.now();
  await client.image.pullImage({ image: { image } }, OPTIONS);
  times.add(`${what}, s`, (performance.now() - begun) / 1000);
  if (pid === undefined) return;
  times.add(`${what}, processor s`, ((await processorMsOf(pid)) - before) / 1000);
  times.add(`${what}, peak MiB`, await peakOf(pid));
}

/** The same work by curl, sha256sum, gzip and tar, a layer after the other, and one flush: each in a process of its own. */
async function unpackBare(times: Times, image: BenchImage, registry: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-unpack-'));
  try {
    const begun = performance.now();
    for (const [index, url] of (await blobsOf(registry, image, '1')).entries())
      await execa('bash', ['-c', UNPACK, 'unpack', url, join(directory, String(index))]);
    await execa('sync', ['-f', directory]);
    times.add(`pull ${image.words}, cold, s`, (performance.now() - begun) / 1000);
  } finally {
    await remove(directory);
  }
}
