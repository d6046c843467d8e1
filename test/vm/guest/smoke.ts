/** What must work on a node before it is booted again: one pod that stays, and others that come and go. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureDir, pathExists } from 'fs-extra/esm';
import { CgroupDriver, ContainerState, NamespaceMode, PodSandboxState } from '../../../api/cri/enums.ts';
import type { ContainerConfig, Init, LinuxContainerResources } from '../../../api/cri/runtime.ts';
import {
  containerConfig,
  containerStatus,
  execSync,
  linesOf,
  outputOf,
  podAddress,
  podConfig,
  readLog,
  removePod,
  shell,
  untilPage,
  waitForExit,
  waitForOutput,
} from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';
import type { Inventory } from '../../support/inventory.ts';
import { cgroupFile, cgroupOf, monitorOf, output, PATIENCE_MS, PIDS_LIMIT } from './node.ts';
import type { Driver, GuestNode } from './node.ts';
import { need, skip, step } from './steps.ts';
import { checkUserNamespace } from './user-namespaces.ts';

const MEMORY_BYTES = 64n * 1024n * 1024n;
const MORE_MEMORY_BYTES = 96n * 1024n * 1024n;
/** dd is over it before its one buffer of 64 MiB is full; the runtime, which starts within the limit, is not nearly. */
const OOM_MEMORY_BYTES = 32n * 1024n * 1024n;

/** Most an exec may take, seconds. */
const EXEC_S = PATIENCE_MS / 1000;

/** A pod that runs over daemon restarts and the boot; also what the next boot is told of this one. */
export interface Resident {
  readonly driver: Driver;
  readonly pod: Pod;
  readonly podCgroup: string;
  readonly web: string;
  readonly ticker: string;
  /** What there was before the first pod. */
  readonly inventory: Inventory;
  readonly bootId: string;
}

/** Codes that the resident's containers exit with when they are asked to end. */
export const EXIT_CODES = { web: 5, ticker: 7 } as const;

// A shell that waits starts no processes, which are dear here.
const WEB = shell(`trap 'exit ${EXIT_CODES.web}' TERM; httpd -f -p 80 -h /www & echo serving; wait`);
const TICKER = shell(`trap 'exit ${EXIT_CODES.ticker}' TERM; i=0; while :; do i=$((i+1)); echo tick $i; sleep 1; done`);

/** The unit runs with the node's driver, and has the image. */
export async function prepare(node: GuestNode, image: string): Promise<void> {
  await need(`${node.driver}: the unit starts and is ready`, async () => {
    await node.restartWithDriver();
    await node.untilReady();
  });
  if (await hasImage(node, image)) return;
  await need('an archive is loaded with podwright image load', async () => {
    await output('/usr/lib/podwright/bin/podwright', 'image', 'load', '/payload/image.tar');
  });
}

export async function smoke(node: GuestNode, image: string): Promise<Resident> {
  const { driver } = node;
  await prepare(node, image);
  await step(`${driver}: RuntimeConfig names the cgroup driver`, async () => {
    const { linux } = await node.runtime.runtimeConfig({});
    assert.equal(linux?.cgroupDriver, driver === 'systemd' ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS);
  });
  const resident = await need(`${driver}: a pod with two containers runs`, async () => startResident(node, image));
  await step(`${driver}: the limits are in the cgroup files`, async () => checkLimits(node, resident));
  await step(`${driver}: UpdateContainerResources changes them, and they last over a daemon-reload`, async () => update(node, resident));
  await step(`${driver}: the pod answers on its address`, async () => {
    assert.match(await untilPage(`http://${await podAddress(node, resident.pod.id)}/`, PATIENCE_MS), /It works/);
  });
  await step(`${driver}: ExecSync`, async () => checkExec(node, resident));
  await step(`${driver}: the log is a CRI log`, async () => checkLog(node, resident));
  await step(`${driver}: stats of cpu, memory, processes and network`, async () => checkStats(node, resident));
  await step(`${driver}: metrics of the pod and its containers`, async () => checkPodMetrics(node, resident));
  await step(`${driver}: the monitors are outside the service's cgroup`, async () => checkMonitors(node, resident));
  await others(node, image);
  await restarts(node, resident);
  return resident;
}

async function hasImage(node: GuestNode, image: string): Promise<boolean> {
  return (await node.images.imageStatus({ image: { image } })).image !== undefined;
}

/** The resources of a container, as the kubelet computes them from requests and limits. */
function limits(memoryBytes: bigint): Init<LinuxContainerResources> {
  return { cpuPeriod: 100_000n, cpuQuota: 150_000n, cpuShares: 512n, memoryLimitInBytes: memoryBytes, oomScoreAdj: 500n };
}

interface Wanted {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly memoryBytes: bigint;
}

async function run(node: GuestNode, pod: Pod, { name, image, command, memoryBytes }: Wanted): Promise<string> {
  const config: Init<ContainerConfig> = await containerConfig(pod, command, { name, image });
  const limited = { ...config, linux: { ...config.linux, resources: limits(memoryBytes) } };
  const { containerId } = await node.runtime.createContainer({ podSandboxId: pod.id, config: limited, sandboxConfig: pod.config });
  await node.runtime.startContainer({ containerId });
  return containerId;
}

/** A pod in a cgroup that was made for it, as the kubelet does. */
export async function runPod(node: GuestNode, name: string): Promise<{ pod: Pod; podCgroup: string }> {
  const config = podConfig(node, { name });
  const podCgroup = await node.makePodCgroup(config.metadata?.uid ?? '');
  const placed = { ...config, linux: { ...config.linux, cgroupParent: podCgroup } };
  const { podSandboxId } = await node.runtime.runPodSandbox({ config: placed, runtimeHandler: '' });
  return { pod: { id: podSandboxId, config: placed }, podCgroup };
}

/** Removes the pod whatever becomes of the work: steps behind this one count what is left. */
async function thenRemoved(node: GuestNode, pod: Pod, podCgroup: string | undefined, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await removePod(node, pod.id);
    if (podCgroup !== undefined) await node.removePodCgroup(podCgroup);
  }
}

async function startResident(node: GuestNode, image: string): Promise<Resident> {
  await ensureDir(node.logDirectory);
  await node.makeParentCgroups();
  const inventory = await node.inventory();
  const { pod, podCgroup } = await runPod(node, 'resident');
  const web = await run(node, pod, { name: 'web', image, command: WEB, memoryBytes: MEMORY_BYTES });
  const ticker = await run(node, pod, { name: 'ticker', image, command: TICKER, memoryBytes: MEMORY_BYTES });
  await waitForOutput(node, web, 'serving', PATIENCE_MS);
  await waitForOutput(node, ticker, 'tick 1', PATIENCE_MS);
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return { driver: node.driver, pod, podCgroup, web, ticker, inventory, bootId };
}

async function checkLimits(node: GuestNode, { web, podCgroup }: Resident): Promise<void> {
  const pid = await node.pidOf(web);
  const cgroup = await cgroupOf(pid);
  const own = node.driver === 'systemd' ? `podwright-${web}.scope` : web;
  assert.equal(cgroup, `${podCgroup}/${own}`);
  const seen: Record<string, string> = {};
  for (const file of ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max']) seen[file] = await cgroupFile(cgroup, file);
  assert.deepEqual(seen, {
    'memory.max': MEMORY_BYTES.toString(),
    'memory.swap.max': '0',
    'cpu.max': '150000 100000',
    'pids.max': String(PIDS_LIMIT),
  });
  // 512 of 1024 shares; runtimes differ in how they map shares to weights.
  const weight = Number(await cgroupFile(cgroup, 'cpu.weight'));
  assert.ok(weight > 10 && weight < 100, `cpu.weight is ${weight}`);
  assert.equal((await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim(), '500');
  assert.equal(await outputIn(node, web, ['cat', '/sys/fs/cgroup/memory.max']), MEMORY_BYTES.toString());
}

async function update(node: GuestNode, { web }: Resident): Promise<void> {
  await node.runtime.updateContainerResources({
    containerId: web,
    linux: { memoryLimitInBytes: MORE_MEMORY_BYTES, cpuQuota: 160_000n, cpuPeriod: 100_000n },
  });
  await output('systemctl', 'daemon-reload');
  const cgroup = await cgroupOf(await node.pidOf(web));
  assert.equal(await cgroupFile(cgroup, 'memory.max'), MORE_MEMORY_BYTES.toString());
  assert.equal(await cgroupFile(cgroup, 'cpu.max'), '160000 100000');
  assert.equal(await cgroupFile(cgroup, 'pids.max'), String(PIDS_LIMIT));
}

async function checkExec(node: GuestNode, { web }: Resident): Promise<void> {
  const { exitCode, stdout, stderr } = await execSync(node, web, shell('echo out; echo err >&2; exit 9'), EXEC_S);
  const seen = { exitCode, stdout: Buffer.from(stdout).toString(), stderr: Buffer.from(stderr).toString() };
  assert.deepEqual(seen, { exitCode: 9, stdout: 'out\n', stderr: 'err\n' });
  // The command counts against the container's limits: it must not stay in the daemon's cgroup.
  assert.match(await outputIn(node, web, ['cat', '/proc/self/cgroup']), /^0::\/$/m);
}

async function checkLog(node: GuestNode, { ticker }: Resident): Promise<void> {
  const { logPath } = await containerStatus(node, ticker);
  const lines = await readLog(logPath);
  assert.ok(lines.every(({ stream }) => stream === 'stdout'));
  assert.equal(linesOf(lines)[0], 'tick 1');
}

async function checkStats(node: GuestNode, { pod, web }: Resident): Promise<void> {
  const cgroup = await cgroupOf(await node.pidOf(web));
  const { stats } = await node.runtime.containerStats({ containerId: web });
  const usage = stats?.memory?.usageBytes?.value ?? 0n;
  const workingSet = stats?.memory?.workingSetBytes?.value ?? 0n;
  assert.ok((stats?.cpu?.usageCoreNanoSeconds?.value ?? 0n) > 0n, 'no processor time');
  assert.ok(workingSet > 0n && workingSet <= usage && usage < MORE_MEMORY_BYTES, `working set ${workingSet}, usage ${usage}`);
  assert.equal((stats?.memory?.availableBytes?.value ?? 0n) + workingSet, BigInt(await cgroupFile(cgroup, 'memory.max')));
  assert.ok((stats?.memory?.rssBytes?.value ?? 0n) > 0n, 'no rss');
  const pressure = await readFile('/proc/pressure/cpu', 'utf8').catch(() => undefined);
  if (pressure === undefined) skip(`${node.driver}: pressure in the stats`, 'this kernel keeps none');
  else assert.ok(stats?.cpu?.psi?.some !== undefined, 'no pressure of the processor');

  const { stats: podStats } = await node.runtime.podSandboxStats({ podSandboxId: pod.id });
  const { linux } = podStats ?? {};
  const eth0 = linux?.network?.defaultInterface;
  assert.equal(eth0?.name, 'eth0');
  assert.ok((eth0.rxBytes?.value ?? 0n) > 0n && (eth0.txBytes?.value ?? 0n) > 0n, 'nothing received or sent');
  assert.ok((linux?.process?.processCount?.value ?? 0n) >= 2n, `${linux?.process?.processCount?.value} processes`);
  assert.ok(
    (linux?.memory?.usageBytes?.value ?? 0n) >= usage / 2n,
    `the pod uses ${linux?.memory?.usageBytes?.value} bytes, less than its container's ${usage}`,
  );
  assert.ok((linux?.cpu?.usageCoreNanoSeconds?.value ?? 0n) > 0n, 'the pod has no processor time');
  assert.equal(linux?.containers.length, 2);
}

/** Figures that cgroup v2 has in other files, or alone. */
async function checkPodMetrics(node: GuestNode, { pod, web }: Resident): Promise<void> {
  const cgroup = await cgroupOf(await node.pidOf(web));
  const { podMetrics } = await node.runtime.listPodSandboxMetrics({});
  const found = podMetrics.find(({ podSandboxId }) => podSandboxId === pod.id);
  const metrics = found?.containerMetrics.find(({ containerId }) => containerId === web)?.metrics ?? [];
  const of = (name: string): bigint => metrics.find((metric) => metric.name === name)?.value?.value ?? assert.fail(`no ${name}`);
  assert.equal(metrics[0]?.labelValues[1], cgroup);
  assert.equal(of('container_spec_memory_limit_bytes'), BigInt(await cgroupFile(cgroup, 'memory.max')));
  assert.equal(of('container_spec_cpu_shares'), 512n);
  const [quota = '', period = ''] = (await cgroupFile(cgroup, 'cpu.max')).split(' ');
  assert.deepEqual([of('container_spec_cpu_quota'), of('container_spec_cpu_period')], [BigInt(quota), BigInt(period)]);
  assert.ok(of('container_memory_max_usage_bytes') >= of('container_memory_working_set_bytes'));
  assert.ok(of('container_memory_kernel_usage') > 0n && of('container_memory_rss') > 0n);
  assert.equal(of('container_oom_events_total'), 0n);
  assert.ok(of('container_file_descriptors') > of('container_sockets') && of('container_sockets') > 0n);
  if (await readFile('/proc/pressure/cpu', 'utf8').catch(() => undefined))
    assert.ok(of('container_pressure_cpu_waiting_seconds_total') >= 0n);
  assert.ok(
    found?.metrics.some(({ name, labelValues }) => name === 'container_network_receive_bytes_total' && labelValues.includes('eth0')),
  );
}

async function checkMonitors(node: GuestNode, { web, ticker, podCgroup }: Resident): Promise<void> {
  for (const id of [web, ticker]) {
    const cgroup = await cgroupOf(await monitorOf(id, await node.pidOf(id)));
    const own = node.driver === 'systemd' ? `podwright-conmon-${id}.scope` : `podwright-conmon-${id}`;
    assert.equal(cgroup, `${podCgroup}/${own}`);
  }
  assert.match(await cgroupOf(await node.mainPid()), /\/podwright\.service(\/|$)/);
}

/** Pods that come and go beside the resident one. */
async function others(node: GuestNode, image: string): Promise<void> {
  const { driver } = node;
  const before = await node.inventory();
  await step(`${driver}: a container over its memory limit is OOMKilled with 137`, async () => {
    const { pod, podCgroup } = await runPod(node, 'oom');
    await thenRemoved(node, pod, podCgroup, async () => {
      const command = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M'];
      const id = await run(node, pod, { name: 'eater', image, command, memoryBytes: OOM_MEMORY_BYTES });
      const { exitCode, reason, message } = await waitForExit(node, id, PATIENCE_MS);
      assert.deepEqual({ exitCode, reason }, { exitCode: 137, reason: 'OOMKilled' });
      assert.match(message, /^out of memory at the container's limit of \d+ MiB/);
    });
  });
  await step(`${driver}: a pod that names no cgroup and shares its PID namespace, under crun`, async () => {
    const config = podConfig(node, { name: 'shared', namespaces: { pid: NamespaceMode.POD } });
    const unplaced = { ...config, linux: { ...config.linux, cgroupParent: '' } };
    const { podSandboxId } = await node.runtime.runPodSandbox({ config: unplaced, runtimeHandler: 'crun' });
    const pod = { id: podSandboxId, config: unplaced };
    const parent = driver === 'systemd' ? `/podwright.slice/podwright-${pod.id}.slice` : `/podwright/${pod.id}`;
    await thenRemoved(node, pod, undefined, async () => {
      const id = await run(node, pod, { name: 'main', image, command: ['sleep', '1000'], memoryBytes: MEMORY_BYTES });
      const cgroup = await cgroupOf(await node.pidOf(id));
      assert.ok(cgroup.startsWith(`${parent}/`), cgroup);
      assert.equal(await cgroupFile(cgroup, 'memory.max'), MEMORY_BYTES.toString());
      assert.match(await outputIn(node, id, ['cat', '/proc/1/cmdline']), /pause/);
      await node.runtime.stopContainer({ containerId: id, timeout: 0n });
      assert.equal((await containerStatus(node, id)).exitCode, 137);
    });
    await untilGone(`/sys/fs/cgroup${parent}`);
  });
  await step(`${driver}: a pod with a user namespace, under crun`, async () => {
    const podCgroup = await node.makePodCgroup(randomUUID());
    let id: string | undefined;
    try {
      await checkUserNamespace(node, image, podCgroup, (made) => {
        id = made;
      });
    } finally {
      if (id !== undefined) await removePod(node, id);
      await node.removePodCgroup(podCgroup);
    }
  });
  await step(`${driver}: nothing is left of those pods`, async () => node.assertNothingNew(before));
}

/** The daemon goes and comes, and the resident pod's processes do not notice. */
async function restarts(node: GuestNode, resident: Resident): Promise<void> {
  const { driver } = node;
  const pids = [await node.pidOf(resident.web), await node.pidOf(resident.ticker)];
  const short = await need(`${driver}: one container more, to end while the daemon is down`, async () => {
    const command = shell("trap 'exit 3' TERM; sleep 1000 & echo ready; wait");
    const { image } = (await containerStatus(node, resident.web)).image ?? {};
    const id = await run(node, resident.pod, { name: 'short', image: image ?? '', command, memoryBytes: MEMORY_BYTES });
    await waitForOutput(node, id, 'ready', PATIENCE_MS);
    return id;
  });
  const shortPid = await node.pidOf(short);
  await step(`${driver}: systemctl restart leaves every process of the pod alone`, async () => {
    await node.restart();
    await node.untilReady();
    assert.deepEqual([await node.pidOf(resident.web), await node.pidOf(resident.ticker), await node.pidOf(short)], [...pids, shortPid]);
    await assertRuns(node, resident);
  });
  let downFrom = 0n;
  await step(`${driver}: so does kill -9, and an exit meanwhile keeps its code and time`, async () => {
    await node.kill9(async () => {
      downFrom = BigInt(Date.now()) * 1_000_000n;
      process.kill(shortPid, 'SIGTERM');
      await untilGone(`/proc/${shortPid}`);
    });
    const readyAt = BigInt(Date.now()) * 1_000_000n;
    const { state, exitCode, finishedAt } = await containerStatus(node, short);
    assert.deepEqual({ state, exitCode }, { state: ContainerState.CONTAINER_EXITED, exitCode: 3 });
    assert.ok(finishedAt >= downFrom && finishedAt < readyAt, `finished at ${finishedAt}, down from ${downFrom}`);
    assert.deepEqual([await node.pidOf(resident.web), await node.pidOf(resident.ticker)], pids);
    await assertRuns(node, resident);
  });
  await step(`${driver}: a container that ended is removed`, async () => {
    await node.runtime.removeContainer({ containerId: short });
    const left = (await node.inventory()).filter((line) => line.includes(short));
    assert.deepEqual(left, []);
  });
}

/** What a command inside the container prints; it must succeed. */
async function outputIn(node: GuestNode, containerId: string, command: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await execSync(node, containerId, command, EXEC_S);
  assert.equal(exitCode, 0, `${command.join(' ')}: exit ${exitCode}: ${Buffer.from(stderr).toString()}`);
  return Buffer.from(stdout).toString().trimEnd();
}

async function untilGone(path: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (await pathExists(path)) {
    assert.ok(Date.now() < end, `${path} does not go`);
    await sleep(100);
  }
}

async function assertRuns(node: GuestNode, { pod, web, ticker }: Resident): Promise<void> {
  const { status } = await node.runtime.podSandboxStatus({ podSandboxId: pod.id });
  assert.equal(status?.state, PodSandboxState.SANDBOX_READY);
  for (const id of [web, ticker]) assert.equal((await containerStatus(node, id)).state, ContainerState.CONTAINER_RUNNING);
  const ticks = (await outputOf(node, ticker)).length;
  await waitForOutput(node, ticker, `tick ${ticks + 1}`, PATIENCE_MS);
  assert.match(await untilPage(`http://${await podAddress(node, pod.id)}/`, PATIENCE_MS), /It works/);
  assert.equal(await outputIn(node, web, ['echo', 'yes']), 'yes');
}
