/** `podwright top`: its figures against the kernel's, and the table on a terminal. */
// alone: it measures processor time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerState } from '../../api/cri/enums.ts';
import type { ContainerUsage, TopReport } from '../../src/cli/top-report.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, podAddress, runContainer, runPod, shell, until, waitForExit, waitForOutput } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';
import { spawnOnTerminal } from '../support/streaming/pty.ts';
import { view, viewCommand } from '../support/views.ts';

const test = sharedDaemon();
const MIB = 1 << 20;

async function top(daemon: TestDaemon, ...args: readonly string[]): Promise<TopReport> {
  const { stdout, stderr, exitCode } = await view(daemon, ['top', '--once', '--json', ...args]);
  assert.deepEqual([exitCode, stderr], [0, '']);
  return JSON.parse(stdout) as TopReport;
}

function containerOf({ pods }: TopReport, id: string): ContainerUsage {
  return pods.flatMap(({ containers }) => containers).find((each) => each.id === id) ?? assert.fail(`top has no container ${id}`);
}

/** A container that may use a fifth of a processor, and 128 MiB. */
async function runLimited(daemon: TestDaemon, pod: Pod, script: string): Promise<string> {
  const linux = { resources: { cpuPeriod: 100_000n, cpuQuota: 20_000n, cpuShares: 205n, memoryLimitInBytes: BigInt(128 * MIB) } };
  return runContainer(daemon, pod, shell(script), {
    change: { linux: { ...linux, securityContext: { namespaceOptions: pod.config.linux?.securityContext?.namespaceOptions } } },
  });
}

interface KernelCpu {
  readonly atMs: number;
  readonly usedNs: number;
  readonly periods: number;
  readonly throttled: number;
}

async function kernelCpu(pid: number): Promise<KernelCpu> {
  const stat = await cgroupFile(pid, ['cpu.stat', 'cpu.stat']);
  const figure = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1]);
  const usage = await cgroupFile(pid, ['cpuacct.usage', 'cpu.stat']);
  const usedNs = /^\d+$/.test(usage) ? Number(usage) : figure('usage_usec') * 1000;
  return { atMs: Date.now(), usedNs, periods: figure('nr_periods'), throttled: figure('nr_throttled') };
}

test('processor time and throttling of a container with a quota are the kernel’s', async (daemon) => {
  const pod = await runPod(daemon, { name: 'burns' });
  const id = await runLimited(daemon, pod, 'echo begun; while :; do :; done');
  await waitForOutput(daemon, id, 'begun');
  const pid = await pidOf(daemon, id);
  const before = await kernelCpu(pid);
  const report = await top(daemon, '--interval', '3');
  const after = await kernelCpu(pid);

  const { cpuCores = -1, cpuLimitCores, throttled = -1 } = containerOf(report, id);
  const kernel = (after.usedNs - before.usedNs) / 1e6 / (after.atMs - before.atMs);
  assert.equal(cpuLimitCores, 0.2);
  assert.ok(cpuCores <= 0.26 && Math.abs(cpuCores - kernel) < 0.08, `top says ${cpuCores} cores, the kernel ${kernel}, its limit is 0.2`);
  const share = (after.throttled - before.throttled) / (after.periods - before.periods);
  assert.ok(Math.abs(throttled - share) < 0.35, `top says ${throttled} of the periods were throttled, the kernel ${share}`);
  const [burns] = report.pods;
  assert.equal(burns?.name, 'burns');
  assert.ok(Math.abs((burns.cpuCores ?? -1) - cpuCores) < 0.08, `the pod has ${burns.cpuCores} cores, its container ${cpuCores}`);
  assert.ok((report.node.cpuCores ?? -1) > 0 && (report.total.cpuCores ?? -1) >= cpuCores - 0.08);
});

test('memory against its limit, processes, network and OOM kills are what a container has', async (daemon) => {
  const pod = await runPod(daemon, { name: 'holds' });
  const id = await runLimited(
    daemon,
    pod,
    'x=$(head -c 40000000 /dev/zero | tr "\\0" x); sleep 3601 & sleep 3602 & echo ready; wait; echo "$x"',
  );
  const killed = await runContainer(daemon, pod, shell('sh -c "x=\\$(head -c 90000000 /dev/zero | tr \\"\\\\0\\" x)"; echo survived; sleep 3600'), { name: 'greedy', memoryBytes: BigInt(16 * MIB) }); // prettier-ignore
  await waitForOutput(daemon, id, 'ready');
  await Promise.race([waitForOutput(daemon, killed, 'survived'), waitForExit(daemon, killed)]);
  const address = await podAddress(daemon, pod.id);
  const pid = await pidOf(daemon, id);
  const stop = new AbortController();
  const traffic = (async (): Promise<void> => {
    // Refused on arrival, and counted by the pod's interface for all that.
    while (!stop.signal.aborted) await fetch(`http://${address}:8080/`).catch(() => sleep(20));
  })();
  const report = await top(daemon, '--sort', 'memory');
  stop.abort();
  await traffic;

  const { memoryBytes = 0, memoryLimitBytes, processes, oomKills } = containerOf(report, id);
  const usage = Number(await cgroupFile(pid, ['memory.usage_in_bytes', 'memory.current']));
  assert.equal(memoryLimitBytes, 128 * MIB);
  assert.ok(memoryBytes > 40_000_000 && memoryBytes <= usage + 8 * MIB, `top says ${memoryBytes}, the kernel ${usage}`);
  assert.deepEqual([processes, oomKills], [3, 0]);
  const holds = report.pods[0] ?? assert.fail('no pod');
  assert.deepEqual([holds.namespace, holds.name, holds.containers[0]?.id], ['e2e', 'holds', id]);
  assert.ok((holds.memoryBytes ?? 0) >= memoryBytes - 8 * MIB);
  assert.ok(
    (holds.rxBytesPerSecond ?? 0) > 100 && (holds.txBytesPerSecond ?? 0) > 100,
    `rx ${holds.rxBytesPerSecond}, tx ${holds.txBytesPerSecond}`,
  );
  const greedy = report.pods.flatMap(({ containers }) => containers).find(({ name }) => name === 'greedy');
  // Where the kernel kills the whole container at once, it is over, and not in the table.
  const { state } = await containerStatus(daemon, killed);
  assert.ok(state === ContainerState.CONTAINER_EXITED || (greedy?.oomKills ?? 0) >= 1, `the OOM kills are ${greedy?.oomKills}`);
  const text = await view(daemon, ['top', '--once']);
  assert.match(text.stdout, /^node {2}cpu \d+m of \d+ .*\n1 pod, [12] containers? {2}cpu \d+m .*\n\nPOD \/ CONTAINER .*\ne2e\/holds .*\n/);
});

test('on a terminal the table is renewed, sorted by key, and leaves the screen as it was', async (daemon) => {
  await runContainer(daemon, await runPod(daemon, { name: 'shown' }), ['sleep', '3600']);
  const { line, env } = viewCommand(daemon, ['top', '--interval', '0.5']);
  const words = [
    ...Object.entries({ ...env, TERM: 'xterm' }).map(([name, value]) => `${name}=${value}`),
    ...line.map((word) => `'${word}'`),
  ].join(' ');
  const { child, master, resize } = spawnOnTerminal(['sh', '-c', `${words}; echo "ended with $?"; stty -a`], { width: 80, height: 24 });
  let text = '';
  master.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  master.on('error', () => undefined);
  const screens = (): string[] => text.split('\u001b[H').slice(1);
  // Where the machine is busy, the program takes its time to come.
  await until('three screens', async () => screens().length > 3, 60_000).catch((error: unknown) =>
    assert.fail(`${String(error)}: ${JSON.stringify(text.slice(-3000))}`),
  );
  const [screen = ''] = screens().slice(1);
  const lines = screen.replaceAll(/\u001b\[[KJ]/g, '').split(/\r+\n/); // eslint-disable-line no-control-regex -- terminals are steered by them
  assert.equal(lines.length, 24);
  assert.ok(lines.every((each) => each.length <= 80));
  assert.match(lines[0] ?? '', /^podwright top {2}every 0.5 s {2}by cpu$/);
  assert.ok(lines.some((each) => each.startsWith('e2e/shown ')) && lines.some((each) => each.startsWith('  main ')));
  master.write('m');
  await until('it is sorted by memory', async () => screens().at(-1)?.includes('by memory') === true);
  resize(132, 30);
  await until('it is as large as the terminal', async () => screens().at(-1)?.split('\n').length === 30);
  assert.match(screens().at(-1) ?? '', /DISK +OOM/);
  master.write('q');
  await once(child, 'exit');
  await until('the shell tells', async () => /\u001b\[\?25h\u001b\[\?1049lended with 0\r\n[^]* icanon [^]* echo /.test(text)); // eslint-disable-line no-control-regex -- as above
});
