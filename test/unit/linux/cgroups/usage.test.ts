import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parsePressure } from '../../../../src/linux/cgroups/cgroup-texts.ts';
import { cgroupsOf } from '../../../../src/linux/cgroups/detect.ts';
import { cgroup1Mount, cgroup2Mount } from '../../../support/cgroup-mounts.ts';
import { scratchDirectory, writeKernelFiles } from '../../../support/scratch.ts';

const PRESSURE = 'some avg10=1.23 avg60=0.50 avg300=0.00 total=98765\nfull avg10=0.11 avg60=0.00 avg300=0.00 total=43\n';

test('the usage of a version 2 cgroup', async (t) => {
  const root = await scratchDirectory(t);
  await writeKernelFiles(join(root, 'kubepods/pod1'), {
    'cpu.stat': 'usage_usec 2500\nuser_usec 2000\nsystem_usec 500',
    'memory.current': '1000',
    'memory.stat': 'anon 600\nfile 400\ninactive_file 300\npgfault 7\npgmajfault 2',
    'memory.max': '4096',
    'memory.swap.current': '5',
    'memory.swap.max': 'max',
    'pids.current': '9',
    'cpu.pressure': PRESSURE,
  });
  const usage = await cgroupsOf([cgroup2Mount(root)]).usage('/kubepods/pod1');
  assert.deepStrictEqual(usage, {
    cpuNs: 2_500_000n,
    memory: { usageBytes: 1000n, workingSetBytes: 700n, rssBytes: 600n, pageFaults: 7n, majorPageFaults: 2n, limitBytes: 4096n },
    swapBytes: 5n,
    swapLimitBytes: undefined,
    processes: 9n,
    pressure: { cpu: parsePressure(PRESSURE), memory: undefined, io: undefined },
  });
});

test('the usage of a version 1 cgroup: the largest number is no limit, swap is what is over memory', async (t) => {
  const root = await scratchDirectory(t);
  await writeKernelFiles(join(root, 'cpu/pod1'), { 'cpuacct.usage': '2500' });
  await writeKernelFiles(join(root, 'pids/pod1'), { 'pids.current': '9' });
  const memory = {
    'memory.usage_in_bytes': '1000',
    'memory.stat': 'total_inactive_file 1200\ntotal_rss 600\ntotal_pgfault 7\ntotal_pgmajfault 2',
  };
  await writeKernelFiles(join(root, 'memory/pod1'), {
    ...memory,
    'memory.limit_in_bytes': '9223372036854771712',
    'memory.memsw.usage_in_bytes': '1010',
  });
  const cgroups = cgroupsOf([
    cgroup1Mount(join(root, 'cpu'), 'cpu', 'cpuacct'),
    cgroup1Mount(join(root, 'memory'), 'memory'),
    cgroup1Mount(join(root, 'pids'), 'pids'),
    cgroup1Mount(join(root, 'freezer'), 'freezer'),
  ]);
  const usage = await cgroups.usage('/pod1');
  assert.deepStrictEqual(
    [usage?.cpuNs, usage?.memory?.limitBytes, usage?.memory?.workingSetBytes, usage?.memory?.rssBytes, usage?.swapBytes, usage?.processes],
    [2500n, undefined, 0n, 600n, 10n, 9n],
  );
  await writeKernelFiles(join(root, 'memory/pod1'), { 'memory.limit_in_bytes': '4096' });
  assert.equal((await cgroups.usage('/pod1'))?.memory?.limitBytes, 4096n);
});

test('a cgroup that is not there has no usage', async (t) => {
  const root = await scratchDirectory(t);
  assert.equal(await cgroupsOf([cgroup2Mount(root)]).usage('/pod1'), undefined);
  assert.equal(await cgroupsOf([cgroup1Mount(root, 'memory')]).usage('/pod1'), undefined);
});
