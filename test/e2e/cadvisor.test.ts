// long: 60 s
/** cAdvisor finds names, networks and what containers have written, as on a CRI-O node: docs/cadvisor.md. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { access, lstat, readFile, readlink, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureDir } from 'fs-extra/esm';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { connect } from '../../src/cli/cri-client.ts';
import { askAsCadvisor, cadvisorContainer, cadvisorSocket, configureCadvisor } from '../support/cadvisor.ts';
import { cgroupOf, directoryOf, isThere, isV1, pidOf } from '../support/cgroup-files.ts';
import { settleBridge } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf } from '../support/e2e-test.ts';
import { containerStatus, execOutput, failureOf, podConfig, removePod, runContainer, runPod, shell, until, waitForOutput } from '../support/pods.ts'; // prettier-ignore
import type { Pod } from '../support/pods.ts';
import { removeCgroups } from '../support/sweep.ts';
import { IMAGES } from '../support/test-image.ts';

const SLEEP = ['sleep', '3600'];
const parentOf = (pod: Pod): string => pod.config.linux?.cgroupParent ?? '';
/** Of a pod or a container. */
const crioCgroup = (pod: Pod, id: string): string => `${parentOf(pod)}/crio-${id}.scope`;

async function switchOn(daemon: TestDaemon): Promise<void> {
  await configureCadvisor(daemon, true);
  await daemon.restart();
}

/** The network namespace of a process. */
const networkOf = async (pid: number): Promise<string> => readlink(`/proc/${pid}/ns/net`);

e2eTest('cAdvisor is told names, images, networks and what was written, and the CRI is served on the same socket', async (daemon) => {
  await switchOn(daemon);
  const socket = cadvisorSocket(daemon);
  const storage = join(daemon.root, 'storage');
  const info = await askAsCadvisor(socket, '/info');
  const { default_id_mappings: mappings, ...rest } = info.body as Record<string, unknown>;
  assert.equal(typeof mappings, 'object');
  const driver = isV1 ? 'cgroupfs' : rest['cgroup_driver'];
  assert.deepEqual(rest, { storage_driver: 'overlay', storage_image: storage, storage_root: storage, cgroup_driver: driver });

  const pod = await runPod(daemon, { name: 'named' });
  const { name, uid } = pod.config.metadata ?? {};
  assert.equal(await isThere(crioCgroup(pod, pod.id)), true, 'the cgroup of the network');
  assert.equal((await cadvisorContainer(daemon, pod.id)).pid, 0, 'nothing runs in the pod');
  const script = 'head -c 3000000 /dev/zero >/written; echo ready; sleep 3600';
  const id = await runContainer(daemon, pod, shell(script), { name: 'app', attempt: 2 });
  await waitForOutput(daemon, id, 'ready');
  const pid = await pidOf(daemon, id);
  assert.equal(await cgroupOf(pid), crioCgroup(pod, id));

  const told = await cadvisorContainer(daemon, id);
  const names = { 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': 'e2e', 'io.kubernetes.pod.uid': uid };
  assert.deepEqual(told.labels, { ...names, 'io.kubernetes.container.name': 'app' });
  assert.deepEqual([told.pid, told.image, told.name], [pid, IMAGES.busybox, `k8s_app_named_e2e_${uid}_2`]);
  assert.equal(told.annotations['io.kubernetes.container.restartCount'], '2');
  assert.match(await readFile(told.log_path, 'utf8'), /ready/);
  assert.ok((await lstat(join(told.root, 'diff'))).isDirectory(), 'a directory, not a link: cAdvisor follows none');
  assert.equal((await stat(join(told.root, 'diff/written'))).size, 3_000_000);
  assert.ok(told.root.startsWith(`${storage}/`));

  const ofPod = await cadvisorContainer(daemon, pod.id);
  assert.deepEqual(ofPod.labels, { ...names, 'io.kubernetes.container.name': 'POD' });
  assert.deepEqual([ofPod.pid, ofPod.name], [pid, `k8s_POD_named_e2e_${uid}_0`]);
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
  assert.deepEqual(ofPod.ip_addresses, [status?.network?.ip]);
  assert.deepEqual(await readdir(join(ofPod.root, 'diff')), []);

  // The pid that ends is followed by that of another container on the same network.
  const second = await runContainer(daemon, pod, SLEEP, { name: 'second' });
  const network = await networkOf(pid);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
  const next = (await cadvisorContainer(daemon, pod.id)).pid;
  assert.deepEqual([next, await networkOf(next)], [await pidOf(daemon, second), network]);

  // What is not a container to cAdvisor must not look like one.
  const wanted = [`crio-${pod.id}.scope`, `crio-${second}.scope`].toSorted();
  const named = async (): Promise<string[]> => {
    const cgroups = await readdir(directoryOf(parentOf(pod)), { withFileTypes: true });
    return cgroups.flatMap((entry) => (entry.isDirectory() && entry.name.startsWith('crio') ? [entry.name] : [])).toSorted();
  };
  // That of the container that was stopped goes a moment after its end.
  await until('its cgroup goes', async () => (await named()).length <= wanted.length);
  assert.deepEqual(await named(), wanted);

  for (const [path, method] of [
    [`/containers/${'0'.repeat(64)}`, 'GET'],
    ['/config', 'GET'],
    ['/info', 'POST'],
    [`/pause/${id}`, 'GET'],
  ] as const)
    // prettier-ignore
    assert.equal((await askAsCadvisor(socket, path, method)).status, 404, path);
  const client = connect(socket);
  try {
    assert.equal((await client.runtime.version()).runtimeName, (await daemon.runtime.version()).runtimeName);
    assert.deepEqual(await client.runtime.listPodSandbox({}), await daemon.runtime.listPodSandbox({}));
    const { stdout } = await client.runtime.execSync({ containerId: second, cmd: ['echo', 'hi'], timeout: 10n });
    assert.equal(Buffer.from(stdout).toString(), 'hi\n');
    const { stats } = await client.runtime.containerStats({ containerId: second });
    assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n);
  } finally {
    client.close();
  }
  await removePod(daemon, pod.id);
  assert.equal(await isThere(crioCgroup(pod, pod.id)), false);
});

e2eTest('a request in pieces is served, and clients that say nothing hold up nobody, not the end of the daemon either', async (daemon) => {
  await switchOn(daemon);
  const socket = cadvisorSocket(daemon);
  const silent = Array.from({ length: 20 }, () => connectSocket(socket));
  await Promise.all(silent.map(async (client) => once(client, 'connect')));
  const slow = connectSocket(socket);
  for (const piece of ['G', 'ET /in', 'fo HTTP/1.1\r\nhost: crio\r\n', '\r\n']) {
    slow.write(piece);
    await sleep(50);
  }
  const [answer] = (await once(slow, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 [\s\S]*"storage_driver":"overlay"/);
  const ended = Promise.all([...silent, slow].map(async (client) => once(client, 'close')));
  for (const client of silent) client.on('error', () => undefined);
  const begun = Date.now();
  await daemon.stop();
  assert.ok(Date.now() - begun < 5000, 'the end of the daemon');
  await ended;
  await assert.rejects(access(socket));
});

e2eTest('a pod with an infra container is told by that one, whose cgroup has the name', async (daemon) => {
  await switchOn(daemon);
  const pod = await runPod(daemon, { namespaces: { pid: NamespaceMode.POD } });
  const { pid, labels } = await cadvisorContainer(daemon, pod.id);
  assert.equal(labels['io.kubernetes.container.name'], 'POD');
  assert.equal(await cgroupOf(pid), crioCgroup(pod, pod.id));
  await daemon.kill9();
  await daemon.start();
  assert.equal((await cadvisorContainer(daemon, pod.id)).pid, pid);
  await removePod(daemon, pod.id);
  assert.equal(await isThere(crioCgroup(pod, pod.id)), false);
});

e2eTest('after kill -9 everything is told as before, and goes with the pod', async (daemon) => {
  await switchOn(daemon);
  const earlier = await inventoryOf(daemon);
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  const before = [await cadvisorContainer(daemon, id), await cadvisorContainer(daemon, pod.id)];
  await daemon.kill9();
  await daemon.start();
  assert.deepEqual([await cadvisorContainer(daemon, id), await cadvisorContainer(daemon, pod.id)], before);
  await daemon.cli('check', '--leaks');
  await daemon.runtime.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: 64n << 20n } });
  const limit = join(directoryOf(crioCgroup(pod, id)), isV1 ? 'memory.limit_in_bytes' : 'memory.max');
  assert.equal((await readFile(limit, 'utf8')).trim(), String(64 << 20));
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  assert.equal(await isThere(crioCgroup(pod, pod.id)), false, 'it goes with the stop');
  await removePod(daemon, pod.id);
  await assertNothingNew(daemon, earlier);
});

e2eTest('a daemon that was killed while it made or removed the cgroup of a network leaves none', async (daemon) => {
  await settleBridge(daemon);
  await configureCadvisor(daemon, true);
  await daemon.restart();
  const earlier = await inventoryOf(daemon);
  for (const mark of ['linked', 'made', 'removed']) {
    const config = podConfig(daemon);
    await daemon.restart({ PODWRIGHT_KILL_AT: `sandbox.network-cgroup.${mark}` });
    const { podSandboxId } = await daemon.runtime.runPodSandbox({ config, runtimeHandler: '' }).catch(() => ({ podSandboxId: '' }));
    if (mark === 'removed') await failureOf(daemon.runtime.stopPodSandbox({ podSandboxId }));
    await daemon.ended();
    await daemon.start();
    await until('the cgroup is gone', async () => (await daemon.runtime.listPodSandbox({})).items.length === (mark === 'removed' ? 1 : 0));
    if (mark === 'removed') await removePod(daemon, podSandboxId);
    await removeCgroups(config.linux?.cgroupParent ?? '');
    await assertNothingNew(daemon, earlier);
  }
});

e2eTest('a pod whose record is lost: its cgroup is told as a leak, and the next start removes it', async (daemon) => {
  await switchOn(daemon);
  const kept = await runPod(daemon);
  const lost = await runPod(daemon);
  const id = await runContainer(daemon, lost, SLEEP);
  await daemon.kill9();
  await rm(join(daemon.root, 'sandboxes', lost.id, 'record.json'));
  await rm(join(daemon.root, 'containers', id, 'record.json'));
  await daemon.start();
  await until('its cgroups are gone', async () => !(await isThere(crioCgroup(lost, lost.id))) && !(await isThere(crioCgroup(lost, id))));
  assert.match(await readFile(daemon.logFile, 'utf8'), new RegExp(`removed what no record claims: network cgroup .*${lost.id}`));
  assert.equal(await isThere(crioCgroup(kept, kept.id)), true);
  await until('no leak is told', async () => daemon.cli('check', '--leaks').then(() => true, () => false)); // prettier-ignore
  await removeCgroups(parentOf(lost));
});

e2eTest('switched on and off under running containers: each keeps its cgroup, and new ones are named by the key', async (daemon) => {
  const pod = await runPod(daemon);
  const own = await runContainer(daemon, pod, SLEEP, { name: 'own' });
  const ownCgroup = `${parentOf(pod)}/${own}`;
  assert.equal(await cgroupOf(await pidOf(daemon, own)), ownCgroup);
  await switchOn(daemon);
  const named = await runContainer(daemon, pod, SLEEP, { name: 'named' });
  assert.equal(await cgroupOf(await pidOf(daemon, named)), crioCgroup(pod, named));
  assert.equal((await cadvisorContainer(daemon, own)).pid, await pidOf(daemon, own));
  await configureCadvisor(daemon, false);
  await daemon.kill9();
  await rm(cadvisorSocket(daemon), { force: true });
  await daemon.start();
  const last = await runContainer(daemon, pod, SLEEP, { name: 'last' });
  assert.equal(await cgroupOf(await pidOf(daemon, last)), `${parentOf(pod)}/${last}`);
  await assert.rejects(access(cadvisorSocket(daemon)));
  for (const [id, cgroup] of [
    [own, ownCgroup],
    [named, crioCgroup(pod, named)],
  ] as const) {
    // prettier-ignore
    assert.equal(await execOutput(daemon, id, ['echo', 'hi']), 'hi');
    const { stats } = await daemon.runtime.containerStats({ containerId: id });
    assert.ok((stats?.memory?.workingSetBytes?.value ?? 0n) > 0n, 'its figures');
    const pid = await pidOf(daemon, id);
    await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
    await until('its cgroup is gone', async () => !(await isThere(cgroup)));
    assert.equal((await containerStatus(daemon, id)).exitCode, 137, String(pid));
    await daemon.runtime.removeContainer({ containerId: id });
  }
});

e2eTest('a socket on which another runtime answers is left to it, and cgroups are named as without the key', async (daemon) => {
  const socket = cadvisorSocket(daemon);
  await ensureDir(join(socket, '..'));
  const other = createServer((connection) => connection.on('error', () => undefined).end('theirs'));
  await once(other.listen(socket), 'listening');
  try {
    const before = await stat(socket);
    await switchOn(daemon);
    assert.match(await readFile(daemon.logFile, 'utf8'), /WARN.*cAdvisor gets no names.*a process listens there already/i);
    const fault = `cAdvisor gets no names of pods and containers: ${socket}: `;
    assert.ok(
      (await daemon.cli('status')).split('\n').some((line) => line.startsWith(fault) && /a process listens there already/.test(line)),
    );
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP);
    assert.equal(await cgroupOf(await pidOf(daemon, id)), `${parentOf(pod)}/${id}`);
    assert.equal(await isThere(crioCgroup(pod, pod.id)), false);
    await daemon.restart();
    assert.equal((await stat(socket)).ino, before.ino);
    const client = connectSocket(socket);
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.equal(answer.toString(), 'theirs');
    client.destroy();
  } finally {
    other.close();
  }
  // Nobody answers any more: it is in the way of nobody.
  await daemon.restart();
  assert.equal((await askAsCadvisor(socket, '/info')).status, 200);
  assert.doesNotMatch(await daemon.cli('status'), /cAdvisor/);
});

e2eTest('the socket of the CRI in the place of the one for cAdvisor, by another name: the CRI is served', async (daemon) => {
  const link = join(daemon.directory, 'link');
  await symlink(daemon.directory, link);
  await configureCadvisor(daemon, true, join(link, 'cri.sock'));
  await daemon.restart();
  assert.match(await readFile(daemon.logFile, 'utf8'), /WARN.*cAdvisor gets no names/i);
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  assert.equal(await cgroupOf(await pidOf(daemon, id)), `${parentOf(pod)}/${id}`);
});

e2eTest('a process that somebody has put into the cgroup of a network does not keep the pod from ending', async (daemon) => {
  await switchOn(daemon);
  const pod = await runPod(daemon);
  const stray = execa('sleep', ['3600'], { reject: false });
  try {
    await writeFile(join(directoryOf(crioCgroup(pod, pod.id)), 'cgroup.procs'), String(stray.pid));
    await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
    assert.equal(await isThere(crioCgroup(pod, pod.id)), false);
  } finally {
    stray.kill('SIGKILL');
    await stray;
  }
});
