/**
 * NRI plugins on cgroup v2, as they are on a node: one that the daemon starts from /opt/nri/plugins and one that connects at
 * /var/run/nri/nri.sock. What they adjust and update is read in the cgroup files, from systemd and inside the container.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { pathExists, remove } from 'fs-extra/esm';
import { ContainerState } from '../../../api/cri/enums.ts';
import { LaunchedNriPlugin, NriPlugin, noNriPlugin, type NriRule } from '../../support/nri-plugin.ts';
import { containerConfig, containerStatus, execSync, removePod, shell, until, waitForExit, waitForOutput } from '../../support/pods.ts'; // prettier-ignore
import type { Pod } from '../../support/pods.ts';
import { withConfiguration } from './lab.ts';
import { cgroupFile, cgroupOf, output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { runPod } from './oom.ts';
import { need, skip, step } from './steps.ts';

const RUNTIMES = ['runc', 'crun'] as const;
type Runtime = (typeof RUNTIMES)[number];

const SOCKET = '/var/run/nri/nri.sock';
const PLACES = { pluginDir: '/opt/nri/plugins', configDir: '/etc/nri/conf.d' };
const LAUNCHED = '10-launched';
const EXTERNAL = '20-external';
/** Every process is slow here, plugins too: that is not what is tried. */
const TIMEOUTS = '[nri]\nregistration_timeout = "60s"\nrequest_timeout = "30s"';

const mib = (count: number): string => String(count * 1024 * 1024);
/** The disk of the payload, which no container may open by itself. */
const DISK = '/sys/block/vdb/dev';
const READ_DISK = 'dd if=/dev/nri-disk bs=1024 skip=1 count=1 2>/dev/null | wc -c';

/** What the launched plugin changes: the process. */
const SAYS = 'echo "$0 by=$BY from=$FROM_KUBELET files=$(ulimit -Sn)/$(ulimit -Hn) score=$(cat /proc/self/oom_score_adj)"; exec sleep 3600';
const PROCESS = {
  args: ['sh', '-c', SAYS, 'instead'],
  env: [{ key: '-FROM_KUBELET' }, { key: 'FROM_KUBELET', value: 'plugin' }],
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: '1234', hard: '2345' }],
};
const SAID = 'instead by=external from=plugin files=1234/2345 score=-500';

/** And the one from outside: what the kernel counts. */
const RESOURCES = {
  memory: { limit: { value: mib(96) } },
  cpu: { shares: { value: '512' }, quota: { value: '25000' }, period: { value: '50000' }, cpus: '1', mems: '0' },
  pids: { limit: '77' },
  hugepageLimits: [{ pageSize: '2MB', limit: mib(4) }],
  unified: { 'memory.high': mib(80), 'memory.low': mib(8) },
};
const ADJUSTED: Readonly<Record<string, string>> = {
  'memory.max': mib(96),
  'memory.swap.max': '0',
  'memory.high': mib(80),
  'memory.low': mib(8),
  'cpu.max': '25000 50000',
  'cpuset.cpus': '1',
  'cpuset.mems': '0',
  'pids.max': '77',
  'hugetlb.2MB.max': mib(4),
};
/** The kubelet asks for more memory, and the launched plugin sets a threshold with it. */
const ON_THE_WAY = { 'memory.max': mib(112), 'memory.high': mib(90) };
/** An update that nobody has asked the plugin for. */
const UNASKED = {
  memory: { limit: { value: mib(120) } },
  cpu: { quota: { value: '60000' }, period: { value: '100000' }, cpus: '0-1' },
  pids: { limit: '55' },
  unified: { 'memory.high': mib(100) },
};
const UPDATED: Readonly<Record<string, string>> = {
  ...ADJUSTED,
  'memory.max': mib(120),
  'memory.high': mib(100),
  'cpu.max': '60000 100000',
  'cpuset.cpus': '0-1',
  'pids.max': '55',
};
/** runc tells systemd of no swap where there is to be none (1.1 to 1.3), so that systemd takes the file back sooner or later, of any container. */
const SETTLED: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(UPDATED).filter(([file]) => file !== 'memory.swap.max'),
);
const AFTER_RESTART: Readonly<Record<string, string>> = { ...SETTLED, 'memory.high': mib(104), 'pids.max': '66' };

export async function nriCases(node: GuestNode, image: string): Promise<void> {
  if (noNriPlugin !== false || !(await pathExists(process.env['NRI_PLUGIN'] ?? ''))) {
    skip(`${node.driver}: NRI`, 'the payload has no plugin: it could not be built');
    return;
  }
  const before = await node.inventory();
  const own = async (container: string): Promise<NriRule> => ({
    call: 'CreateContainer',
    container,
    answer: { adjust: { env: [{ key: 'BY', value: 'external' }], linux: await linux() } },
  });
  const launched = await LaunchedNriPlugin.install(LAUNCHED, PLACES, {
    // As one that does not end when its connection does.
    reconnect: true,
    rules: [
      ...RUNTIMES.map((runtime): NriRule => ({ call: 'CreateContainer', container: nameOf(runtime), answer: { adjust: PROCESS } })),
      ...RUNTIMES.map((runtime) => onTheWay(nameOf(runtime))),
    ],
  });
  await withConfiguration(node, 'nri', TIMEOUTS, async () => {
    const rules = await Promise.all(RUNTIMES.map(async (runtime) => own(nameOf(runtime))));
    const external = NriPlugin.launch(SOCKET, { name: 'external', idx: '20', reconnect: true, rules: [...rules, scheduled] });
    try {
      await new Cases(node, image, launched, external).run();
    } finally {
      await external.stop();
      await remove(`${PLACES.pluginDir}/${LAUNCHED}`);
      await remove(PLACES.configDir);
    }
  });
  await step(`${node.driver}: nothing is left of those pods, nor of a plugin`, async () => {
    await node.assertNothingNew(before);
    assert.deepEqual(await processesOf(LAUNCHED), []);
  });
}

const nameOf = (runtime: Runtime): string => `adjusted-${runtime}`;

async function linux(): Promise<object> {
  const [major = '', minor = ''] = (await readFile(DISK, 'utf8')).trim().split(':');
  const devices = [{ path: '/dev/nri-disk', type: 'b', major, minor, fileMode: { value: 0o440 }, uid: { value: 0 }, gid: { value: 6 } }];
  return { resources: RESOURCES, oomScoreAdj: { value: '-500' }, devices };
}

const onTheWay = (container: string): NriRule => ({
  call: 'UpdateContainer',
  container,
  answer: { update: [{ containerId: `@${container}`, linux: { resources: { unified: { 'memory.high': ON_THE_WAY['memory.high'] } } } }] },
});

const scheduled: NriRule = {
  call: 'CreateContainer',
  container: 'scheduled',
  answer: {
    adjust: { linux: { scheduler: { policy: 'SCHED_BATCH', nice: 7 }, ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 } } },
  },
};

/** Processes that were started as this file of the plugin directory. */
async function processesOf(id: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const command = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (command.split('\0')[0] === `${PLACES.pluginDir}/${id}`) found.push(Number(entry));
  }
  return found;
}

async function filesOf(cgroup: string, wanted: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(wanted)) found[name] = await cgroupFile(cgroup, name).catch(String);
  return found;
}

interface Adjusted {
  readonly runtime: Runtime;
  readonly pod: Pod;
  readonly podCgroup: string;
  readonly id: string;
  readonly pid: number;
  readonly cgroup: string;
}

/** runc has them since 1.2, whatever version of the spec it says. */
async function knowsScheduling(runtime: Runtime): Promise<boolean> {
  return runtime === 'crun' || !/^runc version 1\.[01]\./.test(await output('runc', '--version'));
}

/** What is tried with both plugins there; the adjusted containers, one of each runtime, live through all of it. */
class Cases {
  readonly #node: GuestNode;
  readonly #image: string;
  readonly #launched: LaunchedNriPlugin;
  readonly #external: NriPlugin;
  readonly #pods: { pod: Pod; podCgroup: string }[] = [];
  readonly #adjusted: Adjusted[] = [];

  constructor(node: GuestNode, image: string, launched: LaunchedNriPlugin, external: NriPlugin) {
    this.#node = node;
    this.#image = image;
    this.#launched = launched;
    this.#external = external;
  }

  async run(): Promise<void> {
    const { driver } = this.#node;
    try {
      await need(`${driver}: a plugin is started from ${PLACES.pluginDir}, and one connects at ${SOCKET}`, async () => this.#plugins(1));
      for (const runtime of RUNTIMES) {
        const what = `${driver}, ${runtime}`;
        if (!(await step(`${what}: what both adjust is so in the cgroup, inside and in the status`, async () => this.#adjust(runtime))))
          continue;
        const container = this.#adjusted.at(-1) ?? assert.fail();
        await step(`${what}: a device of a plugin can be opened, also after an update and a daemon-reload`, async () =>
          this.#device(container),
        );
        await step(`${what}: a plugin changes the kubelet's update, and updates unasked`, async () => this.#updates(container));
        await step(`${what}: a scheduler and an I/O priority are set, or refused where the runtime has none`, async () =>
          this.#schedule(container),
        );
        await step(`${what}: a plugin evicts a container`, async () => this.#evict(container));
      }
      // What follows is the daemon's and systemd's, whoever makes the cgroups of containers.
      if (driver === 'systemd') {
        await step('systemd: plugins come back after systemctl restart, and see the containers that run on', async () =>
          this.#afterRestart(2, async () => {
            await this.#node.restart();
            await this.#node.untilReady();
          }),
        );
        await step('systemd: and after a kill -9, the launched one once only', async () =>
          this.#afterRestart(3, async () => this.#node.kill9(async () => Promise.resolve())),
        );
      }
      await step(`${driver}: the end of each is told once`, async () => this.#end());
    } finally {
      for (const { pod, podCgroup } of this.#pods) {
        await removePod(this.#node, pod.id);
        await this.#node.removePodCgroup(podCgroup);
      }
    }
  }

  /** Both are ready, the external one for this time, and the launched one lives once, where the daemon does. */
  async #plugins(times: number): Promise<number> {
    await this.#external.until('Synchronize', times, PATIENCE_MS);
    await this.#launched.synchronized(PATIENCE_MS);
    const ready = async (): Promise<boolean> => {
      const plugins = (await this.#node.admin.status()).nri?.plugins ?? [];
      return [LAUNCHED, EXTERNAL].every((name) => plugins.some((each) => each.name === name && each.state === 'ready'));
    };
    await until('both plugins are ready', ready, PATIENCE_MS);
    const [pid = assert.fail('the plugin is not running'), ...more] = await processesOf(LAUNCHED);
    assert.deepEqual(more, [], 'it runs more than once');
    assert.equal(await cgroupOf(pid), await cgroupOf(await this.#node.mainPid()));
    return pid;
  }

  async #run(pod: Pod, name: string, command: readonly string[]): Promise<string> {
    const config = await containerConfig(pod, command, { name, image: this.#image });
    const { containerId } = await this.#node.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    await this.#node.runtime.startContainer({ containerId });
    return containerId;
  }

  async #inside(id: string, script: string): Promise<string> {
    const { stdout, stderr } = await execSync(this.#node, id, shell(script), PATIENCE_MS / 1000);
    return Buffer.concat([stdout, stderr]).toString().trim();
  }

  async #adjust(runtime: Runtime): Promise<void> {
    const made = await runPod(this.#node, runtime);
    this.#pods.push(made);
    const id = await this.#run(made.pod, nameOf(runtime), ['sleep', '3600']);
    const pid = await this.#node.pidOf(id);
    const cgroup = await cgroupOf(pid);
    this.#adjusted.push({ runtime, ...made, id, pid, cgroup });
    await waitForOutput(this.#node, id, SAID, PATIENCE_MS);
    assert.equal((await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim(), '-500');
    assert.match(await readFile(`/proc/${pid}/limits`, 'utf8'), /^Max open files +1234 +2345 /m);
    assert.deepEqual(await filesOf(cgroup, ADJUSTED), ADJUSTED);
    const weight = Number(await cgroupFile(cgroup, 'cpu.weight'));
    // Runtimes count it in two ways.
    assert.ok(weight > 10 && weight < 100, `cpu.weight is ${weight}`);
    await this.#systemdAgrees(cgroup, { MemoryMax: mib(96), MemoryHigh: mib(80), TasksMax: '77', CPUQuotaPerSecUSec: '500ms' });
    const status = (await containerStatus(this.#node, id)).resources?.linux;
    assert.deepEqual(
      [status?.memoryLimitInBytes, status?.cpuShares, status?.cpuQuota, status?.cpuPeriod, status?.cpusetCpus, status?.oomScoreAdj],
      [BigInt(mib(96)), 512n, 25_000n, 50_000n, '1', -500n],
    );
    assert.deepEqual(status?.unified, RESOURCES.unified);
    assert.deepEqual(status.hugepageLimits, [{ pageSize: '2MB', limit: BigInt(mib(4)) }]);
  }

  /** What is in the cgroup files alone, systemd would take back sooner or later. */
  async #systemdAgrees(cgroup: string, wanted: Readonly<Record<string, string>>): Promise<void> {
    if (this.#node.driver !== 'systemd') return;
    const names = Object.keys(wanted);
    // crun has the processes in a cgroup of its own below the scope's.
    const scope = cgroup.split('/').findLast((part) => part.endsWith('.scope')) ?? assert.fail(`${cgroup} is in no scope`);
    const lines = (await output('systemctl', 'show', `--property=${names.join(',')}`, scope)).split('\n');
    assert.deepEqual(Object.fromEntries(lines.map((line) => line.split('='))), wanted);
  }

  async #device({ pod, id }: Adjusted): Promise<void> {
    assert.equal(await this.#inside(id, 'stat -c "%a %u:%g %F" /dev/nri-disk'), '440 0:6 block special file');
    assert.equal(await this.#inside(id, READ_DISK), '1024');
    await this.#node.runtime.updateContainerResources({ containerId: id, linux: { cpuShares: 600n } });
    await output('systemctl', 'daemon-reload');
    assert.equal(await this.#inside(id, READ_DISK), '1024');
    const plain = await this.#run(pod, 'plain', ['sleep', '3600']);
    const [major, minor] = (await readFile(DISK, 'utf8')).trim().split(':');
    const refused = `mknod /dev/nri-disk b ${major ?? ''} ${minor ?? ''}; dd if=/dev/nri-disk of=/dev/null count=1`;
    assert.match(await this.#inside(plain, refused), /not permitted/);
  }

  async #updates({ id, cgroup, runtime }: Adjusted): Promise<void> {
    await this.#node.runtime.updateContainerResources({
      containerId: id,
      linux: { memoryLimitInBytes: BigInt(ON_THE_WAY['memory.max']) },
    });
    assert.deepEqual(await filesOf(cgroup, ADJUSTED), { ...ADJUSTED, ...ON_THE_WAY });
    await this.#update(runtime, UNASKED);
    assert.deepEqual(await filesOf(cgroup, UPDATED), UPDATED);
    await this.#systemdAgrees(cgroup, { MemoryMax: mib(120), MemoryHigh: mib(100), TasksMax: '55', CPUQuotaPerSecUSec: '600ms' });
    await output('systemctl', 'daemon-reload');
    assert.deepEqual(await filesOf(cgroup, UPDATED), UPDATED);
    const status = (await containerStatus(this.#node, id)).resources?.linux;
    assert.deepEqual([status?.memoryLimitInBytes, status?.cpuQuota, status?.cpusetCpus], [BigInt(mib(120)), 60_000n, '0-1']);
    assert.deepEqual(status?.unified, { ...RESOURCES.unified, ...UNASKED.unified });
  }

  async #update(runtime: Runtime, resources: object): Promise<void> {
    const update = [{ containerId: `@${nameOf(runtime)}`, linux: { resources } }];
    assert.deepEqual(await this.#external.updateContainers({ update }, PATIENCE_MS), []);
  }

  async #schedule({ pod, runtime }: Adjusted): Promise<void> {
    const run = this.#run(pod, 'scheduled', ['sleep', '3600']);
    if (!(await knowsScheduling(runtime))) {
      await assert.rejects(run, /NRI plugin 20-external: .*linux\.(scheduler|io_priority) is set, must not be/);
      return;
    }
    const pid = String(await this.#node.pidOf(await run));
    assert.match(await output('chrt', '-p', pid), /SCHED_BATCH/);
    assert.equal((await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[18], '7', 'its nice value');
    assert.equal(await output('ionice', '-p', pid), 'best-effort: prio 6');
  }

  async #evict({ pod }: Adjusted): Promise<void> {
    const id = await this.#run(pod, 'victim', ['sleep', '3600']);
    const cgroup = await cgroupOf(await this.#node.pidOf(id));
    const evict = [{ containerId: `@${pod.config.metadata?.name ?? ''}/victim`, reason: 'room is needed' }];
    assert.deepEqual(await this.#external.updateContainers({ evict }, PATIENCE_MS), []);
    await waitForExit(this.#node, id, PATIENCE_MS);
    await until('its cgroup goes', async () => !(await pathExists(`/sys/fs/cgroup${cgroup}`)), PATIENCE_MS);
  }

  async #afterRestart(times: number, restart: () => Promise<void>): Promise<void> {
    const earlier = await processesOf(LAUNCHED);
    await this.#launched.forget();
    await restart();
    const pid = await this.#plugins(times);
    assert.ok(!earlier.includes(pid), 'the launched plugin is the one of the daemon before');
    const running = this.#adjusted.map(({ id }) => id);
    const external = (await this.#external.events('Synchronize')).at(-1)?.request.containers ?? [];
    for (const seen of [external, (await this.#launched.synchronized(PATIENCE_MS)).containers])
      assert.deepEqual(running.filter((id) => !seen.some((each) => each.id === id)), [], 'not told of in the synchronization'); // prettier-ignore
    for (const { id, pid: first, cgroup, runtime } of this.#adjusted) {
      const { state } = await containerStatus(this.#node, id);
      assert.deepEqual([state, await this.#node.pidOf(id)], [ContainerState.CONTAINER_RUNNING, first]);
      assert.deepEqual(await filesOf(cgroup, SETTLED), times === 2 ? SETTLED : AFTER_RESTART);
      await this.#update(runtime, { pids: { limit: '66' }, unified: { 'memory.high': mib(104) } });
      assert.deepEqual(await filesOf(cgroup, AFTER_RESTART), AFTER_RESTART);
    }
  }

  async #end(): Promise<void> {
    for (const { pod, cgroup, runtime } of this.#adjusted) {
      await removePod(this.#node, pod.id);
      assert.ok(!(await pathExists(`/sys/fs/cgroup${cgroup}`)), 'its cgroup is left');
      const { name = '' } = pod.config.metadata ?? {};
      const ends = [`StopContainer ${nameOf(runtime)}`, `StopPodSandbox ${name}`, `RemoveContainer ${nameOf(runtime)}`, `RemovePodSandbox ${name}`]; // prettier-ignore
      for (const plugin of [this.#external, this.#launched])
        assert.deepEqual((await plugin.story(name)).filter((line) => ends.includes(line)).toSorted(), ends.toSorted());
    }
  }
}
