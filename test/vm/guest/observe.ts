/** What shows the node to people and programs, on cgroup v2: names for cAdvisor, pressure, `top`, `check`, and what nobody claims. */
import assert from 'node:assert/strict';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { ensureDir, pathExists, remove } from 'fs-extra/esm';
import type { ContainerUsage, TopReport } from '../../../src/cli/top-report.ts';
import type { Finding } from '../../../src/nodecheck/finding.ts';
import { askAsCadvisor, type CadvisorContainer } from '../../support/cadvisor.ts';
import { containerConfig, removePod, shell, until, waitForOutput } from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';
import { withConfiguration } from './lab.ts';
import { cgroupFile, cgroupOf, monitorOf, output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { runPod } from './smoke.ts';
import { skip, step } from './steps.ts';

const PODWRIGHT = '/usr/lib/podwright/bin/podwright';
const CRIO_SOCKET = '/var/run/crio/crio.sock';
const MIB = 1024 * 1024;
const LIMIT_BYTES = 32 * MIB;
/** Stops it in most periods, so that processes wait. */
const CPU_LIMIT = { cpuPeriod: 100_000n, cpuQuota: 20_000n, cpuShares: 205n };
/** Of the second at which top looks the last time, in bytes and processes: the container goes on meanwhile. */
const SLACK = { bytes: 8 * MIB, processes: 2 };

export async function observeCases(node: GuestNode, image: string): Promise<void> {
  const { driver } = node;
  const before = await node.inventory();
  await withConfiguration(node, 'observe', '[cadvisor]\ncrio_compat = true', async () => {
    await step(`${driver}: crio_compat: cgroups have names that cAdvisor asks about, and it is answered`, async () => names(node, image));
    await step(`${driver}: top, pressure and OOM kills are the kernel's`, async () => figures(node, image));
    await step(`${driver}: check knows this node, and a kubelet that is set otherwise`, async () => checked(node));
  });
  await step(`${driver}: a container that has lost its record and its bundle is ended by a start`, async () => lost(node, image));
  await step(`${driver}: nothing is left of what was looked at`, async () => node.assertNothingNew(before));
}

async function inPod(node: GuestNode, name: string, work: (pod: Pod, podCgroup: string) => Promise<void>): Promise<void> {
  const { pod, podCgroup } = await runPod(node, name);
  try {
    await work(pod, podCgroup);
  } finally {
    await removePod(node, pod.id);
    await node.removePodCgroup(podCgroup);
  }
}

/** Runs until its script says `ready`. */
async function run(node: GuestNode, pod: Pod, image: string, script: string, isLimited = false): Promise<string> {
  const config = await containerConfig(pod, shell(script), { name: 'app', image });
  const resources = isLimited ? { ...CPU_LIMIT, memoryLimitInBytes: BigInt(LIMIT_BYTES) } : {};
  const wanted = { ...config, linux: { ...config.linux, resources } };
  const { containerId } = await node.runtime.createContainer({ podSandboxId: pod.id, config: wanted, sandboxConfig: pod.config });
  await node.runtime.startContainer({ containerId });
  await waitForOutput(node, containerId, 'ready', PATIENCE_MS);
  return containerId;
}

async function names(node: GuestNode, image: string): Promise<void> {
  const about = async (id: string): Promise<CadvisorContainer> =>
    (await askAsCadvisor(CRIO_SOCKET, `/containers/${id}`)).body as CadvisorContainer;
  const info = (await askAsCadvisor(CRIO_SOCKET, '/info')).body as Readonly<Record<string, unknown>>;
  assert.equal(info['cgroup_driver'], node.driver);
  const ofNetwork = { path: '' };
  await inPod(node, 'named', async (pod, podCgroup) => {
    const id = await run(node, pod, image, 'head -c 3000000 /dev/zero >/written; echo ready; sleep 3600');
    const pid = await node.pidOf(id);
    assert.equal(await cgroupOf(pid), `${podCgroup}/crio-${id}.scope`);
    ofNetwork.path = `${podCgroup}/crio-${pod.id}.scope`;
    assert.equal(await cgroupFile(ofNetwork.path, 'cgroup.procs'), '', 'nothing is in the cgroup of the network');
    if (node.driver === 'systemd') {
      await output('systemctl', 'daemon-reload');
      const unitOf = async (path: string): Promise<string> => output('systemctl', 'show', '-P', 'LoadState', basename(path));
      assert.deepEqual([await unitOf(`crio-${id}.scope`), await unitOf(ofNetwork.path)], ['loaded', 'not-found']);
    }
    const [container, ofPod] = [await about(id), await about(pod.id)];
    assert.deepEqual([container.pid, ofPod.pid], [pid, pid]);
    assert.deepEqual([container, ofPod].map(({ labels }) => labels['io.kubernetes.container.name']), ['app', 'POD']); // prettier-ignore
    assert.equal((await stat(join(container.root, 'diff/written'))).size, 3_000_000);
    assert.ok(await pathExists(join('/sys/fs/cgroup', ofNetwork.path)), 'the cgroup of the network is there after a reload of systemd');
  });
  assert.equal(await pathExists(join('/sys/fs/cgroup', ofNetwork.path)), false, 'the cgroup of the network goes with the pod');
}

async function figures(node: GuestNode, image: string): Promise<void> {
  await inPod(node, 'busy', async (pod) => {
    const burn = 'while :; do :; done & dd if=/dev/zero of=/dev/null bs=64M; echo ready; wait';
    const id = await run(node, pod, image, burn, true);
    const cgroup = await cgroupOf(await node.pidOf(id));
    const number = async (file: string, name?: string): Promise<number> =>
      Number((name === undefined ? /^(\d+)/m : new RegExp(`^${name}[ =](\\d+)`, 'm')).exec(await cgroupFile(cgroup, file))?.[1]);
    const report = JSON.parse(await output(PODWRIGHT, 'top', '--once', '--json', '--interval', '3')) as TopReport;
    const found = usageOf(report, id);
    const memory = (await number('memory.current')) - (await number('memory.stat', 'inactive_file'));
    assert.ok(Math.abs((found.memoryBytes ?? 0) - memory) <= SLACK.bytes, `top says ${found.memoryBytes} bytes, the kernel ${memory}`);
    assert.deepEqual([found.memoryLimitBytes, found.cpuLimitCores], [LIMIT_BYTES, 0.2]);
    const processes = await number('pids.current');
    assert.ok(
      Math.abs((found.processes ?? 0) - processes) <= SLACK.processes,
      `top says ${found.processes} processes, the kernel ${processes}`,
    );
    assert.ok((found.cpuCores ?? 0) > 0.01 && (found.cpuCores ?? 1) < 0.4, `top says ${found.cpuCores} cores of 0.2`);
    assert.ok((found.throttled ?? 0) > 0, 'not throttled');
    assert.equal(found.oomKills, await number('memory.events', 'oom_kill'));
    assert.equal(found.oomKills, 1);

    if (!(await pathExists('/proc/pressure/cpu'))) {
      skip(`${node.driver}: pressure`, 'this kernel keeps none');
      return;
    }
    const waitedUs = async (): Promise<bigint> => BigInt(/^some .*total=(\d+)/m.exec(await cgroupFile(cgroup, 'cpu.pressure'))?.[1] ?? '');
    const earlier = await waitedUs();
    const { stats } = await node.runtime.containerStats({ containerId: id });
    const { info } = await node.runtime.containerStatus({ containerId: id, verbose: true });
    const later = await waitedUs();
    const told = stats?.cpu?.psi?.some?.total ?? assert.fail('no pressure of the processor in the stats');
    assert.ok(
      told / 1000n >= earlier && told / 1000n <= later && earlier > 0n,
      `stats say ${told} ns, the kernel ${earlier} to ${later} us`,
    );
    const { pressure } = JSON.parse(info['info'] ?? '{}') as { readonly pressure?: { readonly cpu?: object; readonly memory?: object } };
    assert.ok(
      pressure?.cpu !== undefined && pressure.memory !== undefined,
      `verbose ContainerStatus has the pressure ${JSON.stringify(pressure)}`,
    );
  });
}

function usageOf({ pods }: TopReport, id: string): ContainerUsage {
  return pods.flatMap(({ containers }) => containers).find((each) => each.id === id) ?? assert.fail(`top has no container ${id}`);
}

async function check(): Promise<{ readonly exitCode: number | undefined; readonly findings: readonly Finding[] }> {
  const { stdout, exitCode } = await execa(PODWRIGHT, ['check', '--offline', '--json'], { reject: false, timeout: PATIENCE_MS });
  return { exitCode, findings: JSON.parse(stdout) as readonly Finding[] };
}

async function checked(node: GuestNode): Promise<void> {
  const { exitCode, findings } = await check();
  const errors = findings.filter(({ level }) => level === 'error');
  assert.deepEqual([exitCode, errors], [0, []]);
  const ofCgroups = findings.filter(({ area }) => area === 'cgroups');
  assert.ok(
    ofCgroups.some(({ level, is }) => level === 'ok' && is === 'cgroup v2'),
    JSON.stringify(ofCgroups),
  );
  // systemd is process 1: it wants to be the only one that makes cgroups.
  const manager = ofCgroups.find(({ is }) => is.startsWith('cgroup_manager is '));
  assert.equal(manager?.level, node.driver === 'systemd' ? 'ok' : 'warning');

  const other = node.driver === 'systemd' ? 'cgroupfs' : 'systemd';
  const had = await pathExists('/var/lib/kubelet');
  await ensureDir('/var/lib/kubelet');
  try {
    const endpoint = `unix://${node.runDir}/podwright.sock`;
    const lines = ['apiVersion: kubelet.config.k8s.io/v1beta1', 'kind: KubeletConfiguration', `cgroupDriver: ${other}`];
    await writeFile('/var/lib/kubelet/config.yaml', [...lines, `containerRuntimeEndpoint: ${endpoint}`, ''].join('\n'));
    const { findings: again } = await check();
    const words = `the kubelet's cgroupDriver is ${other}, ours is ${node.driver}`;
    assert.ok(
      again.some(({ area, level, is }) => area === 'kubelet' && level === 'warning' && is.startsWith(words)),
      JSON.stringify(again.filter(({ area }) => area === 'kubelet')),
    );
  } finally {
    await (had ? rm('/var/lib/kubelet/config.yaml', { force: true }) : remove('/var/lib/kubelet'));
  }
}

/** All that a bug in the daemon could leave of a container: its processes, its monitor, and what the runtime knows. */
async function lost(node: GuestNode, image: string): Promise<void> {
  await inPod(node, 'loses', async (pod, podCgroup) => {
    const id = await run(node, pod, image, 'echo ready; sleep 3600');
    const pid = await node.pidOf(id);
    const pids = [pid, await monitorOf(id, pid)];
    await node.whileDown(async () => {
      await output('umount', '-l', `${node.runDir}/bundles/${id}/rootfs`);
      for (const path of [`${node.root}/containers/${id}`, `${node.runDir}/bundles/${id}`]) await remove(path);
    });
    await until(
      'its processes are gone',
      async () => !(await Promise.all(pids.map(async (one) => pathExists(`/proc/${one}`)))).includes(true),
      PATIENCE_MS,
    );
    const leaks = async (): Promise<string> =>
      (await execa(PODWRIGHT, ['check', '--leaks'], { reject: false, timeout: PATIENCE_MS })).stdout;
    await until('no leak is told', async () => (await leaks()) === '', PATIENCE_MS).catch(async () => {
      assert.equal(await leaks(), '');
    });
    const left = (await readdir(join('/sys/fs/cgroup', podCgroup))).filter((name) => name.includes(id));
    assert.deepEqual(left, []);
  });
}
