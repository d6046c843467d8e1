/** What a runtime handler's keys change: what its runtime is given, and what is seen inside its containers. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { outputJson, remove } from 'fs-extra/esm';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { FaultyRuntime } from '../support/faulty-runtime.ts';
import type { Pod, PodOptions } from '../support/pods.ts';
import {
  containerConfig,
  createContainer,
  execOutput,
  execSync,
  failureOf,
  podConfig,
  runContainer,
  until,
  waitForOutput,
} from '../support/pods.ts';
import { RecordingRuntime } from '../support/recording-runtime.ts';

const SLEEP = ['sleep', '3600'];
/** Fails mkdir alone. */
const NO_MKDIR = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
};
const BASE_SPEC = {
  ociVersion: '1.0.2',
  hostname: 'not-used',
  process: {
    args: ['sh'],
    cwd: '/nowhere',
    user: { uid: 77, gid: 77, umask: 0o027 },
    env: ['FROM_BASE=yes', 'FROM_KUBELET=no'],
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 321, hard: 654 }],
  },
  annotations: { 'from.base/x': 'y' },
  mounts: [
    { destination: '/from-base', type: 'tmpfs', source: 'tmpfs', options: ['size=8k', 'nosuid'] },
    { destination: '/dev/shm', type: 'tmpfs', source: 'tmpfs', options: ['size=8k'] },
  ],
  linux: {
    devices: [{ path: '/dev/from-base', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
    resources: { devices: [{ allow: false, access: 'rwm' }, { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }] }, // prettier-ignore
  },
};

const files = await mkdtemp(join(tmpdir(), 'pw-handlers-'));
const recording = await RecordingRuntime.install();
const faulty = await FaultyRuntime.install();
after(async () => {
  await recording.remove();
  await faulty.remove();
  await remove(files);
});
await writeFile(join(files, 'seccomp.json'), JSON.stringify(NO_MKDIR));
await writeFile(join(files, 'base.json'), JSON.stringify(BASE_SPEC));

const test = sharedDaemon({
  config: `
    [runtime.handlers.runc]
    [runtime.handlers.tuned]
    path = "${recording.path}"
    options = ["--log-format=text"]
    no_pivot = true
    no_new_keyring = true
    pod_annotations = ["dev.gvisor.*", "io.katacontainers.*"]
    container_annotations = ["example.org/*"]
    [runtime.handlers.based]
    path = "${recording.path}"
    base_runtime_spec = "${join(files, 'base.json')}"
    [runtime.handlers.careful]
    path = "${faulty.path}"
    seccomp_profile = "${join(files, 'seccomp.json')}"
    create_timeout = "2s"
    [runtime.handlers.deviceless]
    path = "${recording.path}"
    privileged_without_host_devices = true
    [runtime.handlers.apart]
    path = "${recording.path}"
    cni_conf_dir = "${join(files, 'net.d')}"
  `,
});

async function runPodOf(daemon: TestDaemon, runtimeHandler: string, options: PodOptions = {}): Promise<Pod> {
  const config = podConfig(daemon, options);
  const { podSandboxId } = await daemon.runtime.runPodSandbox({ config, runtimeHandler });
  return { id: podSandboxId, config };
}

async function runPrivileged(daemon: TestDaemon, runtimeHandler: string): Promise<string> {
  const plain = podConfig(daemon);
  const securityContext = { ...plain.linux?.securityContext, privileged: true };
  const pod = await runPodOf(daemon, runtimeHandler, { change: { linux: { ...plain.linux, securityContext } } });
  const { linux } = await containerConfig(pod, SLEEP);
  const change = { linux: { ...linux, securityContext: { ...linux?.securityContext, privileged: true } } };
  return runContainer(daemon, pod, SLEEP, { change });
}

test('the pods of a handler with networks of its own are on those, without one they are refused, and others do not see it', async (daemon) => {
  const addressOf = async ({ id }: Pod): Promise<string> => {
    const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: id });
    return status?.network?.ip ?? '';
  };
  const before = await failureOf(runPodOf(daemon, 'apart'));
  assert.equal(before.code, 'UNAVAILABLE');
  assert.match(before.message, new RegExp(`no network configuration in ${join(files, 'net.d')}`));

  const ipam = { type: 'host-local', dataDir: join(files, 'addresses'), ranges: [[{ subnet: '10.63.7.0/24' }]] };
  const list = { cniVersion: '1.0.0', name: 'apart', plugins: [{ type: 'ptp', ipam }] };
  await outputJson(join(files, 'net.d/10.conflist'), list);
  const pod = await until('its network is read', async () => runPodOf(daemon, 'apart').catch(() => undefined));
  assert.match(await addressOf(pod), /^10\.63\.7\./);
  const id = await runContainer(daemon, pod, SLEEP);
  assert.match(await execOutput(daemon, id, ['ip', '-o', '-4', 'address', 'show', 'dev', 'eth0']), / 10\.63\.7\./);
  assert.doesNotMatch(await addressOf(await runPodOf(daemon, '')), /^10\.63\.7\./);

  await remove(join(files, 'net.d'));
  await daemon.restart();
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  const left = await readdir(join(files, 'addresses/apart'));
  assert.deepEqual(
    left.filter((name) => name.startsWith('10.')),
    [],
    'it is released by the configuration that it was made with',
  );
});

test('every command of the runtime gets the options of its handler, and create those of its own', async (daemon) => {
  const pod = await runPodOf(daemon, 'tuned', { namespaces: { pid: NamespaceMode.POD } });
  const id = await runContainer(daemon, pod, SLEEP);
  await execOutput(daemon, id, ['true']);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
  await daemon.runtime.removeContainer({ containerId: id });

  const calls = (await recording.calls()).filter((call) => call.includes(id) || call.includes(pod.id));
  const commandOf = (call: string[]): string => ['create', 'start', 'exec', 'delete'].find((name) => call.includes(name)) ?? 'other';
  for (const command of ['create', 'start', 'exec', 'delete'])
    assert.ok(
      calls.some((call) => commandOf(call) === command),
      command,
    );
  for (const call of calls) {
    const at = call.indexOf('--log-format=text');
    assert.ok(at !== -1 && at < call.indexOf(commandOf(call)), call.join(' '));
    const ofCreate = ['--no-pivot', '--no-new-keyring'].filter((option) => call.includes(option));
    assert.equal(ofCreate.length, commandOf(call) === 'create' ? 2 : 0, call.join(' '));
  }
});

test('annotations reach the runtime where the handler names them: of the pod in each container, of a container in it', async (daemon) => {
  const annotations = { 'dev.gvisor.spec.mount': 'a', 'io.katacontainers.x': 'b', 'dev.gvisor.a/b': 'slash', 'example.org/of-pod': 'c' };
  const pod = await runPodOf(daemon, 'tuned', { change: { annotations }, namespaces: { pid: NamespaceMode.POD } });
  const ofContainer = { 'example.org/cpu': 'd', 'io.katacontainers.x': 'of the container', 'io.kubernetes.cri.sandbox-id': 'forged' };
  const id = await createContainer(daemon, pod, SLEEP, { change: { annotations: ofContainer } });

  const known = (all: Readonly<Record<string, string>>): unknown =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !/^(io\.kubernetes\.cri\.|org\.systemd\.)/.test(name)));
  const container = (await recording.specOf(id)).annotations;
  const ofPod = { 'dev.gvisor.spec.mount': 'a', 'io.katacontainers.x': 'b' };
  assert.deepEqual(known(container), { ...ofPod, 'example.org/cpu': 'd' });
  assert.equal(container['io.kubernetes.cri.sandbox-id'], pod.id);
  assert.deepEqual(known((await recording.specOf(pod.id)).annotations), ofPod);

  const silent = await runPodOf(daemon, 'based', { change: { annotations } });
  const without = await createContainer(daemon, silent, SLEEP, { change: { annotations: ofContainer } });
  assert.deepEqual(known((await recording.specOf(without)).annotations), { 'from.base/x': 'y' });
});

test('a reload changes which annotations a handler lets through', async (daemon) => {
  const annotations = { 'new.example.org/x': 'y' };
  await writeFile(join(daemon.directory, 'conf.d/10.toml'), 'runtime.handlers.tuned.pod_annotations = ["new.example.org/*"]\n');
  process.kill(daemon.pid, 'SIGHUP');
  await until('the log names the change', async () =>
    (await readFile(daemon.logFile, 'utf8')).includes('runtime.handlers.tuned.pod_annotations'),
  );
  const pod = await runPodOf(daemon, 'tuned', { change: { annotations } });
  const id = await createContainer(daemon, pod, SLEEP);
  assert.equal((await recording.specOf(id)).annotations['new.example.org/x'], 'y');
});

test('what a base spec says is in the container, but for what the request, its image or the daemon decides', async (daemon) => {
  const pod = await runPodOf(daemon, 'based');
  const id = await runContainer(daemon, pod, ['sh', '-c', 'echo umask $(umask), files $(ulimit -Sn) $(ulimit -Hn); sleep 3600']);
  const inside = async (script: string): Promise<string> => execOutput(daemon, id, ['sh', '-c', script]);

  // Of the first process: an exec of runc 1.1 has now and then the hard limit for the soft one, which Go's start raises.
  await waitForOutput(daemon, id, 'umask 0027, files 321 654');
  assert.equal(await inside('echo $FROM_BASE $FROM_KUBELET'), 'yes yes');
  assert.match(await inside('grep " /from-base " /proc/mounts'), /^tmpfs \/from-base tmpfs .*size=8k/);
  assert.doesNotMatch(await inside('grep " /dev/shm " /proc/mounts'), /size=8k/);
  assert.equal(
    await inside('echo x >/dev/from-base; stat -c %t:%T /dev/from-base; id -u; pwd; hostname'),
    `1:3\n0\n/\n${pod.config.hostname}`,
  );
});

test("a handler's seccomp profile is what RuntimeDefault stands for in its containers, and in no other's", async (daemon) => {
  const careful = await runContainer(daemon, await runPodOf(daemon, 'careful'), SLEEP);
  const other = await runContainer(daemon, await runPodOf(daemon, ''), SLEEP);
  const { exitCode, stderr } = await execSync(daemon, careful, ['mkdir', '/made']);
  assert.equal(exitCode, 1);
  assert.match(Buffer.from(stderr).toString(), /Operation not permitted/);
  await execOutput(daemon, other, ['mkdir', '/made']);
});

test('a runtime that hangs at create is given up after the create timeout of its handler', async (daemon) => {
  const pod = await runPodOf(daemon, 'careful');
  await faulty.set('create', 'hangs');
  const begun = performance.now();
  const { code, message } = await failureOf(createContainer(daemon, pod, SLEEP));
  await faulty.set('create', 'passes');
  assert.equal(code, 'DEADLINE_EXCEEDED', message);
  const ms = performance.now() - begun;
  assert.ok(ms >= 2000 && ms < 10_000, `${ms} ms`);
});

test("a privileged container of a handler without host devices has none of the node's, and may use none", async (daemon) => {
  const list = ['sh', '-c', 'ls /dev'];
  const all = await execOutput(daemon, await runPrivileged(daemon, ''), list);
  const id = await runPrivileged(daemon, 'deviceless');
  const few = await execOutput(daemon, id, list);
  assert.match(all, /^kmsg$/m);
  assert.doesNotMatch(few, /^kmsg$/m);
  const { exitCode } = await execSync(daemon, id, ['sh', '-c', 'mknod /x c 1 11 && : </x']);
  assert.notEqual(exitCode, 0, 'a device that the container made could be opened');
});

test('a daemon with a base spec that cannot be used does not start, and names the key, the file and the field', async () => {
  const bad = join(files, 'bad.json');
  await writeFile(bad, JSON.stringify({ linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } } }));
  const daemon = await TestDaemon.prepare({ config: `runtime.handlers.runc.base_runtime_spec = "${bad}"` });
  try {
    await daemon.launch();
    await daemon.ended();
    const words = await readFile(daemon.logFile, 'utf8');
    assert.match(
      words,
      /runtime\.handlers\.runc\.base_runtime_spec: \S+bad\.json cannot be used: linux\.seccomp: must be left out: seccomp_profile/,
    );
    assert.equal(existsSync(daemon.socket), false);
  } finally {
    await daemon.destroy();
  }
});
