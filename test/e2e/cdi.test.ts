/** Devices of the Container Device Interface: what a spec file says is done to the container, or the request is refused. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach } from 'node:test';
import { execa } from 'execa';
import { emptyDir, ensureDir, pathExists, remove } from 'fs-extra/esm';
import type { ContainerConfig, Init } from '../../api/cri/runtime.ts';
import type { StatusReport } from '../../src/admin/reports.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { difference } from '../support/inventory.ts';
import {
  containerConfig,
  containerStatus,
  execOutput,
  execSync,
  failureOf,
  removePod,
  runContainer,
  runPod,
  shell,
  until,
} from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';

const directory = await mkdtemp(join(tmpdir(), 'pw-cdi-'));
const STATIC = join(directory, 'static');
const DYNAMIC = join(directory, 'dynamic');
/** A node of the host that only CDI hands on: loop-control (10:237), whose opening does nothing. */
const HOST_NODE = join(directory, 'node');
const HOOK_LOG = join(directory, 'hooks');
const HOOK = join(directory, 'hook');
const SLEEP = ['sleep', '3600'];

before(async () => {
  await execa('mknod', [HOST_NODE, 'c', '10', '237']);
  await chmod(HOST_NODE, 0o600);
  await writeFile(HOOK, `#!/bin/sh\ncat >/dev/null\necho "$1 $OF" >>${HOOK_LOG}\n`, { mode: 0o755 });
});
beforeEach(async () => {
  for (const each of [STATIC, DYNAMIC]) await emptyDir(each);
  await rm(HOOK_LOG, { force: true });
});
after(async () => {
  await remove(directory);
});

const test = sharedDaemon({ config: `cdi_spec_dirs = ["${STATIC}", "${DYNAMIC}"]\n` });

type Edits = Readonly<Record<string, unknown>>;

/** Writes a spec file of kind vendor.com/gpu; its devices by name. */
async function writeSpec(file: string, devices: Readonly<Record<string, Edits>>, containerEdits: Edits = {}): Promise<void> {
  const list = Object.entries(devices).map(([name, edits]) => ({ name, containerEdits: edits }));
  await writeFile(file, JSON.stringify({ cdiVersion: '1.1.0', kind: 'vendor.com/gpu', containerEdits, devices: list }));
}

const variable = (value: string): Edits => ({ env: [`GPU=${value}`] });
const named = (...names: readonly string[]): Init<ContainerConfig> => ({
  cdiDevices: names.map((name) => ({ name: `vendor.com/gpu=${name}` })),
});

/** What a variable says in a new container that asks for this. */
async function gpuIn(daemon: TestDaemon, pod: Pod, name: string, change: Init<ContainerConfig>): Promise<string> {
  return execOutput(daemon, await runContainer(daemon, pod, SLEEP, { name, change }), shell('echo "$GPU"'));
}

/** The refusal of such a container; nothing may be left of it. */
async function refusalOf(daemon: TestDaemon, pod: Pod, change: Init<ContainerConfig>): Promise<{ code: string; message: string }> {
  const config = await containerConfig(pod, SLEEP, { name: 'refused', change });
  const earlier = await inventoryOf(daemon);
  const failure = await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }));
  assert.deepEqual(difference(earlier, await inventoryOf(daemon)), []);
  return failure;
}

test('everything that the edits of a device and of its file say is seen in the container', async (daemon) => {
  const source = join(directory, 'source');
  await ensureDir(source);
  await writeFile(join(source, 'file'), 'from the vendor\n');
  const hooks = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'];
  await writeSpec(
    join(STATIC, 'vendor.json'),
    {
      '0': {
        env: ['GPU=zero', 'FROM_KUBELET=no'],
        deviceNodes: [
          { path: '/dev/gpu', hostPath: HOST_NODE, permissions: 'r' },
          { path: '/dev/owned', hostPath: HOST_NODE, fileMode: 0o640, uid: 7, gid: 8, permissions: 'r' },
        ],
        mounts: [{ hostPath: source, containerPath: '/opt/vendor', options: ['ro', 'bind', 'nosuid'] }],
        additionalGids: [4242],
      },
    },
    {
      env: ['FILE=yes', 'GPU=none'],
      mounts: [{ hostPath: 'tmpfs', containerPath: '/opt', type: 'tmpfs', options: ['size=64k'] }],
      hooks: [
        ...hooks.map((hookName) => ({ hookName, path: HOOK, args: ['hook', hookName], env: ['OF=vendor'], timeout: 30 })),
        { hookName: 'startContainer', path: '/bin/sh', args: ['sh', '-c', 'echo started >/dev/shm/hooked'] },
      ],
    },
  );
  const pod = await runPod(daemon);
  const base = (await containerConfig(pod, SLEEP)).linux;
  const linux = { ...base, securityContext: { ...base?.securityContext, runAsUser: { value: 1234n }, runAsGroup: { value: 1001n } } };
  const id = await runContainer(daemon, pod, SLEEP, { change: { ...named('0'), linux } });
  const inside = async (script: string): Promise<string> => execOutput(daemon, id, shell(script));

  assert.equal(await inside('echo $GPU $FILE $FROM_KUBELET; tr "\\0" "\\n" </proc/1/environ | grep -c ^GPU='), 'zero yes no\n1');
  assert.equal(await inside('stat -c "%a %u:%g %F %t:%T" /dev/gpu /dev/owned'), '600 1234:1001 character special file a:ed\n640 7:8 character special file a:ed'); // prettier-ignore
  assert.equal(await inside('(exec 3</dev/gpu) && echo opened; (exec 3<>/dev/gpu) 2>/dev/null || echo "not for writing"'), 'opened\nnot for writing'); // prettier-ignore
  assert.equal(await inside('cat /opt/vendor/file; touch /opt/vendor/x 2>&1 | grep -o "Read-only.*"'), 'from the vendor\nRead-only file system'); // prettier-ignore
  assert.match(await inside('grep " /opt " /proc/self/mountinfo'), / - tmpfs tmpfs .*size=64k/);
  assert.match(await inside('grep " /opt/vendor " /proc/self/mountinfo'), /ro,nosuid/);
  assert.equal(await inside('id -G; cat /dev/shm/hooked'), '1001 4242\nstarted');
  const { user } = await containerStatus(daemon, id);
  assert.ok(user?.linux?.supplementalGroups.includes(4242n));
  await removePod(daemon, pod.id);
  const ran = await until('the hooks have run', async () => {
    const lines = (await readFile(HOOK_LOG, 'utf8')).trim().split('\n');
    return lines.length === hooks.length && lines;
  });
  assert.deepEqual(ran, hooks.map((hook) => `${hook} vendor`)); // prettier-ignore
});

test('a device node can be used as the permissions of its edit allow: one for mknod alone cannot be opened', async (daemon) => {
  await writeSpec(join(STATIC, 'vendor.json'), { '0': { deviceNodes: [{ path: '/dev/gpu', hostPath: HOST_NODE, permissions: 'm' }] } });
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP, { change: named('0') });
  const { exitCode, stderr } = await execSync(daemon, id, shell('exec 3</dev/gpu'));
  assert.notEqual(exitCode, 0);
  assert.match(Buffer.from(stderr).toString(), /Operation not permitted/);
});

test('devices of annotations come after those of the field, each once', async (daemon) => {
  const log = (value: string): Edits => ({ hooks: [{ hookName: 'createRuntime', path: HOOK, args: ['hook', value] }], ...variable(value) });
  await writeSpec(join(STATIC, 'vendor.json'), { '0': log('0'), '1': log('1'), '2': log('2') });
  const pod = await runPod(daemon);
  const annotations = { 'cdi.k8s.io/b': 'vendor.com/gpu=0,vendor.com/gpu=2', 'cdi.k8s.io/a': 'vendor.com/gpu=1', 'other/x': 'no' };
  assert.equal(await gpuIn(daemon, pod, 'both', { ...named('2', '0', '2'), annotations }), '1');
  assert.deepEqual((await readFile(HOOK_LOG, 'utf8')).split(' \n'), ['2', '0', '1', '']);
  assert.equal(await gpuIn(daemon, pod, 'alone', { annotations }), '2');
});

test('what cannot be done is refused with the device and the file, and nothing is left', async (daemon) => {
  const [one, two, broken] = [join(STATIC, 'one.json'), join(STATIC, 'two.json'), join(DYNAMIC, 'broken.yaml')];
  await writeSpec(one, {
    '0': variable('one'),
    '1': { deviceNodes: [{ path: '/dev/x', hostPath: '/dev/no-such-node' }] },
    '2': { deviceNodes: [{ path: '/dev/x', hostPath: HOST_NODE, type: 'b' }] },
    net: { netDevices: [{ hostInterfaceName: 'ib0', name: 'ib0' }] },
    rdt: { intelRdt: { closID: 'gold' } },
  });
  await writeSpec(two, { '0': variable('two') });
  await writeFile(broken, 'cdiVersion: 1.1.0\nkind: vendor.com/gpu\ndevices:\n- name: 9\n  containerEdits: {environ: [GPU=9]}\n');
  const pod = await runPod(daemon);
  const expect = async (change: Init<ContainerConfig>, code: string, ...words: readonly string[]): Promise<void> => {
    const failure = await refusalOf(daemon, pod, change);
    assert.equal(failure.code, code, failure.message);
    for (const each of words) assert.ok(failure.message.includes(each), failure.message);
  };

  await expect(named('0'), 'FAILED_PRECONDITION', 'vendor.com/gpu=0', one, two);
  await expect(
    named('7', '8'),
    'NOT_FOUND',
    'unresolvable CDI devices vendor.com/gpu=7, vendor.com/gpu=8',
    STATIC,
    DYNAMIC,
    broken,
    'environ',
  );
  await expect({ cdiDevices: [{ name: 'other.com/gpu=0' }] }, 'NOT_FOUND', 'other.com/gpu=0');
  await expect({ cdiDevices: [{ name: 'gpu0' }] }, 'INVALID_ARGUMENT', 'config.CDI_devices[0].name has "gpu0"');
  await expect({ annotations: { 'cdi.k8s.io/x': 'vendor.com/gpu' } }, 'INVALID_ARGUMENT', 'annotation cdi.k8s.io/x has "vendor.com/gpu"');
  await expect(named('1'), 'NOT_FOUND', 'vendor.com/gpu=1', one, '/dev/no-such-node');
  await expect(named('2'), 'FAILED_PRECONDITION', 'vendor.com/gpu=2', one, HOST_NODE);
  await expect(named('net'), 'FAILED_PRECONDITION', 'vendor.com/gpu=net', one, 'netDevices');
  if (!(await pathExists('/sys/fs/resctrl/schemata')))
    await expect(named('rdt'), 'FAILED_PRECONDITION', 'vendor.com/gpu=rdt', one, 'resctrl');
  const warnings = (await readFile(daemon.logFile, 'utf8')).split('\n').filter((line) => line.includes(`CDI spec ${broken} is not used`));
  assert.equal(warnings.length, 1, warnings.join('\n'));
});

test('podwright status tells each spec file that cannot be used, with the error, until it is mended', async (daemon) => {
  const [broken, cut, good] = [join(DYNAMIC, 'broken.yaml'), join(STATIC, 'cut.json'), join(STATIC, 'good.json')];
  const told = async () => (JSON.parse(await daemon.cli('status', '--json')) as StatusReport).brokenCdiSpecs;
  const paths = async (): Promise<string[]> => (await told()).map(({ path }) => path).sort();
  await writeSpec(good, { '0': variable('good') });
  assert.deepEqual(await told(), []);
  assert.doesNotMatch(await daemon.cli('status'), /CDI/);

  await writeFile(broken, 'cdiVersion: 1.1.0\nkind: vendor.com/gpu\ndevices:\n- name: 9\n  containerEdits: {environ: [GPU=9]}\n');
  await writeFile(cut, (await readFile(good)).subarray(0, 40));
  assert.deepEqual(await paths(), [broken, cut].sort());
  assert.match((await told()).find(({ path }) => path === broken)?.error ?? '', /environ/);
  const text = await daemon.cli('status');
  for (const path of [broken, cut]) assert.match(text, new RegExp(`CDI spec files that are not used:[^]*${path} +\\S`));
  await writeSpec(cut, { '1': variable('mended') });
  await rm(broken);
  assert.deepEqual(await told(), []);
});

test('a spec file that comes, changes or goes counts for the next container, and so after a restart', async (daemon) => {
  const [low, high] = [join(STATIC, 'a.json'), join(DYNAMIC, 'b.yaml')];
  const pod = await runPod(daemon);
  assert.match((await refusalOf(daemon, pod, named('0'))).message, /unresolvable/);
  await writeSpec(low, { '0': variable('first') });
  assert.equal(await gpuIn(daemon, pod, 'first', named('0')), 'first');
  await writeSpec(low, { '0': variable('other') });
  assert.equal(await gpuIn(daemon, pod, 'changed', named('0')), 'other');
  await writeFile(
    high,
    'cdiVersion: 0.6.0\nkind: vendor.com/gpu\ndevices:\n- name: 0\n  containerEdits:\n    env:\n    - GPU=later directory\n',
  );
  assert.equal(await gpuIn(daemon, pod, 'higher', named('0')), 'later directory');
  const id = await runContainer(daemon, pod, SLEEP, { name: 'kept', change: named('0') });
  await daemon.kill9();
  await rm(high);
  await daemon.start();
  assert.equal(await execOutput(daemon, id, shell('echo "$GPU"')), 'later directory');
  assert.equal(await gpuIn(daemon, pod, 'lower', named('0')), 'other');
  await rm(low);
  assert.match((await refusalOf(daemon, pod, named('0'))).message, /unresolvable/);
});
