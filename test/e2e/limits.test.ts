/** Every limit of a container, at its creation and in an update, in the files of its cgroup. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { Init, LinuxContainerResources } from '../../api/cri/runtime.ts';
import { cgroupFile, isV1, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, containerStatus, failureOf, runPod } from '../support/pods.ts';

const test = sharedDaemon();
const MIB = 1n << 20n;
const CGROUPS = '/sys/fs/cgroup';
const countsSwap = isV1
  ? existsSync(`${CGROUPS}/memory/memory.memsw.limit_in_bytes`)
  : ['system.slice', 'init.scope'].some((child) => existsSync(`${CGROUPS}/${child}/memory.swap.max`));
const controllers = isV1 ? await readdir(CGROUPS) : (await readFile(`${CGROUPS}/cgroup.controllers`, 'utf8')).trim().split(' ');
const hasHugePages = existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB') && controllers.includes('hugetlb');

/** What the kernel says of a process's cgroup. The weight of version 2 is the runtime's translation, and is left out. */
async function limitsOf(pid: number): Promise<Readonly<Record<string, string>>> {
  const [quota, period] = isV1
    ? [await cgroupFile(pid, ['cpu.cfs_quota_us', 'cpu.max']), await cgroupFile(pid, ['cpu.cfs_period_us', 'cpu.max'])]
    : (await cgroupFile(pid, ['cpu.cfs_quota_us', 'cpu.max'])).split(' ');
  return {
    quota: quota ?? '',
    period: period ?? '',
    memory: await cgroupFile(pid, ['memory.limit_in_bytes', 'memory.max']),
    cpus: await cgroupFile(pid, ['cpuset.cpus', 'cpuset.cpus']),
    mems: await cgroupFile(pid, ['cpuset.mems', 'cpuset.mems']),
    ...(isV1 ? { shares: await cgroupFile(pid, ['cpu.shares', 'cpu.weight']) } : {}),
    ...(countsSwap ? { swap: await cgroupFile(pid, ['memory.memsw.limit_in_bytes', 'memory.swap.max']) } : {}),
    ...(hasHugePages ? { huge: await cgroupFile(pid, ['hugetlb.2MB.limit_in_bytes', 'hugetlb.2MB.max']) } : {}),
  };
}

interface Asked {
  readonly quota: bigint;
  readonly period: bigint;
  readonly shares: bigint;
  readonly memory: bigint;
  readonly swap: bigint;
}

const HUGE = 4n * MIB;

function request({ quota, period, shares, memory, swap }: Asked): Init<LinuxContainerResources> {
  return {
    cpuQuota: quota,
    cpuPeriod: period,
    cpuShares: shares,
    memoryLimitInBytes: memory,
    memorySwapLimitInBytes: swap,
    cpusetCpus: '0',
    cpusetMems: '0',
    ...(hasHugePages ? { hugepageLimits: [{ pageSize: '2MB', limit: HUGE }] } : {}),
  };
}

function expected({ quota, period, shares, memory, swap }: Asked): Readonly<Record<string, string>> {
  const numbers = {
    quota,
    period,
    memory,
    ...(isV1 ? { shares } : {}),
    ...(countsSwap ? { swap: isV1 ? swap : swap - memory } : {}),
    ...(hasHugePages ? { huge: HUGE } : {}),
  };
  return { ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)])), cpus: '0', mems: '0' };
}

async function limited(daemon: TestDaemon, resources: Init<LinuxContainerResources>): Promise<{ id: string; pid: number }> {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, ['sleep', '3600']);
  const linux = { ...config.linux, resources: { oomScoreAdj: 999n, ...resources } };
  const { containerId: id } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config: { ...config, linux }, sandboxConfig: pod.config }); // prettier-ignore
  await daemon.runtime.startContainer({ containerId: id });
  return { id, pid: await pidOf(daemon, id) };
}

const FIRST: Asked = { quota: 25_000n, period: 50_000n, shares: 300n, memory: 64n * MIB, swap: 96n * MIB };
const THEN: Asked = { quota: 30_000n, period: 40_000n, shares: 600n, memory: 80n * MIB, swap: 128n * MIB };

test('every limit of a container is in its cgroup', async (daemon) => {
  const { pid } = await limited(daemon, request(FIRST));

  assert.deepEqual(await limitsOf(pid), expected(FIRST));
});

test('every limit of a container can be changed, and is in its cgroup', async (daemon) => {
  const { id, pid } = await limited(daemon, request(FIRST));
  await daemon.runtime.updateContainerResources({ containerId: id, linux: request(THEN) });

  assert.deepEqual(await limitsOf(pid), expected(THEN));
  const { resources } = await containerStatus(daemon, id);
  assert.deepEqual(
    { ...resources?.linux },
    { ...request(THEN), hugepageLimits: request(THEN).hugepageLimits ?? [], oomScoreAdj: 999n, unified: {} },
  );
});

test('a limit on memory alone takes that on swap along, in the kernel and in the status', async (daemon) => {
  const { id, pid } = await limited(daemon, request(FIRST));
  const memory = 72n * MIB;
  await daemon.runtime.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: memory } });

  assert.deepEqual(await limitsOf(pid), expected({ ...FIRST, memory, swap: memory }));
  assert.equal((await containerStatus(daemon, id)).resources?.linux?.memorySwapLimitInBytes, memory);
});

test('an update leaves the OOM score as it was, in the kernel and in the status', async (daemon) => {
  const { id, pid } = await limited(daemon, request(FIRST));
  const annotations = { 'io.kubernetes.container.hash': 'other' };
  const before = (await containerStatus(daemon, id)).annotations;
  await daemon.runtime.updateContainerResources({ containerId: id, linux: { oomScoreAdj: 5n, cpuShares: 77n }, annotations });

  assert.equal((await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim(), '999');
  const status = await containerStatus(daemon, id);
  assert.deepEqual([status.resources?.linux?.oomScoreAdj, status.resources?.linux?.cpuShares], [999n, 77n]);
  assert.deepEqual(status.annotations, before);
});

/** Each with a limit that is fine beside it, which must not stay either. */
const REFUSED: readonly (readonly [field: RegExp, change: Init<LinuxContainerResources>])[] = [
  [/cpu_period/, { cpuShares: 900n, cpuPeriod: 7n }],
  [/cpu_quota/, { cpuShares: 900n, cpuQuota: 2n }],
  [/cpuset_cpus/, { cpuShares: 900n, cpusetCpus: '4096' }],
  [/cpuset_mems/, { cpuShares: 900n, cpusetMems: '1-0' }],
  [/memory_limit_in_bytes/, { cpuShares: 900n, memoryLimitInBytes: 1000n }],
  [/memory_swap_limit_in_bytes/, { cpuShares: 900n, memoryLimitInBytes: 80n * MIB, memorySwapLimitInBytes: 70n * MIB }],
  [/oom_score_adj/, { cpuShares: 900n, oomScoreAdj: 2000n }],
  [/hugepage_limits/, { cpuShares: 900n, hugepageLimits: [{ pageSize: '3MB', limit: 1n }] }],
  [/hugepage_limits/, { cpuShares: 900n, hugepageLimits: [{ pageSize: '2MB', limit: HUGE * 2n }] }],
  ...(isV1 ? ([[/unified/, { cpuShares: 900n, unified: { 'memory.high': '1000' } }]] as const) : []),
];

test('an update that is refused leaves every limit as it was, in the kernel and in the status', async (daemon) => {
  const { id, pid } = await limited(daemon, request(FIRST));
  const before = [await limitsOf(pid), (await containerStatus(daemon, id)).resources];
  for (const [field, linux] of REFUSED) {
    const { message } = await failureOf(daemon.runtime.updateContainerResources({ containerId: id, linux }));
    assert.match(message, field);
    assert.deepEqual([await limitsOf(pid), (await containerStatus(daemon, id)).resources], before, message);
  }
});
