/** Every limit that the kubelet can send on cgroup v2, in the files of the container's cgroup: at its creation and in an update. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { pathExists } from 'fs-extra/esm';
import type { Init, LinuxContainerResources } from '../../../api/cri/runtime.ts';
import { containerConfig, containerStatus, failureOf, removePod } from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';
import { cgroupFile, cgroupOf, output } from './node.ts';
import type { GuestNode } from './node.ts';
import { runPod } from './oom.ts';
import { step, tell } from './steps.ts';

const MIB = 1024n * 1024n;
const mib = (count: bigint): string => (count * MIB).toString();
const RUNTIMES = ['runc', 'crun'];

type Resources = Init<LinuxContainerResources>;

/** As the kubelet sends a Burstable container with MemoryQoS and LimitedSwap; it lists each page size that the node has. */
const KUBELET: Resources = {
  cpuPeriod: 100_000n,
  cpuQuota: 50_000n,
  cpuShares: 512n,
  memoryLimitInBytes: 64n * MIB,
  oomScoreAdj: 900n,
  hugepageLimits: [
    { pageSize: '2MB', limit: 4n * MIB },
    { pageSize: '1GB', limit: 0n },
  ],
  unified: {
    'memory.oom.group': '1',
    'memory.swap.max': mib(16n),
    'memory.min': mib(8n),
    'memory.low': mib(12n),
    'memory.high': mib(56n),
  },
};
const KUBELET_FILES: Readonly<Record<string, string>> = {
  'cpu.max': '50000 100000',
  'memory.max': mib(64n),
  'memory.oom.group': '1',
  'memory.swap.max': mib(16n),
  'memory.min': mib(8n),
  'memory.low': mib(12n),
  'memory.high': mib(56n),
  'hugetlb.2MB.max': mib(4n),
  'hugetlb.1GB.max': '0',
};

/** An update of what the kubelet may change at run time, and what its files say then. */
const CHANGE: Resources = {
  cpuQuota: 75_000n,
  memoryLimitInBytes: 80n * MIB,
  cpusetCpus: '1',
  unified: { 'memory.high': mib(72n), 'memory.min': mib(6n), 'memory.low': 'max', 'memory.swap.max': '0', 'memory.oom.group': '0' },
};
const CHANGED_FILES: Readonly<Record<string, string>> = {
  ...KUBELET_FILES,
  'cpu.max': '75000 100000',
  'memory.max': mib(80n),
  'cpuset.cpus': '1',
  'memory.high': mib(72n),
  'memory.min': mib(6n),
  'memory.low': 'max',
  'memory.swap.max': '0',
  'memory.oom.group': '0',
};

/** Each is refused by the runtime or before it, with a limit beside it that must not stay either. */
const REFUSED: readonly (readonly [words: RegExp, change: Resources])[] = [
  [/memory\.nothing/, { unified: { 'memory.nothing': '1' } }],
  [/memory\.high/, { unified: { 'memory.high': 'many' } }],
  [/unified has/, { unified: { '../memory.high': '1' } }],
  [/hugepage_limits/, { hugepageLimits: [{ pageSize: '2MB', limit: 8n * MIB }] }],
  [/memory_swap_limit_in_bytes/, { memoryLimitInBytes: 64n * MIB, memorySwapLimitInBytes: 32n * MIB }],
];

export async function resourceCases(node: GuestNode, image: string): Promise<void> {
  const before = await node.inventory();
  for (const runtime of RUNTIMES) {
    const lab = new Lab(node, image, runtime);
    const what = `${node.driver}, ${runtime}`;
    await step(`${what}: all that the kubelet sends is in the cgroup files, and an update changes them`, async () => kubelets(lab));
    await step(`${what}: a limit on swap is what the request says beyond memory`, async () => swap(lab));
    await step(`${what}: limits and weights of block devices are in the cgroup files`, async () => blockDevices(lab));
    await step(`${what}: what is refused changes no file, and no status`, async () => refusals(lab));
  }
  await step(`${node.driver}: nothing is left of those pods`, async () => node.assertNothingNew(before));
}

/** Containers of one runtime, each in a pod of its own. */
class Lab {
  readonly node: GuestNode;
  readonly #image: string;
  readonly #runtime: string;

  constructor(node: GuestNode, image: string, runtime: string) {
    this.node = node;
    this.#image = image;
    this.#runtime = runtime;
  }

  async inPod(work: (pod: Pod) => Promise<void>): Promise<void> {
    const { pod, podCgroup } = await runPod(this.node, this.#runtime);
    try {
      await work(pod);
    } finally {
      await removePod(this.node, pod.id);
      await this.node.removePodCgroup(podCgroup);
    }
  }

  async create(pod: Pod, resources: Resources): Promise<string> {
    const config = await containerConfig(pod, ['sleep', '3600'], { image: this.#image });
    const limited = { ...config, linux: { ...config.linux, resources } };
    return (await this.node.runtime.createContainer({ podSandboxId: pod.id, config: limited, sandboxConfig: pod.config })).containerId;
  }

  /** A running container and its cgroup, in a pod that is removed whatever becomes of the work. */
  async withContainer(resources: Resources, work: (id: string, cgroup: string) => Promise<void>): Promise<void> {
    await this.inPod(async (pod) => {
      const id = await this.create(pod, resources);
      await this.node.runtime.startContainer({ containerId: id });
      await work(id, await cgroupOf(await this.node.pidOf(id)));
    });
  }

  async update(containerId: string, linux: Resources): Promise<void> {
    await this.node.runtime.updateContainerResources({ containerId, linux });
  }
}

async function filesOf(cgroup: string, names: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const name of names) found[name] = await cgroupFile(cgroup, name).catch((error: unknown) => `cannot be read: ${String(error)}`);
  return found;
}

/** What the node has of the files: a processor without pages of 1 GB, or a kernel without swap, has fewer. */
async function there(cgroup: string, wanted: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>> {
  const has = await Promise.all(Object.keys(wanted).map(async (name) => pathExists(`/sys/fs/cgroup${cgroup}/${name}`)));
  const missing = Object.keys(wanted).filter((_, index) => has[index] !== true);
  if (missing.length > 0) tell({ kind: 'note', text: `this kernel has no ${missing.join(', ')}` });
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !missing.includes(name)));
}

async function kubelets(lab: Lab): Promise<void> {
  await lab.withContainer(KUBELET, async (id, cgroup) => {
    const wanted = await there(cgroup, KUBELET_FILES);
    assert.ok('memory.swap.max' in wanted && 'hugetlb.2MB.max' in wanted, 'swap and huge pages are limited');
    assert.deepEqual(await filesOf(cgroup, Object.keys(wanted)), wanted);
    assert.deepEqual((await containerStatus(lab.node, id)).resources?.linux?.unified, KUBELET.unified);

    // What an update leaves out stays: a runtime takes the unified of an update for all of it.
    await lab.update(id, { cpuQuota: 60_000n });
    assert.deepEqual(await filesOf(cgroup, Object.keys(wanted)), { ...wanted, 'cpu.max': '60000 100000' });

    await lab.update(id, CHANGE);
    const changed = await there(cgroup, CHANGED_FILES);
    assert.deepEqual(await filesOf(cgroup, Object.keys(changed)), changed);
    assert.deepEqual((await containerStatus(lab.node, id)).resources?.linux?.unified, CHANGE.unified);

    // systemd writes what it knows of a unit anew, and the daemon shows what is on its disk.
    await output('systemctl', 'daemon-reload');
    await lab.node.restart();
    await lab.node.untilReady();
    assert.deepEqual(await filesOf(cgroup, Object.keys(changed)), changed);
    assert.deepEqual((await containerStatus(lab.node, id)).resources?.linux?.unified, CHANGE.unified);
  });
}

async function swap(lab: Lab): Promise<void> {
  const swapOf = async (cgroup: string): Promise<readonly string[]> =>
    Object.values(await filesOf(cgroup, ['memory.max', 'memory.swap.max']));
  await lab.withContainer({ memoryLimitInBytes: 64n * MIB, memorySwapLimitInBytes: 96n * MIB }, async (id, cgroup) => {
    assert.deepEqual(await swapOf(cgroup), [mib(64n), mib(32n)]);
    await lab.update(id, { memoryLimitInBytes: 80n * MIB, memorySwapLimitInBytes: 128n * MIB });
    assert.deepEqual(await swapOf(cgroup), [mib(80n), mib(48n)]);
    await lab.update(id, { memoryLimitInBytes: 72n * MIB });
    assert.deepEqual(await swapOf(cgroup), [mib(72n), '0']);
    await lab.update(id, { memoryLimitInBytes: 72n * MIB, memorySwapLimitInBytes: -1n });
    assert.deepEqual(await swapOf(cgroup), [mib(72n), 'max']);
  });
}

async function blockDevices(lab: Lab): Promise<void> {
  const disk = (await readFile('/sys/block/vda/dev', 'utf8')).trim();
  const unified = { 'io.max': `${disk} rbps=1048576 wiops=120` };
  await lab.withContainer({ unified }, async (id, cgroup) => {
    assert.equal(await cgroupFile(cgroup, 'io.max'), `${disk} rbps=1048576 wbps=max riops=max wiops=120`);
    await lab.update(id, { unified: { 'io.max': `${disk} rbps=2097152 wiops=max` } });
    assert.equal(await cgroupFile(cgroup, 'io.max'), `${disk} rbps=2097152 wbps=max riops=max wiops=max`);
    const weight = lab.update(id, { unified: { 'io.weight': 'default 50' } });
    if (await pathExists(`/sys/fs/cgroup${cgroup}/io.weight`)) {
      await weight;
      assert.equal(await cgroupFile(cgroup, 'io.weight'), 'default 50');
    } else {
      const { message } = await failureOf(weight);
      tell({ kind: 'note', text: `this kernel has no io.weight: ${message}` });
      assert.match(message, /io\.weight/);
    }
  });
}

async function refusals(lab: Lab): Promise<void> {
  await lab.withContainer(KUBELET, async (id, cgroup) => {
    const names = [...Object.keys(await there(cgroup, KUBELET_FILES)), 'cpu.weight'];
    const look = async (): Promise<unknown> => [await filesOf(cgroup, names), (await containerStatus(lab.node, id)).resources];
    const before = await look();
    for (const [words, change] of REFUSED) {
      const { code, message } = await failureOf(lab.update(id, { cpuShares: 900n, ...change }));
      tell({ kind: 'note', text: `update refused: ${code}: ${message}` });
      assert.match(message, words);
      assert.deepEqual(await look(), before, message);
    }
  });
  for (const [words, change] of REFUSED.slice(0, 3)) {
    await lab.inPod(async (pod) => {
      const { code, message } = await failureOf(lab.create(pod, { ...KUBELET, ...change }));
      tell({ kind: 'note', text: `creation refused: ${code}: ${message}` });
      assert.match(message, words);
      assert.notEqual(code, 'INTERNAL');
      assert.equal((await lab.node.runtime.listContainers({ filter: { podSandboxId: pod.id } })).containers.length, 0);
    });
  }
}
