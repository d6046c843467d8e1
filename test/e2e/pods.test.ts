import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { ContainerState, NamespaceMode, PodSandboxState } from '../../api/cri/enums.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import {
  containerStatus,
  createContainer,
  execOutput,
  failureOf,
  podAddress,
  podConfig,
  runContainer,
  runPod,
  shell,
  untilPage,
} from '../support/pods.ts';

const test = sharedDaemon();
const SLEEP = ['sleep', '3600'];

test('RunPodSandbox gives a READY sandbox whose status returns what was asked for', async (daemon) => {
  const pod = await runPod(daemon, { name: 'status', attempt: 3 });
  const { status, info } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: true });

  assert.ok(status);
  assert.match(status.id, /^[0-9a-f]{64}$/);
  assert.equal(status.state, PodSandboxState.SANDBOX_READY);
  assert.deepEqual({ ...status.metadata }, pod.config.metadata);
  assert.deepEqual(status.labels, pod.config.labels);
  assert.deepEqual(status.annotations, pod.config.annotations);
  const { network, pid, ipc } = status.linux?.namespaces?.options ?? {};
  assert.deepEqual({ network, pid, ipc }, pod.config.linux?.securityContext?.namespaceOptions);
  assert.ok(Math.abs(Number(status.createdAt / 1_000_000n) - Date.now()) < 60_000, 'createdAt is not in nanoseconds since 1970');
  assert.ok(Object.keys(info).length > 0, 'verbose gives no info');
  for (const text of Object.values(info)) JSON.parse(text);
});

test('a pod has an address on the bridge, recorded by host-local, and freed by StopPodSandbox', async (daemon) => {
  const pod = await runPod(daemon);
  const address = await podAddress(daemon, pod.id);
  const recorded = await readdir(`${daemon.cniDataDir}/${daemon.network}`);
  assert.ok(recorded.includes(address), `${address} is not among host-local's records ${recorded.join(' ')}`);

  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  assert.ok(!(await readdir(`${daemon.cniDataDir}/${daemon.network}`)).includes(address), `${address} is still taken`);
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
  assert.equal(status?.state, PodSandboxState.SANDBOX_NOTREADY);
});

test('the node reaches a server in the pod by its address, and two pods reach each other', async (daemon) => {
  const server = await runPod(daemon, { name: 'server' });
  await runContainer(daemon, server, ['httpd', '-f', '-p', '80', '-h', '/www']);
  const address = await podAddress(daemon, server.id);
  assert.match(await untilPage(`http://${address}/`), /It works/);

  const client = await runPod(daemon, { name: 'client' });
  const id = await runContainer(daemon, client, SLEEP);
  assert.match(await execOutput(daemon, id, ['wget', '-q', '-O', '-', `http://${address}/`]), /It works/);
});

test('ListPodSandbox filters by id prefix, state and labels; a strange id gives an empty list', async (daemon) => {
  const first = await runPod(daemon, { name: 'first' });
  const second = await runPod(daemon, { name: 'second' });
  await daemon.runtime.stopPodSandbox({ podSandboxId: second.id });
  const list = async (filter: object): Promise<string[]> =>
    (await daemon.runtime.listPodSandbox({ filter })).items.map((item) => item.id).sort();

  assert.deepEqual(await list({}), [first.id, second.id].sort());
  assert.deepEqual(await list({ id: first.id.slice(0, 13) }), [first.id]);
  assert.deepEqual(await list({ state: { state: PodSandboxState.SANDBOX_READY } }), [first.id]);
  assert.deepEqual(await list({ state: { state: PodSandboxState.SANDBOX_NOTREADY } }), [second.id]);
  assert.deepEqual(await list({ labelSelector: { 'io.kubernetes.pod.name': 'second' } }), [second.id]);
  assert.deepEqual(await list({ labelSelector: { 'io.kubernetes.pod.name': 'second' }, id: first.id }), []);
  assert.deepEqual(await list({ id: 'f'.repeat(64) }), []);
});

test('an id prefix that is unique names its sandbox', async (daemon) => {
  const pod = await runPod(daemon);
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id.slice(0, 12) });

  assert.equal(status?.id, pod.id);
});

test('RunPodSandbox refuses an unknown runtime handler and names those it knows', async (daemon) => {
  const { message } = await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon), runtimeHandler: 'no-such' }));

  assert.match(message, /no-such/);
  assert.match(message, /runc/);
});

test('RunPodSandbox refuses a config without metadata, and a group without a user', async (daemon) => {
  const config = podConfig(daemon);
  assert.equal((await failureOf(daemon.runtime.runPodSandbox({ config: { ...config, metadata: undefined } }))).code, 'INVALID_ARGUMENT');

  const securityContext = { ...config.linux?.securityContext, runAsGroup: { value: 5n } };
  const { code } = await failureOf(daemon.runtime.runPodSandbox({ config: { ...config, linux: { ...config.linux, securityContext } } }));
  assert.equal(code, 'INVALID_ARGUMENT');
});

test('attempt is part of the identity: the next one is another sandbox', async (daemon) => {
  const first = await runPod(daemon, { name: 'again', uid: 'uid-again', attempt: 0 });
  await daemon.runtime.stopPodSandbox({ podSandboxId: first.id });
  const second = await runPod(daemon, { name: 'again', uid: 'uid-again', attempt: 1 });

  assert.notEqual(second.id, first.id);
});

test('containers of a pod share network, hostname and shared memory, and each has its own processes', async (daemon) => {
  const pod = await runPod(daemon, { name: 'shared' });
  const a = await runContainer(daemon, pod, SLEEP, { name: 'a' });
  const b = await runContainer(daemon, pod, SLEEP, { name: 'b' });
  const namespace = async (id: string, kind: string): Promise<string> => execOutput(daemon, id, ['readlink', `/proc/self/ns/${kind}`]);

  for (const kind of ['net', 'ipc', 'uts']) {
    assert.equal(await namespace(a, kind), await namespace(b, kind), kind);
    assert.notEqual(await namespace(a, kind), await readlink(`/proc/self/ns/${kind}`), `${kind} is the node's`);
  }
  for (const kind of ['pid', 'mnt']) assert.notEqual(await namespace(a, kind), await namespace(b, kind), kind);
  await execOutput(daemon, a, shell('echo from-a >/dev/shm/note'));
  assert.equal(await execOutput(daemon, b, ['cat', '/dev/shm/note']), 'from-a');
  assert.equal(await execOutput(daemon, b, ['hostname']), 'shared');
  assert.equal(await execOutput(daemon, b, ['cat', '/etc/hostname']), 'shared');
  assert.match(await execOutput(daemon, a, shell('tr "\\0" " " </proc/1/cmdline')), /^sleep 3600/);
});

test("resolv.conf is made of the DNS config; an empty one is none, and gives the node's", async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  const lines = (await execOutput(daemon, id, ['cat', '/etc/resolv.conf'])).split('\n');
  assert.deepEqual(lines.sort(), ['nameserver 10.96.0.10', 'options ndots:5', 'search e2e.svc.cluster.local cluster.local']);

  const empty = await runPod(daemon, { change: { dnsConfig: { servers: [], searches: [], options: [] } } });
  const other = await runContainer(daemon, empty, SLEEP);
  // Without a DNS config at all: the same, also where the node's own resolver is on its loopback.
  const without = await runContainer(daemon, await runPod(daemon, { change: { dnsConfig: undefined } }), SLEEP);
  const seen = await execOutput(daemon, other, ['cat', '/etc/resolv.conf']);
  assert.match(seen, /^nameserver /m);
  assert.equal(seen, await execOutput(daemon, without, ['cat', '/etc/resolv.conf']));
});

test('loopback is up in a pod', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);

  assert.match(await execOutput(daemon, id, ['ip', 'addr', 'show', 'dev', 'lo']), /LOOPBACK,UP[^]*inet 127\.0\.0\.1/);
});

test('a pod on the node network has the node name and no address of its own', async (daemon) => {
  const pod = await runPod(daemon, { namespaces: { network: NamespaceMode.NODE }, change: { hostname: '' } });
  const id = await runContainer(daemon, pod, SLEEP);
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });

  assert.equal(status?.network?.ip ?? '', '');
  assert.equal(status?.linux?.namespaces?.options?.network, NamespaceMode.NODE);
  assert.equal(await execOutput(daemon, id, ['readlink', '/proc/self/ns/net']), await readlink('/proc/self/ns/net'));
  assert.equal(await execOutput(daemon, id, ['hostname']), hostname());
});

test('a pod with the node pid and ipc namespaces sees the node processes', async (daemon) => {
  const pod = await runPod(daemon, { namespaces: { pid: NamespaceMode.NODE, ipc: NamespaceMode.NODE } });
  const id = await runContainer(daemon, pod, SLEEP);

  assert.equal(await execOutput(daemon, id, ['readlink', '/proc/self/ns/pid']), await readlink('/proc/self/ns/pid'));
  assert.equal(await execOutput(daemon, id, ['readlink', '/proc/self/ns/ipc']), await readlink('/proc/self/ns/ipc'));
});

test('a pod with a shared pid namespace: its containers see each other, and orphans are reaped', async (daemon) => {
  const pod = await runPod(daemon, { namespaces: { pid: NamespaceMode.POD } });
  const a = await runContainer(daemon, pod, ['sleep', '1111'], { name: 'a' });
  const b = await runContainer(daemon, pod, ['sleep', '2222'], { name: 'b' });
  const processes = await execOutput(daemon, a, ['ps', '-o', 'args']);

  assert.match(processes, /sleep 1111/);
  assert.match(processes, /sleep 2222/);
  await execOutput(daemon, b, shell('(sleep 0.2 &) ; sleep 1'));
  assert.doesNotMatch(await execOutput(daemon, b, shell('cat /proc/[0-9]*/stat 2>/dev/null | cut -d" " -f3')), /Z/);
  assert.equal((await containerStatus(daemon, a)).state, ContainerState.CONTAINER_RUNNING);
});

test('StopPodSandbox ends running containers, RemovePodSandbox removes all; both may be repeated', async (daemon) => {
  const pod = await runPod(daemon);
  const running = await runContainer(daemon, pod, shell('trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done'), {
    name: 'running',
  });
  const created = await createContainer(daemon, pod, SLEEP, { name: 'created' });

  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  assert.equal((await containerStatus(daemon, running)).state, ContainerState.CONTAINER_EXITED);
  assert.notEqual((await containerStatus(daemon, created)).state, ContainerState.CONTAINER_RUNNING);
  const late = await failureOf(createContainer(daemon, pod, SLEEP, { name: 'late' }));
  assert.notEqual(late.message, '');

  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  assert.equal((await failureOf(daemon.runtime.podSandboxStatus({ podSandboxId: pod.id }))).code, 'NOT_FOUND');
  assert.equal((await failureOf(daemon.runtime.containerStatus({ containerId: running }))).code, 'NOT_FOUND');
  assert.deepEqual((await daemon.runtime.listContainers({})).containers, []);
});

test('RemovePodSandbox without a stop takes everything down by itself', async (daemon) => {
  const pod = await runPod(daemon);
  await runContainer(daemon, pod, SLEEP);

  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  assert.deepEqual((await daemon.runtime.listPodSandbox({})).items, []);
});

test('a safe sysctl of the pod is set in its namespace', async (daemon) => {
  const config = podConfig(daemon);
  const linux = { ...config.linux, sysctls: { 'net.ipv4.ip_local_port_range': '20000 20100', 'kernel.shm_rmid_forced': '1' } };
  const pod = await runPod(daemon, { change: { linux } });
  const id = await runContainer(daemon, pod, SLEEP);

  assert.equal(await execOutput(daemon, id, ['cat', '/proc/sys/net/ipv4/ip_local_port_range']), '20000\t20100');
  assert.equal(await execOutput(daemon, id, ['cat', '/proc/sys/kernel/shm_rmid_forced']), '1');
});

test('a sysctl of the whole node, and one of a namespace that the pod has not got, are refused with their names', async (daemon) => {
  const ofNode = { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE };
  for (const [sysctl, namespaces] of [
    ['vm.swappiness', {}],
    ['kernel.panic', {}],
    ['no.such.thing', {}],
    ['net.ipv4.ip_forward', ofNode],
    ['kernel.shmmax', ofNode],
  ] as const) {
    const config = podConfig(daemon, { namespaces });
    const linux = { ...config.linux, sysctls: { [sysctl]: '1' } };
    const { code, message } = await failureOf(daemon.runtime.runPodSandbox({ config: { ...config, linux } }));
    assert.equal(code, 'INVALID_ARGUMENT', sysctl);
    assert.match(message, new RegExp(sysctl.replaceAll('.', '\\.')));
  }
  assert.deepEqual((await daemon.runtime.listPodSandbox({})).items, []);
});

test('a host port reaches the pod', async (daemon) => {
  const pod = await runPod(daemon, { change: { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 18_080, hostIp: '' }] } });
  await runContainer(daemon, pod, ['httpd', '-f', '-p', '80', '-h', '/www']);
  const gateway = networkInterfaces()[daemon.bridge]?.find((entry) => entry.family === 'IPv4')?.address;
  assert.ok(gateway, `${daemon.bridge} has no address`);

  assert.match(await untilPage(`http://${gateway}:18080/`), /It works/);
});
