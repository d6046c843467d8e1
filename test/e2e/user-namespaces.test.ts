/** Pods with `hostUsers: false` (KEP-127): what is so inside of them, and on the node. */
// long: 50 s
import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { ContainerConfig, Init, Mount } from '../../api/cri/runtime.ts';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon, type E2eBody } from '../support/e2e-test.ts';
import {
  containerStatus,
  createContainer,
  execOutput,
  failureOf,
  outputOf,
  podAddress,
  podConfig,
  removePod,
  runContainer,
  runPod,
  shell,
  until,
  untilPage,
  waitForExit,
  waitForOutput,
} from '../support/pods.ts';
import { attachByUrl, execByUrl, forwardByUrl, Output } from '../support/streaming/kubernetes-client.ts';
import { IMAGES } from '../support/test-image.ts';
import { MAPPING, noUserNamespaces, userRuntimes, withUsers } from '../support/user-namespaces.ts';

/** Each test runs with every runtime that can. */
const runtimes = userRuntimes.length === 0 ? [{ name: 'none', path: '', args: [] }] : userRuntimes;
const daemons = runtimes.map(({ name, args }) => {
  return { name, test: sharedDaemon({ args, skip: noUserNamespaces, images: ['busybox', 'user', 'layers'] }) };
});
function test(title: string, body: E2eBody): void {
  for (const daemon of daemons) daemon.test(`${title} (${daemon.name})`, body);
}

const BASE = MAPPING.hostId;
const idle = shell('trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done');
const asUser = (uid: bigint, more: object = {}): Init<ContainerConfig> => ({
  linux: { securityContext: { runAsUser: { value: uid }, ...more } },
});

/** Owners as `ls -ln` shows them inside. */
async function ownersInside(daemon: TestDaemon, id: string, ...paths: readonly string[]): Promise<string[]> {
  return (await execOutput(daemon, id, ['stat', '-c', '%u:%g', ...paths])).split('\n');
}

async function ownerOutside(path: string): Promise<string> {
  const { uid, gid } = await lstat(path);
  return `${uid}:${gid}`;
}

const upperOf = (daemon: TestDaemon, id: string): string => join(daemon.root, 'storage/rootfs', id, 'diff');

test('Status says user namespaces of a handler that can, by its name and as the default', async (daemon) => {
  const { runtimeHandlers } = await daemon.runtime.status({ verbose: false });
  assert.deepEqual(runtimeHandlers.map(({ name, features }) => [name, features?.userNamespaces]), [['', true], ['runc', true]]); // prettier-ignore
});

test('root of a container is a user of the pod on the node, and each file of the image has the owner that the image says', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const id = await runContainer(daemon, pod, idle, { image: IMAGES.layers });
  const map = `0 ${BASE} ${MAPPING.length}`;
  const maps = await execOutput(daemon, id, shell('cat /proc/self/uid_map /proc/self/gid_map'));
  assert.deepEqual(maps.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' ')), [map, map]); // prettier-ignore
  const status = await readFile(`/proc/${await pidOf(daemon, id)}/status`, 'utf8');
  assert.match(status, new RegExp(`^Uid:\t${BASE}\t${BASE}\t${BASE}\t${BASE}$`, 'm'));
  assert.match(status, new RegExp(`^Gid:\t${BASE}\t`, 'm'));
  assert.deepEqual(await ownersInside(daemon, id, '/', '/bin', '/data/kept', '/proc/1'), ['0:0', '0:0', '1000:2000', '0:0']);
  // What the pod gets from the node is its root's.
  assert.deepEqual(await ownersInside(daemon, id, '/etc/resolv.conf', '/etc/hostname', '/dev/shm', '/dev/pts'), ['0:0', '0:0', '0:0', '0:0']); // prettier-ignore

  await execOutput(
    daemon,
    id,
    shell('echo new > /data/kept; chown 7:8 /data/kept; echo x > /own; mkdir /d; chown 65535:65535 /d; rm /data/replaced'),
  );
  const upper = upperOf(daemon, id);
  assert.deepEqual(await Promise.all(['', 'own', 'd', 'data/kept'].map(async (name) => ownerOutside(join(upper, name)))), [
    `${BASE}:${BASE}`,
    `${BASE}:${BASE}`,
    `${BASE + 65_535}:${BASE + 65_535}`,
    `${BASE + 7}:${BASE + 8}`,
  ]);
  assert.deepEqual(await ownersInside(daemon, id, '/own', '/d', '/data/kept'), ['0:0', '65535:65535', '7:8']);
  // The layers themselves are untouched: a pod without a user namespace sees the image's owners.
  const plain = await runContainer(daemon, await runPod(daemon), idle, { image: IMAGES.layers });
  assert.deepEqual(await ownersInside(daemon, plain, '/data/kept', '/bin'), ['1000:2000', '0:0']);
});

test('nobody but root of the pod gets to its root file system, and the namespaces go with the pod', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const id = await runContainer(daemon, pod, idle);
  const bundle = join(daemon.runDir, 'bundles', id);
  assert.deepEqual([(await lstat(bundle)).mode & 0o777, await ownerOutside(bundle)], [0o710, `0:${BASE}`]);
  assert.equal((await lstat(join(daemon.runDir, 'bundles'))).mode & 0o777, 0o711);
  const namespaces = join(daemon.runDir, 'ns', pod.id);
  assert.deepEqual((await readdir(namespaces)).sort(), ['ipc', 'layers', 'net', 'user', 'uts']);
  await removePod(daemon, pod.id);
  await assert.rejects(lstat(namespaces), { code: 'ENOENT' });
});

test('a user of the image, and one of the request, runs with its groups; one that the pod has not is refused', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const ofImage = await runContainer(daemon, pod, shell('id; echo again > /dev/stdout; sleep 1000'), { name: 'image', image: IMAGES.user });
  await waitForOutput(daemon, ofImage, 'again');
  assert.match((await outputOf(daemon, ofImage))[0]!, /^uid=1000\(app\) gid=1000\S* groups=.*2000/);
  const asked = await runContainer(daemon, pod, shell('touch /tmp/mine; id; sleep 1000'), { name: 'asked', change: asUser(4321n, { supplementalGroups: [65_535n] }) }); // prettier-ignore
  await waitForOutput(daemon, asked, 'uid=4321');
  assert.match((await outputOf(daemon, asked))[0]!, /65535/);
  assert.equal(await ownerOutside(join(upperOf(daemon, asked), 'tmp/mine')), `${BASE + 4321}:${BASE}`);
  const failure = await failureOf(createContainer(daemon, pod, idle, { name: 'beyond', change: asUser(65_536n) }));
  assert.deepEqual([failure.code, /its user is 65536, must be below 65536/.test(failure.message)], ['INVALID_ARGUMENT', true], failure.message); // prettier-ignore
});

test('a volume with the mappings of the pod has the same owners inside and outside; one without has none that the pod knows', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const volume = await mkdtemp(join(daemon.directory, 'volume-'));
  await chmod(volume, 0o755);
  await writeFile(join(volume, 'of-root'), 'root');
  await writeFile(join(volume, 'of-app'), 'app');
  await chown(join(volume, 'of-app'), 1000, 2000);
  const mappings = { uidMappings: [MAPPING], gidMappings: [MAPPING] };
  const mounts: readonly Init<Mount>[] = [
    { containerPath: '/mapped', hostPath: volume, ...mappings },
    { containerPath: '/plain', hostPath: volume, readonly: true },
    { containerPath: '/image', readonly: true, image: { image: IMAGES.layers }, ...mappings },
    { containerPath: '/part', readonly: true, image: { image: IMAGES.layers }, imageSubPath: 'data' },
  ];
  const id = await runContainer(daemon, pod, idle, { change: { mounts } });
  assert.deepEqual(await ownersInside(daemon, id, '/mapped/of-root', '/mapped/of-app'), ['0:0', '1000:2000']);
  assert.deepEqual(await ownersInside(daemon, id, '/plain/of-root', '/plain/of-app'), ['65534:65534', '65534:65534']);
  assert.deepEqual(await ownersInside(daemon, id, '/image/bin', '/image/data/kept', '/part/kept'), ['0:0', '1000:2000', '1000:2000']);
  assert.equal(await execOutput(daemon, id, ['cat', '/part/kept']), 'from layer 1');
  await execOutput(daemon, id, shell('echo x > /mapped/new; chown 1000:3000 /mapped/new; echo more >> /mapped/of-root'));
  assert.equal(await ownerOutside(join(volume, 'new')), '1000:3000');
  await removePod(daemon, pod.id);
  assert.deepEqual((await readdir(volume)).sort(), ['new', 'of-app', 'of-root']);
});

test('a volume on a file system without id-mapped mounts is refused by its path and its file system', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const mounts = [{ containerPath: '/classes', hostPath: '/sys/class', readonly: true, uidMappings: [MAPPING], gidMappings: [MAPPING] }];
  const failure = await failureOf(createContainer(daemon, pod, idle, { change: { mounts } }));
  assert.deepEqual([failure.code, /must have id-mapped mounts \(\/classes: sysfs\): /.test(failure.message)], ['FAILED_PRECONDITION', true], failure.message); // prettier-ignore
});

test('a privileged container is root of the pod, not of the node; a working directory is made for it', async (daemon) => {
  const { namespaceOptions } = podConfig(daemon, withUsers()).linux?.securityContext ?? {};
  const pod = await runPod(daemon, { change: { linux: { securityContext: { namespaceOptions, privileged: true } } } });
  const change = { workingDir: '/made/here', linux: { securityContext: { namespaceOptions, privileged: true } } };
  const id = await runContainer(daemon, pod, idle, { change });
  assert.deepEqual(await ownersInside(daemon, id, '/made', '/made/here'), ['0:0', '0:0']);
  assert.match(await execOutput(daemon, id, ['grep', ' /sys ', '/proc/mounts']), /sysfs rw,/);
  // It may do in its own namespaces what it likes, and nothing to the node.
  await execOutput(daemon, id, shell('mount -t tmpfs none /mnt 2>/dev/null || { mkdir /mnt && mount -t tmpfs none /mnt; }; hostname free'));
  const { exitCode } = await daemon.runtime.execSync({ containerId: id, cmd: [...shell('echo 1 > /proc/sys/kernel/panic')], timeout: 5n });
  assert.notEqual(exitCode, 0);
});

test('network, IPC and UTS namespace belong to the pod: its sysctls are set, its capabilities count in them', async (daemon) => {
  const sysctls = { 'net.ipv4.ip_forward': '1', 'net.core.somaxconn': '321', 'kernel.shmmax': '123456', 'fs.mqueue.msg_max': '11' };
  const securityContext = { namespaceOptions: podConfig(daemon, withUsers()).linux?.securityContext?.namespaceOptions };
  const linux = { cgroupParent: `${daemon.cgroup}/sysctls`, sysctls, securityContext };
  const pod = await runPod(daemon, { change: { linux, hostname: 'mapped' } });
  const capabilities = { addCapabilities: ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN'], dropCapabilities: [] };
  const id = await runContainer(daemon, pod, shell('httpd -f -p 80 -h /www'), { change: { linux: { securityContext: { capabilities } } } });
  const read = Object.keys(sysctls).map((name) => `/proc/sys/${name.replaceAll('.', '/')}`);
  assert.deepEqual((await execOutput(daemon, id, ['cat', ...read])).split('\n'), Object.values(sysctls));
  // Port 80 without a capability of the node, and the pod's address by the node's bridge.
  assert.match(await untilPage(`http://${await podAddress(daemon, pod.id)}/`), /It works/);
  await execOutput(daemon, id, shell('ip link set lo down && ip link set lo up && hostname other && [ "$(hostname)" = other ]'));
  await execOutput(daemon, id, ['ping', '-c', '1', '-W', '5', '127.0.0.1']);
  assert.equal(await execOutput(daemon, id, shell('echo x > /dev/shm/f && echo ok && touch /dev/mqueue/q && ls /dev/mqueue')), 'ok\nq');
});

test('what a container writes to /dev/stdout and /dev/stderr again is in its log, and so for execs', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const script = shell('echo out > /dev/stdout; echo err > /dev/stderr; sleep 1000');
  for (const [name, change] of [
    ['root', {}],
    ['user', asUser(1000n)],
  ] as const) {
    const id = await runContainer(daemon, pod, script, { name, change });
    await waitForOutput(daemon, id, 'err');
    assert.deepEqual(await outputOf(daemon, id), ['out', 'err'], name);
    assert.equal(await execOutput(daemon, id, shell('echo exec > /dev/stdout; id -u')), `exec\n${name === 'root' ? 0 : 1000}`);
  }
});

test('exec with a terminal, attach and port-forward work', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const script = shell('httpd -p 127.0.0.1:81 -h /www; while read line; do echo "got $line"; done; echo over');
  const id = await runContainer(daemon, pod, script, { change: { stdin: true, stdinOnce: true } });
  const choice = { containerId: id, stdin: true, stdout: true, stderr: false };
  const terminal = new Output();
  const { url } = await daemon.runtime.exec({ ...choice, cmd: [...shell('tty; id -u; echo x > /dev/tty')], tty: true });
  await (await execByUrl(url, { stdin: new PassThrough(), stdout: terminal, tty: true })).over();
  assert.match(terminal.text, /^\/dev\/pts\/\d+\r\n0\r\nx\r\n$/);

  const [input, output, error] = [new PassThrough(), new Output(), new Output()];
  const forward = await daemon.runtime.portForward({ podSandboxId: pod.id, port: [81] });
  const forwarded = await forwardByUrl(forward.url, 81, input, output, error);
  input.write('GET / HTTP/1.0\r\n\r\n');
  await forwarded.over();
  assert.match(output.text, /It works/, error.text);

  const stdin = new PassThrough();
  const stdout = new Output();
  const attach = await daemon.runtime.attach({ ...choice, tty: false, stderr: true });
  const attachment = await attachByUrl(attach.url, { stdin, stdout, stderr: new Output() });
  stdin.write('one\n');
  await until('the answer', () => Promise.resolve(stdout.text === 'got one\n'));
  stdin.end();
  assert.equal((await attachment.over()).status?.status, 'Success');
  await waitForExit(daemon, id);
});

test('figures of the pod and of its writable layer are told', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const id = await runContainer(daemon, pod, shell('head -c 3000000 /dev/urandom > /big; echo written; sleep 1000'));
  await waitForOutput(daemon, id, 'written');
  const { stats } = await daemon.runtime.containerStats({ containerId: id });
  assert.ok((stats?.writableLayer?.usedBytes?.value ?? 0n) >= 3_000_000n, String(stats?.writableLayer?.usedBytes?.value));
  assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n);
  const ofPod = (await daemon.runtime.podSandboxStats({ podSandboxId: pod.id })).stats?.linux;
  assert.equal(ofPod?.network?.defaultInterface?.name, 'eth0');
  assert.ok((ofPod.network.defaultInterface.rxBytes?.value ?? 0n) > 0n);
});

test('in a pod with a shared PID namespace the infra process is of the pod too', async (daemon) => {
  const pod = await runPod(daemon, withUsers({ pid: NamespaceMode.POD }));
  const first = await runContainer(daemon, pod, idle, { name: 'first' });
  const second = await runContainer(daemon, pod, ['sleep', '4321'], { name: 'second' });
  const [pause] = (await execOutput(daemon, first, shell('ps -o pid,user,args'))).split('\n').filter((line) => line.includes('/pause'));
  assert.match(pause ?? '', /^ *1 65535 +\/pause$/);
  assert.match(
    await execOutput(
      daemon,
      first,
      shell('ps -o args; kill -0 $(ps -o pid,args | grep "[s]leep 4321" | sed "s/^ *//; s/ .*//") && echo reachable'),
    ),
    /sleep 4321[^]*reachable/,
  );
  await daemon.runtime.stopContainer({ containerId: second, timeout: 0n });
});

test("a pod on the node's network has a user namespace too, with the node's /sys to read", async (daemon) => {
  const { features } = await daemon.runtime.status({ verbose: false });
  assert.equal(features?.userNamespacesHostNetwork, true);
  const pod = await runPod(daemon, withUsers({ network: NamespaceMode.NODE }));
  const id = await runContainer(daemon, pod, idle);
  assert.match(await execOutput(daemon, id, shell('cat /proc/self/uid_map')), new RegExp(`0 +${BASE} +${MAPPING.length}`));
  const links = async (): Promise<string[]> => (await readdir('/sys/class/net')).sort();
  assert.deepEqual((await execOutput(daemon, id, ['ls', '/sys/class/net'])).split('\n').sort(), await links());
  assert.notEqual((await daemon.runtime.execSync({ containerId: id, cmd: [...shell('echo x > /sys/kernel/uevent_helper')], timeout: 5n })).exitCode, 0); // prettier-ignore
  // The network is not the pod's: root of the pod may not change it.
  const denied = await daemon.runtime.execSync({ containerId: id, cmd: ['ip', 'link', 'set', 'lo', 'down'], timeout: 5n });
  assert.notEqual(denied.exitCode, 0);
});

test('a pod goes on over a restart and a kill -9 of the daemon; SIGTERM reaches it, and its exit code is told', async (daemon) => {
  const pod = await runPod(daemon, withUsers());
  const id = await runContainer(daemon, pod, idle);
  await waitForOutput(daemon, id, 'ready');
  for (const end of ['SIGTERM', 'SIGKILL'] as const) {
    await daemon.stop(end);
    await daemon.start();
    assert.equal(await execOutput(daemon, id, shell('echo alive > /dev/stdout')), 'alive', end);
  }
  const next = await runContainer(daemon, pod, idle, { name: 'next' });
  assert.equal((await ownersInside(daemon, next, '/etc/passwd'))[0], '0:0');
  await daemon.runtime.stopContainer({ containerId: id, timeout: 10n });
  assert.equal((await containerStatus(daemon, id)).exitCode, 5);
});

test('pods have the ids that each is given', async (daemon) => {
  const other = { ...MAPPING, hostId: BASE + 65_536, length: 70_000 };
  const pods = await Promise.all([runPod(daemon, withUsers()), runPod(daemon, withUsers({}, other))]);
  const ids = await Promise.all(pods.map(async (pod) => runContainer(daemon, pod, shell('touch /f; sleep 1000'))));
  for (const [index, id] of ids.entries()) {
    await until('the file is there', async () => (await readdir(upperOf(daemon, id))).includes('f'));
    assert.equal(await ownerOutside(join(upperOf(daemon, id), 'f')), index === 0 ? `${BASE}:${BASE}` : `${BASE + 65_536}:${BASE + 65_536}`); // prettier-ignore
  }
});

e2eTest(
  'with a runtime that cannot, it is not advertised, and refused by the name of the runtime',
  async (daemon) => {
    const { runtimeHandlers } = await daemon.runtime.status({ verbose: false });
    assert.deepEqual(runtimeHandlers.map(({ features }) => features?.userNamespaces), [false, false]); // prettier-ignore
    const failure = await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon, withUsers()), runtimeHandler: '' }));
    assert.deepEqual(failure, {
      code: 'FAILED_PRECONDITION',
      message:
        'run pod sandbox: it asks for a user namespace (hostUsers: false), but /usr/bin/true, the runtime of handler "runc", does not say in its features that it has id-mapped mounts, as runc 1.2 or crun 1.9 and later do',
    });
  },
  { args: ['--runtime', 'runc=/usr/bin/true'] },
);
