import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ensureDir, remove } from 'fs-extra/esm';
import { cgroupsOf } from '../../../src/linux/cgroups/detect.ts';
import { rate, Sampler } from '../../../src/stats/sampler.ts';
import { cgroup2Mount } from '../../support/cgroup-mounts.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const SECOND = 1_000_000_000n;

/** A sampler over a directory that looks like a version 2 tree, in a time that the test sets. */
async function samplerIn(t: TestContext) {
  const root = await scratchDirectory(t);
  mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  t.after(() => {
    mock.timers.reset();
  });
  const use = async (path: string, cpuUs: number): Promise<void> => {
    await ensureDir(join(root, path));
    await writeFile(join(root, path, 'cpu.stat'), `usage_usec ${cpuUs}\n`);
  };
  return { sampler: new Sampler(cgroupsOf([cgroup2Mount(root)])), use, root };
}

test('the first rate is the average since the cgroup was first used, the next ones are between samples', async (t) => {
  const { sampler, use } = await samplerIn(t);
  await use('/pod', 2_000_000);
  const startedNs = (1_000n - 4n) * SECOND;
  assert.equal((await sampler.sample('/pod', startedNs))?.nanoCores, SECOND / 2n);

  mock.timers.tick(10_000);
  await use('/pod', 3_000_000);
  const second = await sampler.sample('/pod', startedNs);
  assert.deepStrictEqual([second?.nanoCores, second?.atNs, second?.usage.cpuNs], [SECOND / 10n, 1_010n * SECOND, 3n * SECOND]);
});

test('a sample right after another has fresh figures and the rate of before', async (t) => {
  const { sampler, use } = await samplerIn(t);
  await use('/pod', 1_000_000);
  await sampler.sample('/pod', 999n * SECOND);
  mock.timers.tick(100);
  await use('/pod', 1_100_000);
  const again = await sampler.sample('/pod', 999n * SECOND);
  assert.deepStrictEqual([again?.nanoCores, again?.usage.cpuNs], [SECOND, 1_100_000_000n]);

  mock.timers.tick(900);
  await use('/pod', 2_000_000);
  assert.equal((await sampler.sample('/pod', 999n * SECOND))?.nanoCores, SECOND, 'counted from the last full sample');
});

test('a cgroup that is gone has no sample, and one of the same name begins anew', async (t) => {
  const { sampler, use, root } = await samplerIn(t);
  await use('/pod', 50_000_000);
  await sampler.sample('/pod', 0n);
  await remove(join(root, 'pod'));
  mock.timers.tick(1_000);
  assert.equal(await sampler.sample('/pod', 0n), undefined);

  await use('/pod', 1_000_000);
  mock.timers.tick(1_000);
  assert.equal((await sampler.sample('/pod', 1_000n * SECOND))?.nanoCores, SECOND / 2n);
});

test('a cgroup that nobody has asked for in ten minutes is forgotten', async (t) => {
  const { sampler, use } = await samplerIn(t);
  await use('/gone', 5_000_000);
  await use('/pod', 5_000_000);
  await sampler.sample('/gone', 0n);
  mock.timers.tick(1_300_000);
  await sampler.sample('/pod', 0n);
  mock.timers.tick(1_000);
  await use('/gone', 5_000_000);

  // Known, its rate since the last sample would be 0; forgotten, it is the average since its start.
  assert.equal((await sampler.sample('/gone', 2_300n * SECOND))?.nanoCores, 5n * SECOND);
});

test('rate() is processor time per second; a counter that went back has none', () => {
  assert.equal(rate(3n * SECOND, 20n * SECOND, SECOND, 16n * SECOND), SECOND / 2n);
  assert.equal(rate(SECOND, 20n * SECOND, 2n * SECOND, 16n * SECOND), undefined);
  assert.equal(rate(undefined, 20n, 0n, 16n), undefined);
  assert.equal(rate(3n, 16n, 1n, 16n), undefined);
});
