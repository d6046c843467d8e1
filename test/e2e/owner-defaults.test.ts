/** What the node's owner gives to every container, and what pods may order by annotations; seen inside. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import type { Pod } from '../support/pods.ts';
import {
  containerConfig,
  createContainer,
  execOutput,
  failureOf,
  podConfig,
  runContainer,
  runPod,
  waitForOutput,
} from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
const files = await mkdtemp(join(tmpdir(), 'pw-defaults-'));
after(async () => remove(files));
await writeFile(join(files, 'secret'), 'of the node\n');
await writeFile(join(files, 'other'), 'not seen\n');
await writeFile(join(files, 'entitlement'), 'of the file\n');
await writeFile(
  join(files, 'mounts.conf'),
  `# for every container\n${files}/entitlement:/run/entitlement\n  ${files}/entitlement\n${files}/entitlement:/run/secret\n` +
    `${files}/not-there:/run/not-there\n${files}/entitlement:relative\n`,
);

const test = sharedDaemon({
  config: `
    default_env = ["FROM_NODE=yes", "FROM_KUBELET=no", "PATH=/bin:/from-node"]
    default_mounts = ["${files}/secret:/run/secret", "${files}/other:/etc/hosts", "${files}:/run/files:rw"]
    default_mounts_file = "${files}/mounts.conf"
    additional_devices = ["/dev/fuse:/dev/own-fuse:rw"]
    allowed_devices = ["/dev/loop0"]
    device_ownership_from_security_context = true
    absent_mount_sources_to_reject = ["${files}/never"]
    timezone = "Asia/Kathmandu"
    [runtime.handlers.runc]
    allowed_annotations = ["io.kubernetes.cri-o.*", "umask.crio.io", "ulimits.podwright.io"]
  `,
});

const annotated = async (daemon: TestDaemon, annotations: Readonly<Record<string, string>>): Promise<Pod> =>
  runPod(daemon, { change: { annotations } });

async function sh(daemon: TestDaemon, id: string, script: string): Promise<string> {
  return execOutput(daemon, id, ['sh', '-c', script]);
}

test("every container has the owner's variables, mounts and devices, unless its request says another", async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  assert.equal(await sh(daemon, id, 'echo $FROM_NODE $FROM_KUBELET'), 'yes yes');
  assert.equal(await sh(daemon, id, 'cat /run/secret; echo x >/run/secret || cat /run/secret'), 'of the node\nof the node');
  assert.match(await sh(daemon, id, 'cat /etc/hosts'), /from-the-kubelet/);
  await sh(daemon, id, 'echo from the container >/run/files/made');
  assert.equal(existsSync(join(files, 'made')), true);
  assert.equal(
    await sh(daemon, id, 'stat -c %t:%T /dev/own-fuse; cat /sys/fs/cgroup/devices/devices.list | grep 229'),
    'a:e5\nc 10:229 rw',
  );
});

test("the mounts of the owner's file are in every container, read-only; what cannot be is left out", async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  assert.equal(await sh(daemon, id, `cat /run/entitlement ${files}/entitlement /run/secret`), 'of the file\nof the file\nof the node');
  assert.equal(await sh(daemon, id, 'echo x 2>/dev/null >/run/entitlement || ls /run'), 'entitlement\nfiles\nsecret');
  assert.match(await readFile(daemon.logFile, 'utf8'), /mounts\.conf: "\S+entitlement:relative" is left out/);

  await writeFile(join(files, 'mounts.conf'), `${files}/other:/run/later\n`);
  const later = await runContainer(daemon, await runPod(daemon), SLEEP);
  assert.equal(await sh(daemon, later, 'cat /run/later'), 'not seen');
  await remove(join(files, 'mounts.conf'));
  await runContainer(daemon, await runPod(daemon), SLEEP);
});

test("the time is that of the owner's zone", async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  assert.equal(await sh(daemon, id, 'date +%z; stat -c %u:%a /etc/localtime'), '+0545\n0:644');
});

test('a pod orders devices, /dev/shm, a umask and limits by annotations that its handler allows', async (daemon) => {
  const pod = await annotated(daemon, {
    'io.kubernetes.cri-o.Devices': '/dev/loop0:/dev/disk:r',
    'io.kubernetes.cri-o.ShmSize': '8Mi',
    'umask.crio.io': '0077',
    'ulimits.podwright.io': 'nofile=111:222,core=0:0',
    'ulimits.podwright.io/other': 'nofile=1:1',
  });
  const id = await runContainer(daemon, pod, ['sh', '-c', 'echo umask $(umask) nofile $(ulimit -Sn) $(ulimit -Hn); sleep 3600']);
  await waitForOutput(daemon, id, 'umask 0077 nofile 111 222');
  assert.equal(
    await sh(daemon, id, 'stat -c %t:%T /dev/disk; grep "^c\\|^b" /sys/fs/cgroup/devices/devices.list | grep "b 7:"'),
    '7:0\nb 7:0 r',
  );
  assert.match(await sh(daemon, id, 'grep " /dev/shm " /proc/mounts'), /size=8192k/);
  // In an exec, runc 1.1 raises the soft limit of open files to the hard one.
  assert.equal(await sh(daemon, id, 'ulimit -Hn; ulimit -Hc'), '222\n0');
});

test('what a handler does not allow is not obeyed', async (daemon) => {
  const pod = await annotated(daemon, { 'devices.crio.io': '/dev/loop0', 'shm-size.crio.io': '8Mi' });
  const id = await runContainer(daemon, pod, SLEEP);
  assert.match(await sh(daemon, id, 'ls /dev; grep " /dev/shm " /proc/mounts'), /^(?!.*loop0).*size=65536k/s);
});

test('orders that cannot be obeyed, and classes of RDT and block I/O, are refused by name, before anything is made', async (daemon) => {
  const before = await inventoryOf(daemon);
  for (const [annotations, says] of [
    [{ 'io.kubernetes.cri-o.ShmSize': 'much' }, /annotation io\.kubernetes\.cri-o\.ShmSize of the pod has "much", must be a size/],
    [{ 'rdt.resources.beta.kubernetes.io/pod': 'gold' }, /asks for the RDT class "gold", and RDT classes are not supported/],
    [{ 'blockio.resources.beta.kubernetes.io/pod': 'slow' }, /asks for the block I\/O class "slow"/],
  ] as const) {
    const config = podConfig(daemon, { change: { annotations } });
    const { message } = await failureOf(daemon.runtime.runPodSandbox({ config }));
    assert.match(message, says);
  }
  await assertNothingNew(daemon, before);
  const pod = await annotated(daemon, {
    'rdt.resources.beta.kubernetes.io/container.main': 'gold',
    'io.kubernetes.cri-o.Devices': '/dev/mem',
  });
  const begun = await inventoryOf(daemon);
  assert.match(
    (await failureOf(createContainer(daemon, pod, SLEEP, { name: 'other' }))).message,
    /"\/dev\/mem", must be one of allowed_devices: \/dev\/loop0/,
  );
  const classes = await annotated(daemon, { 'rdt.resources.beta.kubernetes.io/container.main': 'gold' });
  assert.match((await failureOf(createContainer(daemon, classes, SLEEP))).message, /container\.main asks for the RDT class "gold"/);
  const change = { annotations: { 'io.kubernetes.cri.blockio-class': 'slow' } };
  assert.match((await failureOf(createContainer(daemon, classes, SLEEP, { name: 'b', change }))).message, /block I\/O class "slow"/);
  await daemon.runtime.stopPodSandbox({ podSandboxId: classes.id });
  await daemon.runtime.removePodSandbox({ podSandboxId: classes.id });
  await assertNothingNew(daemon, begun);
});

test("the kubelet's devices belong to the user of the container, where that is not root", async (daemon) => {
  const pod = await runPod(daemon);
  const { linux } = await containerConfig(pod, SLEEP);
  const securityContext = { ...linux?.securityContext, runAsUser: { value: 1234n }, runAsGroup: { value: 4321n } };
  const devices = [{ hostPath: '/dev/loop1', containerPath: '/dev/disk', permissions: 'rw' }];
  const user = await runContainer(daemon, pod, SLEEP, { change: { devices, linux: { ...linux, securityContext } } });
  assert.equal(await sh(daemon, user, 'stat -c %u:%g /dev/disk /dev/own-fuse'), '1234:4321\n0:0');
  const root = await runContainer(daemon, pod, SLEEP, { name: 'root', change: { devices } });
  assert.match(await sh(daemon, root, 'stat -c %u:%g /dev/disk'), /^0:/);
});

test('a mount source that must not be made is refused where it is not there', async (daemon) => {
  const pod = await runPod(daemon);
  const mounts = (hostPath: string) => ({ change: { mounts: [{ hostPath, containerPath: '/data' }] } });
  const { code, message } = await failureOf(createContainer(daemon, pod, SLEEP, mounts(`${files}/never/`)));
  assert.equal(code, 'INVALID_ARGUMENT', message);
  assert.match(message, /absent_mount_sources_to_reject/);
  assert.equal(existsSync(join(files, 'never')), false);
  await createContainer(daemon, pod, SLEEP, mounts(`${files}/else`));
  assert.equal(existsSync(join(files, 'else')), true);
});
