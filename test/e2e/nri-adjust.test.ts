// long: 35 s
/**
 * What a plugin adjusts is so for the container: each field of ContainerAdjustment is looked at from inside, or in the kernel. The
 * plugin is over upstream's stub (test/fixtures/nri-plugin).
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import type { ContainerConfig, Init } from '../../api/cri/runtime.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { difference } from '../support/inventory.ts';
import { NriPlugin, noNriPlugin } from '../support/nri-plugin.ts';
import { containerConfig, containerStatus, createContainer, execOutput, failureOf, outputOf, removePod, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts'; // prettier-ignore
import { ablestRuntime } from '../support/user-namespaces.ts';

const directory = await mkdtemp(join(tmpdir(), 'pw-nri-adjust-'));
const SPECS = join(directory, 'cdi');
const HOST_NODE = join(directory, 'node');
const RAN = join(directory, 'ran');
const HOOK = join(directory, 'hook');
const SLEEP = ['sleep', '3600'];
const MIB = 1024 * 1024;

before(async () => {
  await mkdir(SPECS);
  // loop-control, whose opening does nothing.
  await execa('mknod', [HOST_NODE, 'c', '10', '237']);
  await chmod(HOST_NODE, 0o600);
  // Keeps the state that hooks get on standard input: annotations are in it.
  await writeFile(HOOK, `#!/bin/sh\nstate=$(cat | tr -d '\\n')\necho "$1 $OF $state" >>${RAN}\n`, { mode: 0o755 });
  const devices = [{ name: '0', containerEdits: { env: ['GPU=zero'], deviceNodes: [{ path: '/dev/gpu', hostPath: HOST_NODE }] } }];
  await writeFile(join(SPECS, 'vendor.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'vendor.com/gpu', devices }));
});
after(async () => {
  await remove(directory);
});

const test = sharedDaemon({
  skip: noNriPlugin,
  args: ['--runtime', `runc=${ablestRuntime}`],
  config: `cdi_spec_dirs = ["${SPECS}"]\n`,
});

interface Adjusted {
  readonly id: string;
  readonly podId: string;
  readonly pid: number;
  readonly inside: (script: string) => Promise<string>;
}

const rules = (adjust: object) => [{ call: 'CreateContainer', container: 'adjusted', answer: { adjust } }] as const;

/** Has a plugin adjust a container that sleeps, and looks at it. */
async function withAdjusted(
  daemon: TestDaemon,
  adjust: object,
  look: (container: Adjusted) => Promise<void>,
  change: Init<ContainerConfig> = {},
): Promise<void> {
  const plugin = await NriPlugin.start(daemon.nriSocket, { events: ['CreateContainer'], rules: rules(adjust) });
  try {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { name: 'adjusted', change });
    const inside = async (script: string): Promise<string> => execOutput(daemon, id, shell(script));
    await look({ id, podId: pod.id, pid: await pidOf(daemon, id), inside });
  } finally {
    await plugin.stop();
  }
}

/** The refusal of a container that a plugin adjusts so; nothing may be left of it. */
async function refusalOf(daemon: TestDaemon, adjust: object): Promise<string> {
  const plugin = await NriPlugin.start(daemon.nriSocket, { events: ['CreateContainer'], rules: rules(adjust) });
  try {
    const pod = await runPod(daemon);
    const config = await containerConfig(pod, SLEEP, { name: 'adjusted' });
    const earlier = await inventoryOf(daemon);
    const { message } = await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }));
    assert.deepEqual(difference(earlier, await inventoryOf(daemon)), []);
    await removePod(daemon, pod.id);
    return message;
  } finally {
    await plugin.stop();
  }
}

test('variables: added, replaced where they were, and removed', async (daemon) => {
  const env = [
    { key: '-FROM_KUBELET', value: '' },
    { key: 'FROM_KUBELET', value: 'replaced' },
    { key: 'ADDED', value: 'with = and  spaces' },
    { key: '-GONE', value: '' },
  ];
  const envs = ['FROM_KUBELET', 'GONE'].map((key) => ({ key, value: Buffer.from('yes') }));
  await withAdjusted(
    daemon,
    { env },
    async ({ inside }) => {
      assert.equal(await inside('tr "\\0" "\\n" </proc/1/environ | grep -E "^(FROM_KUBELET|ADDED|GONE)=" | sort'), 'ADDED=with = and  spaces\nFROM_KUBELET=replaced'); // prettier-ignore
      assert.equal(await inside('echo "$FROM_KUBELET $ADDED ${GONE-gone}"'), 'replaced with = and  spaces gone');
    },
    { envs },
  );
});

test('arguments are replaced as a whole, a limit of open files and the OOM score are set', async (daemon) => {
  const args = ['sh', '-c', 'echo "$0 $(ulimit -Sn) $(ulimit -Hn) $(cat /proc/self/oom_score_adj)"', 'instead'];
  const rlimits = [{ type: 'RLIMIT_NOFILE', soft: '1234', hard: '2345' }];
  const plugin = await NriPlugin.start(daemon.nriSocket, { rules: rules({ args, rlimits, linux: { oomScoreAdj: { value: '321' } } }) });
  try {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP, { name: 'adjusted' });
    await waitForExit(daemon, id);
    assert.deepEqual(await outputOf(daemon, id), ['instead 1234 2345 321']);
    const [created] = await plugin.events('PostCreateContainer');
    assert.deepEqual(created?.request.container?.['args'], args, 'who hears of the container then sees it adjusted');
  } finally {
    await plugin.stop();
  }
});

test('mounts: added with their options, one of the request replaced and one removed', async (daemon) => {
  const source = join(directory, 'source');
  await mkdir(source);
  await writeFile(join(source, 'file'), 'from the plugin\n');
  const mounts = [
    { destination: '/opt', type: 'tmpfs', source: 'tmpfs', options: ['size=64k', 'nosuid'] },
    { destination: '/opt/bound', type: 'bind', source, options: ['rbind', 'ro'] },
    { destination: '-/etc/hosts' },
    { destination: '/etc/hosts', type: 'bind', source: join(source, 'file'), options: ['bind', 'ro'] },
    { destination: '-/dev/termination-log' },
  ];
  await withAdjusted(daemon, { mounts }, async ({ inside }) => {
    assert.match(await inside('grep " /opt " /proc/self/mountinfo'), /nosuid.* - tmpfs tmpfs .*size=64k/);
    assert.equal(await inside('cat /opt/bound/file; touch /opt/bound/x 2>&1 | grep -o "Read-only.*"'), 'from the plugin\nRead-only file system'); // prettier-ignore
    assert.equal(await inside('cat /etc/hosts; grep -c " /etc/hosts " /proc/self/mountinfo'), 'from the plugin\n1');
    assert.equal(await inside('grep -c termination-log /proc/self/mountinfo || true'), '0');
  });
});

test('a device is there with its owner and mode, and may be opened as its mode says; one of CDI too', async (daemon) => {
  const devices = [
    { path: '/dev/nri', type: 'c', major: '10', minor: '237', fileMode: { value: 0o440 }, uid: { value: 7 }, gid: { value: 8 } },
  ];
  const adjust = { CDIDevices: [{ name: 'vendor.com/gpu=0' }], linux: { devices } };
  await withAdjusted(daemon, adjust, async ({ inside }) => {
    assert.equal(await inside('stat -c "%a %u:%g %F %t:%T" /dev/nri'), '440 7:8 character special file a:ed');
    assert.equal(await inside('(exec 3</dev/nri) && echo opened'), 'opened');
    assert.equal(await inside('echo $GPU; stat -c "%F %t:%T" /dev/gpu; (exec 3<>/dev/gpu) && echo opened'), 'zero\ncharacter special file a:ed\nopened'); // prettier-ignore
  });
  const unknown = await refusalOf(daemon, { CDIDevices: [{ name: 'vendor.com/gpu=none' }] });
  assert.match(unknown, /vendor\.com\/gpu=none/);
});

test('hooks run at each stage, with their arguments and environment; adjusted annotations are in the state they get', async (daemon) => {
  await rm(RAN, { force: true });
  const hook = (stage: string) => [{ path: HOOK, args: ['hook', stage], env: ['OF=plugin'], timeout: { value: '30' } }];
  const hooks = {
    prestart: hook('prestart'),
    createRuntime: hook('createRuntime'),
    createContainer: hook('createContainer'),
    startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'echo started >/dev/shm/hooked'] }],
    poststart: hook('poststart'),
    poststop: hook('poststop'),
  };
  const ran = async (count: number): Promise<string[]> =>
    until(`${count} hooks have run`, async () => {
      const lines = (await readFile(RAN, 'utf8').catch(() => '')).split('\n').slice(0, -1);
      return lines.length >= count && lines;
    });
  const annotations = { 'e2e/added': 'by the plugin', '-e2e/gone': '', '-e2e/changed': '', 'e2e/changed': 'after' };
  const own = { 'e2e/gone': 'x', 'e2e/changed': 'before' };
  const look = async ({ id, podId, inside }: Adjusted): Promise<void> => {
    assert.equal(await inside('cat /dev/shm/hooked'), 'started');
    await ran(4);
    await removePod(daemon, podId);
    const lines = await ran(5);
    assert.deepEqual(lines.map((line) => line.split(' ').slice(0, 2).join(' ')).toSorted(), ['createContainer plugin', 'createRuntime plugin', 'poststart plugin', 'poststop plugin', 'prestart plugin']); // prettier-ignore
    const state = JSON.parse((lines[0] ?? '').split(' ').slice(2).join(' ')) as { id: string; annotations: Record<string, string> };
    assert.equal(state.id, id);
    assert.equal(state.annotations['e2e/added'], 'by the plugin');
    assert.equal(state.annotations['e2e/changed'], 'after');
    assert.equal(state.annotations['e2e/gone'], undefined);
  };
  await withAdjusted(daemon, { hooks, annotations }, look, { annotations: own });
});

test('limits are in the cgroup of the container and in its status', async (daemon) => {
  const resources = {
    memory: { limit: { value: String(96 * MIB) } },
    cpu: { shares: { value: '512' }, quota: { value: '25000' }, period: { value: '50000' }, cpus: '0', mems: '0' },
    pids: { limit: '77' },
  };
  await withAdjusted(daemon, { linux: { resources } }, async ({ id, pid }) => {
    assert.equal(await cgroupFile(pid, ['memory.limit_in_bytes', 'memory.max']), String(96 * MIB));
    assert.match(await cgroupFile(pid, ['cpu.cfs_quota_us', 'cpu.max']), /^25000\b/);
    assert.match(await cgroupFile(pid, ['cpu.cfs_period_us', 'cpu.max']), /\b50000$/);
    assert.equal(await cgroupFile(pid, ['cpuset.cpus', 'cpuset.cpus']), '0');
    assert.equal(await cgroupFile(pid, ['pids.max', 'pids.max']), '77');
    const status = (await containerStatus(daemon, id)).resources?.linux;
    assert.equal(status?.memoryLimitInBytes, BigInt(96 * MIB));
    assert.equal(status.cpuShares, 512n);
    assert.equal(status.cpuQuota, 25_000n);
    assert.equal(status.cpuPeriod, 50_000n);
    assert.equal(status.cpusetCpus, '0');
  });
});

test('scheduling and I/O priority are those of the first process', async (daemon) => {
  const linux = {
    scheduler: { policy: 'SCHED_BATCH', nice: 7 },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
  };
  await withAdjusted(daemon, { linux }, async ({ pid }) => {
    assert.match((await execa('chrt', ['-p', String(pid)])).stdout, /SCHED_BATCH/);
    assert.equal((await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[18], '7', 'its nice value');
    assert.equal((await execa('ionice', ['-p', String(pid)])).stdout, 'best-effort: prio 6');
  });
});

test('sysctls of its own namespaces, and namespaces added and taken away', async (daemon) => {
  const linux = { sysctl: { 'net.ipv4.ip_unprivileged_port_start': '81' }, namespaces: [{ type: 'cgroup' }, { type: '-ipc' }] };
  await withAdjusted(daemon, { linux }, async ({ pid, inside }) => {
    assert.equal(await inside('cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '81');
    assert.equal(await readlink(`/proc/${pid}/ns/ipc`), await readlink('/proc/self/ns/ipc'));
    assert.notEqual(await readlink(`/proc/${pid}/ns/cgroup`), await readlink('/proc/self/ns/cgroup'));
  });
});

test('a seccomp policy counts instead of the one of the request', async (daemon) => {
  const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 28 } }];
  const linux = { seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'], syscalls } };
  await withAdjusted(daemon, { linux }, async ({ inside }) => {
    assert.equal(await inside('grep ^Seccomp: /proc/self/status'), 'Seccomp:\t2');
    assert.match(await inside('mkdir /tmp/x 2>&1 || true'), /No space left on device/);
  });
});

test('what this node or its runtime cannot do is refused with the field, and nothing is left', async (daemon) => {
  assert.match(await refusalOf(daemon, { linux: { rdt: { closId: { value: 'gold' } } } }), /rdt/i);
  assert.match(await refusalOf(daemon, { linux: { resources: { rdtClass: { value: 'gold' } } } }), /rdt/i);
  assert.match(await refusalOf(daemon, { linux: { resources: { blockioClass: { value: 'slow' } } } }), /blockio_class/);
  assert.match(await refusalOf(daemon, { linux: { memoryPolicy: { mode: 'MPOL_BIND', nodes: '0' } } }), /linux\.memory_policy/);
  assert.match(await refusalOf(daemon, { linux: { netDevices: { pwnone0: { name: 'eth9' } } } }), /linux\.net_devices/);
  assert.match(await refusalOf(daemon, { mounts: [{ destination: '/x', type: 'bind', source: join(directory, 'none'), options: ['bind'] }] }), /none/); // prettier-ignore
});

test('a container that is not adjusted, and one made when the plugin has gone, are as ever', async (daemon) => {
  const pod = await runPod(daemon);
  const plugin = await NriPlugin.start(daemon.nriSocket, { rules: rules({ env: [{ key: 'ADDED', value: 'yes' }] }) });
  const other = await runContainer(daemon, pod, SLEEP, { name: 'other' });
  await plugin.stop();
  const later = await createContainer(daemon, pod, SLEEP, { name: 'adjusted' });
  await daemon.runtime.startContainer({ containerId: later });
  for (const id of [other, later]) assert.equal(await execOutput(daemon, id, shell('echo ${ADDED-none}')), 'none');
});
