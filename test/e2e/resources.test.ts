/** UpdateContainerResources: what is asked for is in the cgroup and in ContainerStatus, and nothing else has changed. */
// long: 20 s
import assert from 'node:assert/strict';
import type { Init, LinuxContainerResources } from '../../api/cri/runtime.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { CgroupFile } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, containerStatus, failureOf, runContainer, runPod, shell, waitForExit, waitForOutput } from '../support/pods.ts';

const test = sharedDaemon();

const SLEEP = ['sleep', '3600'];
const MIB = 1n << 20n;

const MEMORY: CgroupFile = ['memory.limit_in_bytes', 'memory.max'];
const CPUS: CgroupFile = ['cpuset.cpus', 'cpuset.cpus'];

/** The processor quota per period in microseconds, in the words of either version: `50000 100000`. */
async function cpuMax(pid: number): Promise<string> {
  const quota = await cgroupFile(pid, ['cpu.cfs_quota_us', 'cpu.max']);
  return quota.includes(' ') ? quota : `${quota} ${await cgroupFile(pid, ['cpu.cfs_period_us', 'cpu.max'])}`;
}

/** A weight of version 2 is runc's translation of the shares: its order is all there is to compare. */
async function cpuShares(pid: number): Promise<number> {
  return Number(await cgroupFile(pid, ['cpu.shares', 'cpu.weight']));
}

interface Limited {
  readonly id: string;
  readonly pid: number;
}

async function limitedContainer(
  daemon: TestDaemon,
  resources: Init<LinuxContainerResources>,
  command: readonly string[] = SLEEP,
): Promise<Limited> {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, command);
  const linux = { ...config.linux, resources: { oomScoreAdj: 999n, ...resources } };
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config: { ...config, linux }, sandboxConfig: pod.config }); // prettier-ignore
  await daemon.runtime.startContainer({ containerId });
  return { id: containerId, pid: await pidOf(daemon, containerId) };
}

async function update(daemon: TestDaemon, containerId: string, linux: Init<LinuxContainerResources>): Promise<void> {
  await daemon.runtime.updateContainerResources({ containerId, linux });
}

async function reported(daemon: TestDaemon, id: string): Promise<LinuxContainerResources> {
  const { resources } = await containerStatus(daemon, id);
  return resources?.linux ?? assert.fail('the status has no resources');
}

const BEFORE = { cpuPeriod: 100_000n, cpuQuota: 50_000n, cpuShares: 512n, memoryLimitInBytes: 64n * MIB, cpusetCpus: '0' };

test('memory and processor limits of a running container change in its cgroup and in its status', async (daemon) => {
  const { id, pid } = await limitedContainer(daemon, BEFORE);
  const sharesBefore = await cpuShares(pid);
  await update(daemon, id, { cpuPeriod: 50_000n, cpuQuota: 20_000n, cpuShares: 1024n, memoryLimitInBytes: 128n * MIB });

  assert.equal(await cgroupFile(pid, MEMORY), String(128n * MIB));
  assert.equal(await cpuMax(pid), '20000 50000');
  assert.ok((await cpuShares(pid)) > sharesBefore);
  const { cpuPeriod, cpuQuota, cpuShares: shares, memoryLimitInBytes, cpusetCpus, oomScoreAdj } = await reported(daemon, id);
  assert.deepEqual({ cpuPeriod, cpuQuota, shares, memoryLimitInBytes, cpusetCpus, oomScoreAdj }, { cpuPeriod: 50_000n, cpuQuota: 20_000n, shares: 1024n, memoryLimitInBytes: 128n * MIB, cpusetCpus: '0', oomScoreAdj: 999n }); // prettier-ignore
  assert.equal(await pidOf(daemon, id), pid, 'the container was started anew');
});

test('what the request leaves at zero stays as it was', async (daemon) => {
  const { id, pid } = await limitedContainer(daemon, BEFORE);
  await update(daemon, id, { memoryLimitInBytes: 96n * MIB });
  assert.equal(await cpuMax(pid), '50000 100000');
  assert.equal(await cgroupFile(pid, CPUS), '0');

  await update(daemon, id, { cpuQuota: 70_000n, cpuPeriod: 100_000n });
  assert.equal(await cgroupFile(pid, MEMORY), String(96n * MIB));
  assert.equal(await cpuMax(pid), '70000 100000');
  const { cpuQuota, cpuShares: shares, memoryLimitInBytes } = await reported(daemon, id);
  assert.deepEqual({ cpuQuota, shares, memoryLimitInBytes }, { cpuQuota: 70_000n, shares: 512n, memoryLimitInBytes: 96n * MIB });
});

test('a limit can be lowered, and taken away with -1', async (daemon) => {
  const { id, pid } = await limitedContainer(daemon, BEFORE);
  await update(daemon, id, { memoryLimitInBytes: 32n * MIB, cpuQuota: 10_000n });
  assert.equal(await cgroupFile(pid, MEMORY), String(32n * MIB));
  assert.equal(await cpuMax(pid), '10000 100000');

  await update(daemon, id, { cpuQuota: -1n });
  assert.match(await cpuMax(pid), /^(-1|max) /);
});

test('memory and swap are raised and lowered together', async (daemon) => {
  const both = (bytes: bigint): Init<LinuxContainerResources> => ({ memoryLimitInBytes: bytes, memorySwapLimitInBytes: bytes });
  const { id, pid } = await limitedContainer(daemon, both(64n * MIB));
  for (const bytes of [128n * MIB, 48n * MIB]) {
    await update(daemon, id, both(bytes));
    assert.equal(await cgroupFile(pid, MEMORY), String(bytes));
    const swap = await cgroupFile(pid, ['memory.memsw.limit_in_bytes', 'memory.swap.max']).catch(() => undefined);
    assert.ok(swap === undefined || swap === String(bytes) || swap === '0', `the limit with swap is ${swap ?? ''}`);
  }
});

test('a memory limit below what is in use is refused with both figures, and nothing has changed', async (daemon) => {
  // tail keeps its last line in memory, and this one has no end.
  const { id, pid } = await limitedContainer(daemon, BEFORE, shell('echo ready; { head -c 20000000 /dev/zero; sleep 3600; } | tail'));
  await waitForOutput(daemon, id, 'ready');
  const inUse = async (): Promise<number> => Number(await cgroupFile(pid, ['memory.usage_in_bytes', 'memory.current']));
  for (let round = 0; round < 100 && (await inUse()) < 20_000_000; round += 1) await new Promise((resolve) => setTimeout(resolve, 50));

  const { code, message } = await failureOf(update(daemon, id, { memoryLimitInBytes: 8n * MIB, cpuQuota: 10_000n }));
  assert.equal(code, 'FAILED_PRECONDITION');
  assert.match(message, /memory_limit_in_bytes is 8388608, must be at least the \d+ bytes in use/);
  assert.equal(await cgroupFile(pid, MEMORY), String(64n * MIB));
  assert.equal(await cpuMax(pid), '50000 100000');
  assert.equal((await reported(daemon, id)).memoryLimitInBytes, 64n * MIB);
});

test('of a change that the kernel refuses nothing stays', async (daemon) => {
  const { id, pid } = await limitedContainer(daemon, BEFORE);
  await failureOf(update(daemon, id, { memoryLimitInBytes: 96n * MIB, cpusetCpus: '4095' }));

  assert.equal(await cgroupFile(pid, MEMORY), String(64n * MIB));
  assert.equal(await cgroupFile(pid, CPUS), '0');
  assert.equal((await reported(daemon, id)).memoryLimitInBytes, 64n * MIB);
});

test('a container that is created but not started takes the new limits with it', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, SLEEP, { memoryBytes: 64n * MIB });
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  await update(daemon, containerId, { memoryLimitInBytes: 80n * MIB });
  await daemon.runtime.startContainer({ containerId });

  assert.equal(await cgroupFile(await pidOf(daemon, containerId), MEMORY), String(80n * MIB));
});

test('a container that has ended, one that is not there, and a request without resources are refused', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), ['true']);
  await waitForExit(daemon, id);

  assert.equal((await failureOf(update(daemon, id, { memoryLimitInBytes: 64n * MIB }))).code, 'FAILED_PRECONDITION');
  assert.equal((await failureOf(update(daemon, 'f'.repeat(64), { memoryLimitInBytes: 64n * MIB }))).code, 'NOT_FOUND');
  const absent = await failureOf(daemon.runtime.updateContainerResources({ containerId: id }));
  assert.equal(absent.code, 'INVALID_ARGUMENT');
});

test('ten changes at once: the last that is reported is the one in the cgroup', async (daemon) => {
  const { id, pid } = await limitedContainer(daemon, BEFORE);
  const sizes = Array.from({ length: 10 }, (_, index) => BigInt(64 + index) * MIB);
  await Promise.all(sizes.map(async (memoryLimitInBytes) => update(daemon, id, { memoryLimitInBytes })));

  assert.equal(await cgroupFile(pid, MEMORY), String((await reported(daemon, id)).memoryLimitInBytes));
});

e2eTest('changed limits are still reported after kill -9 of the daemon', async (daemon) => {
  const { id, pid } = await limitedContainer(daemon, BEFORE);
  await update(daemon, id, { memoryLimitInBytes: 128n * MIB });
  await daemon.kill9();
  await daemon.start();

  assert.equal((await reported(daemon, id)).memoryLimitInBytes, 128n * MIB);
  assert.equal(await cgroupFile(pid, MEMORY), String(128n * MIB));
  await update(daemon, id, { memoryLimitInBytes: 160n * MIB });
  assert.equal(await cgroupFile(pid, MEMORY), String(160n * MIB));
});
