import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupsOf } from '../../../../src/linux/cgroups/detect.ts';
import { parseThrottleFiles } from '../../../../src/linux/cgroups/figures-v1.ts';
import { parseIoStat } from '../../../../src/linux/cgroups/figures-v2.ts';
import { listHugePageSizes } from '../../../../src/linux/cgroups/huge-page-sizes.ts';
import { cgroup1Mount, cgroup2Mount } from '../../../support/cgroup-mounts.ts';
import { scratchDirectory, writeKernelFiles } from '../../../support/scratch.ts';

test('the counters of a version 2 cgroup', async (t) => {
  const root = await scratchDirectory(t);
  await writeKernelFiles(join(root, 'pod1'), {
    'cpu.stat': 'usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7',
    'cpu.max': '150000 100000',
    'cpu.weight': '39',
    'memory.stat': 'file 400\nfile_mapped 100\nkernel 50\nslab 20\nkernel_stack 10',
    'memory.events': 'low 0\nhigh 0\nmax 3\noom 0\noom_kill 4',
    'memory.peak': '2000',
    'memory.max': '4096',
    'memory.low': '0',
    'memory.swap.max': 'max',
    'pids.max': '100',
    'io.stat': '254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6',
    'hugetlb.2MB.current': '4194304',
  });
  const figures = await cgroupsOf([cgroup2Mount(root)]).figures('/pod1', ['2MB', '1GB']);
  assert.ok(figures !== undefined);
  assert.deepStrictEqual([figures.usage.cpuNs, figures.oomKills], [30_000n, 4]);
  assert.deepStrictEqual(figures.counters, {
    cpu: { userNs: 20_000n, systemNs: 10_000n, periods: 5n, throttledPeriods: 2n, throttledNs: 7_000n },
    memory: { cacheBytes: 400n, mappedBytes: 100n, kernelBytes: 50n, peakBytes: 2000n, limitHits: 3n },
    limits: {
      cpuShares: 998n,
      cpuQuotaUs: 150_000n,
      cpuPeriodUs: 100_000n,
      memoryBytes: 4096n,
      memoryReservationBytes: 0n,
      swapBytes: 0n,
      threads: 100n,
    },
    devices: [
      { major: 254, minor: 0, operation: 'Read', bytes: 1n, count: 3n },
      { major: 254, minor: 0, operation: 'Write', bytes: 2n, count: 4n },
      { major: 254, minor: 0, operation: 'Discard', bytes: 5n, count: 6n },
    ],
    hugePages: [{ pageSize: '2MB', usageBytes: 4_194_304n, peakBytes: undefined }],
  });
});

test('without a quota it is 0; a kernel that does not sum up its own memory has its greatest parts', async (t) => {
  const root = await scratchDirectory(t);
  await writeKernelFiles(join(root, 'pod1'), {
    'cpu.stat': 'usage_usec 30',
    'cpu.max': 'max 100000',
    'memory.stat': 'slab 20\nkernel_stack 10',
  });
  const figures = await cgroupsOf([cgroup2Mount(root)]).figures('/pod1', []);
  const { limits, memory } = figures?.counters ?? assert.fail('no figures');
  assert.deepStrictEqual([limits.cpuQuotaUs, limits.cpuPeriodUs, memory.kernelBytes, limits.memoryBytes], [0n, 100_000n, 30n, undefined]);
});

test('the counters of a version 1 cgroup, each from its own hierarchy', async (t) => {
  const root = await scratchDirectory(t);
  await writeKernelFiles(join(root, 'cpu/pod1'), {
    'cpuacct.usage_user': '20',
    'cpuacct.usage_sys': '10',
    'cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 7',
    'cpu.shares': '512',
    'cpu.cfs_quota_us': '-1',
    'cpu.cfs_period_us': '100000',
  });
  await writeKernelFiles(join(root, 'memory/pod1'), {
    'memory.usage_in_bytes': '1000',
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 5',
    'memory.stat': 'cache 1\ntotal_cache 400\ntotal_mapped_file 100',
    'memory.kmem.usage_in_bytes': '50',
    'memory.max_usage_in_bytes': '2000',
    'memory.failcnt': '3',
    'memory.limit_in_bytes': '9223372036854771712',
    'memory.soft_limit_in_bytes': '4096',
  });
  await writeKernelFiles(join(root, 'memory/pod1/below'), { 'memory.oom_control': 'oom_kill 2' });
  await writeKernelFiles(join(root, 'pids/pod1'), { 'pids.max': 'max' });
  await writeKernelFiles(join(root, 'blkio/pod1'), {
    'blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Write 1\nTotal 4097',
    'blkio.throttle.io_serviced_recursive': '8:0 Read 2\nTotal 2',
  });
  await writeKernelFiles(join(root, 'hugetlb/pod1'), { 'hugetlb.2MB.usage_in_bytes': '0', 'hugetlb.2MB.max_usage_in_bytes': '2097152' });
  const mounts = ['memory', 'pids', 'blkio', 'hugetlb', 'freezer'].map((name) => cgroup1Mount(join(root, name), name));
  const cgroups = cgroupsOf([cgroup1Mount(join(root, 'cpu'), 'cpu', 'cpuacct'), ...mounts]);
  const figures = await cgroups.figures('/pod1', ['2MB']);
  assert.ok(figures !== undefined);
  assert.deepStrictEqual([figures.usage.memory?.usageBytes, figures.oomKills], [1000n, 7]);
  assert.deepStrictEqual(figures.counters, {
    cpu: { userNs: 20n, systemNs: 10n, periods: 5n, throttledPeriods: 2n, throttledNs: 7n },
    memory: { cacheBytes: 400n, mappedBytes: 100n, kernelBytes: 50n, peakBytes: 2000n, limitHits: 3n },
    limits: {
      cpuShares: 512n,
      cpuQuotaUs: 0n,
      cpuPeriodUs: 100_000n,
      memoryBytes: 0n,
      memoryReservationBytes: 4096n,
      swapBytes: undefined,
      threads: 0n,
    },
    devices: [
      { major: 8, minor: 0, operation: 'Read', bytes: 4096n, count: 2n },
      { major: 8, minor: 0, operation: 'Write', bytes: 1n, count: undefined },
    ],
    hugePages: [{ pageSize: '2MB', usageBytes: 0n, peakBytes: 2_097_152n }],
  });
});

test('a cgroup that is not there has no figures', async (t) => {
  const root = await scratchDirectory(t);
  assert.equal(await cgroupsOf([cgroup2Mount(root)]).figures('/pod1', ['2MB']), undefined);
  assert.equal(await cgroupsOf([cgroup1Mount(root, 'memory')]).figures('/pod1', ['2MB']), undefined);
});

test('a device that has done nothing has a line without figures', () => {
  assert.deepStrictEqual(parseIoStat('7:0\n\n'), []);
  assert.deepStrictEqual(parseThrottleFiles('Total 0\n', 'Total 0\n'), []);
});

test('huge page sizes are named as the cgroup files are', async (t) => {
  const root = await scratchDirectory(t);
  for (const name of ['hugepages-64kB', 'hugepages-2048kB', 'hugepages-1048576kB', 'other']) await mkdir(join(root, name));
  assert.deepStrictEqual((await listHugePageSizes(root)).sort(), ['1GB', '2MB', '64KB']);
  assert.deepStrictEqual(await listHugePageSizes(join(root, 'absent')), []);
});
