// long: 35 s
/** What plugins change of containers that are there already: at the create, update and stop of others, or unasked; and evictions. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ContainerState } from '../../api/cri/enums.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { NriPlugin, noNriPlugin } from '../support/nri-plugin.ts';
import type { NriRule } from '../support/nri-plugin.ts';
import { containerConfig, containerStatus, createContainer, failureOf, runContainer, runPod, until, waitForExit } from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
const MIB = 1024 * 1024;
const test = sharedDaemon({ skip: noNriPlugin });

async function hasHugePages(): Promise<boolean> {
  const v2 = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => '');
  return existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB') && (v2.includes('hugetlb') || existsSync('/sys/fs/cgroup/hugetlb'));
}

/** An update of a container by its name, to so many MiB of memory and this quota of CPU time (microseconds in 100,000). */
const update = (name: string, mib: number, quota?: number): object => ({
  containerId: `@${name}`,
  linux: {
    resources: {
      memory: { limit: { value: String(mib * MIB) } },
      ...(quota !== undefined && { cpu: { quota: { value: String(quota) } } }),
    },
  },
});

/** MiB that a container may have, by the kernel and by ContainerStatus, which comes a moment after. */
async function memoryOf(daemon: TestDaemon, id: string): Promise<number> {
  return until('ContainerStatus says what is so', async () => {
    const inKernel = Number(await cgroupFile(await pidOf(daemon, id), ['memory.limit_in_bytes', 'memory.max']));
    const reported = (await containerStatus(daemon, id)).resources?.linux?.memoryLimitInBytes;
    return reported === BigInt(inKernel) && inKernel / MIB;
  });
}

async function withPlugin(daemon: TestDaemon, rules: readonly NriRule[], work: (plugin: NriPlugin) => Promise<void>): Promise<void> {
  const plugin = await NriPlugin.start(daemon.nriSocket, { rules });
  try {
    await work(plugin);
  } finally {
    await plugin.stop();
  }
}

test('the create and the stop of a container change another that runs', async (daemon) => {
  const rules: NriRule[] = [
    { call: 'CreateContainer', container: 'second', answer: { update: [update('first', 100, 30_000)] } },
    { call: 'StopContainer', container: 'second', answer: { update: [update('first', 120)] } },
  ];
  await withPlugin(daemon, rules, async (plugin) => {
    const pod = await runPod(daemon);
    const first = await runContainer(daemon, pod, SLEEP, { name: 'first', memoryBytes: BigInt(64 * MIB) });
    const second = await runContainer(daemon, pod, SLEEP, { name: 'second' });
    assert.equal(await memoryOf(daemon, first), 100);
    assert.match(await cgroupFile(await pidOf(daemon, first), ['cpu.cfs_quota_us', 'cpu.max']), /^30000\b/);
    await daemon.runtime.stopContainer({ containerId: second, timeout: 0n });
    await until('the stop has changed it', async () => (await memoryOf(daemon, first)) === 120);
    assert.equal((await plugin.events('UpdateContainer')).length, 0, 'what plugins change is not asked about again');
  });
});

test('an update asked for by the kubelet is changed on its way, and changes another', async (daemon) => {
  const rules: NriRule[] = [{ call: 'UpdateContainer', container: 'main', answer: { update: [update('main', 90), update('other', 80)] } }];
  await withPlugin(daemon, rules, async (plugin) => {
    const pod = await runPod(daemon);
    const other = await runContainer(daemon, pod, SLEEP, { name: 'other' });
    const main = await runContainer(daemon, pod, SLEEP, { name: 'main' });
    const linux = { memoryLimitInBytes: BigInt(70 * MIB), cpuQuota: 40_000n, cpuPeriod: 100_000n };
    await daemon.runtime.updateContainerResources({ containerId: main, linux });
    assert.equal(await memoryOf(daemon, main), 90);
    assert.match(await cgroupFile(await pidOf(daemon, main), ['cpu.cfs_quota_us', 'cpu.max']), /^40000\b/, 'what the plugin left stays');
    assert.equal(await memoryOf(daemon, other), 80);
    const [asked] = await plugin.events('UpdateContainer');
    const { memory } = asked?.request['linuxResources'] as { memory: { limit: { value: string } } };
    assert.equal(memory.limit.value, String(70 * MIB));
    assert.equal((await plugin.events('PostUpdateContainer')).length, 1);
  });
});

test('a plugin that refuses an update fails it with its words, and nothing changes', async (daemon) => {
  await withPlugin(daemon, [{ call: 'UpdateContainer', error: 'stay as you are' }], async () => {
    const id = await runContainer(daemon, await runPod(daemon), SLEEP, { memoryBytes: BigInt(64 * MIB) });
    const { message } = await failureOf(
      daemon.runtime.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: BigInt(70 * MIB) } }),
    );
    assert.match(message, /stay as you are/);
    assert.equal(await memoryOf(daemon, id), 64);
  });
});

test('a plugin updates unasked; those that fail are told by their ids, the others are done', async (daemon) => {
  const pod = await runPod(daemon);
  const [one, two] = [await runContainer(daemon, pod, SLEEP, { name: 'one' }), await createContainer(daemon, pod, SLEEP, { name: 'two' })];
  await withPlugin(daemon, [], async (plugin) => {
    const noCpus = (name: string): object => ({ containerId: `@${name}`, linux: { resources: { cpu: { cpus: '4095' } } } });
    const gone = { containerId: 'f'.repeat(64), linux: { resources: { pids: { limit: '50' } } } };
    const failed = (await plugin.updateContainers({ update: [update('one', 50), noCpus('one'), gone, update('two', 60)] })) as {
      containerId: string;
    }[];
    assert.deepEqual(failed.map(({ containerId }) => containerId), [one], 'one that is gone is no failure'); // prettier-ignore
    assert.equal(await memoryOf(daemon, one), 50);
    await daemon.runtime.startContainer({ containerId: two });
    assert.equal(await memoryOf(daemon, two), 60, 'one that was only created too');
    assert.deepEqual(await plugin.updateContainers({ update: [update('one', 55), { ...noCpus('two'), ignoreFailure: true }] }), []);
    assert.equal(await memoryOf(daemon, one), 55);
  });
});

test('what a plugin updates when it is synchronized is done', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP, { name: 'early' });
  await withPlugin(daemon, [{ call: 'Synchronize', answer: { update: [update('early', 40)] } }], async () => {
    await until('it is updated', async () => (await memoryOf(daemon, id)) === 40);
  });
});

test('a plugin evicts a container: it is stopped, at the create of another or unasked', async (daemon) => {
  const rules: NriRule[] = [
    { call: 'CreateContainer', container: 'second', answer: { evict: [{ containerId: '@first', reason: 'room is needed' }] } },
  ];
  const pod = await runPod(daemon);
  const first = await runContainer(daemon, pod, SLEEP, { name: 'first' });
  await withPlugin(daemon, rules, async (plugin) => {
    const second = await runContainer(daemon, pod, SLEEP, { name: 'second' });
    await waitForExit(daemon, first, 40_000);
    assert.equal((await containerStatus(daemon, second)).state, ContainerState.CONTAINER_RUNNING);
    assert.deepEqual(await plugin.updateContainers({ evict: [{ containerId: '@second', reason: 'and you' }] }), []);
    await waitForExit(daemon, second, 40_000);
    await plugin.until('StopContainer', 2);
  });
});

test('a resize by the kubelet, which names all limits of the request, goes past those on huge pages that a plugin has adjusted', async (daemon, context) => {
  if (!(await hasHugePages())) {
    context.skip('this node has no controller of huge pages');
    return;
  }
  const huge = (limit: number): object => ({ pageSize: '2MB', limit: String(limit * MIB) });
  const rules: NriRule[] = [
    { call: 'CreateContainer', answer: { adjust: { linux: { resources: { hugepageLimits: [huge(4)] } } } } },
    { call: 'UpdateContainer', answer: {} },
  ];
  await withPlugin(daemon, rules, async () => {
    const pod = await runPod(daemon);
    const made = await containerConfig(pod, SLEEP);
    const asked = { cpuShares: 512n, hugepageLimits: [{ pageSize: '2MB', limit: 0n }] };
    const config = { ...made, linux: { ...made.linux, resources: asked } };
    const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    await daemon.runtime.startContainer({ containerId });
    await daemon.runtime.updateContainerResources({ containerId, linux: { ...asked, cpuShares: 600n } });
    const { cpuShares, hugepageLimits } = (await containerStatus(daemon, containerId)).resources?.linux ?? assert.fail();
    assert.deepEqual([cpuShares, hugepageLimits], [600n, [{ pageSize: '2MB', limit: BigInt(4 * MIB) }]]);
    const inKernel = await cgroupFile(await pidOf(daemon, containerId), ['hugetlb.2MB.limit_in_bytes', 'hugetlb.2MB.max']);
    assert.equal(inKernel, String(4 * MIB));
  });
});
