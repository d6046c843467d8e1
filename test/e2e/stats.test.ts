/** Stats of containers and pods against what the kernel says: cgroup files, interfaces, the writable layer on disk. */
// long: 30 s
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerStats, PodSandboxStats } from '../../api/cri/runtime.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { execOutput, failureOf, podAddress, removePod, runContainer, runPod, shell, untilPage, waitForExit, waitForOutput } from '../support/pods.ts'; // prettier-ignore
import type { Pod } from '../support/pods.ts';

const test = sharedDaemon();

const SLEEP = ['sleep', '3600'];
const BUSY = shell('while :; do :; done');
const SECOND_NS = 1_000_000_000;

async function containerStats(daemon: TestDaemon, containerId: string): Promise<ContainerStats> {
  const { stats } = await daemon.runtime.containerStats({ containerId });
  return stats ?? assert.fail(`ContainerStats ${containerId}: no stats`);
}

async function podStats(daemon: TestDaemon, podSandboxId: string): Promise<PodSandboxStats> {
  const { stats } = await daemon.runtime.podSandboxStats({ podSandboxId });
  return stats ?? assert.fail(`PodSandboxStats ${podSandboxId}: no stats`);
}

function assertRecent(timestampNs: bigint | undefined): void {
  const ageMs = Date.now() - Number((timestampNs ?? 0n) / 1_000_000n);
  assert.ok(Math.abs(ageMs) < 5_000, `the timestamp is ${ageMs} ms old`);
}

/** A figure of ours must lie between the kernel's before and after it, when the figure only grows. */
function assertBetween(what: string, low: bigint, figure: bigint | undefined, high: bigint): void {
  assert.ok(figure !== undefined && figure >= low && figure <= high, `${what} is ${figure ?? 'not given'}, must be ${low} to ${high}`);
}

async function cpuNs(pid: number): Promise<bigint> {
  const text = await cgroupFile(pid, ['cpuacct.usage', 'cpu.stat']);
  const usec = /^usage_usec (\d+)/m.exec(text)?.[1];
  return usec === undefined ? BigInt(text) : BigInt(usec) * 1000n;
}

test('processor time is that of the cgroup, and the rate is that of the last seconds', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), BUSY);
  const pid = await pidOf(daemon, id);
  await sleep(1000);
  const from = { atMs: Date.now(), ns: await cpuNs(pid) };
  const first = await containerStats(daemon, id);
  assertBetween('usageCoreNanoSeconds', from.ns, first.cpu?.usageCoreNanoSeconds?.value, await cpuNs(pid));
  assertRecent(first.cpu?.timestamp);
  await sleep(2000);
  const second = await containerStats(daemon, id);
  const rate = (Number((await cpuNs(pid)) - from.ns) / (Date.now() - from.atMs)) * 1000;

  const nanoCores = Number(second.cpu?.usageNanoCores?.value ?? 0n);
  assert.ok(Math.abs(nanoCores - rate) < 0.3 * rate, `the rate is ${nanoCores}, must be near ${rate}`);
  assert.ok(nanoCores <= availableParallelism() * SECOND_NS * 1.1, `the rate is ${nanoCores}, which this machine has not got`);
});

test('an idle container has a rate near zero', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  await containerStats(daemon, id);
  await sleep(1500);

  const { cpu } = await containerStats(daemon, id);
  assert.ok(cpu?.usageNanoCores, 'no rate');
  assert.ok(cpu.usageNanoCores.value < SECOND_NS / 20, `the rate is ${cpu.usageNanoCores.value}`);
});

test('memory is that of the cgroup: usage, working set without the page cache, what is left of the limit', async (daemon) => {
  const limit = 256n << 20n;
  const id = await runContainer(daemon, await runPod(daemon), shell('head -c 40000000 /dev/zero >/file; cat /file >/dev/null; echo ready; sleep 3600'), { memoryBytes: limit }); // prettier-ignore
  await waitForOutput(daemon, id, 'ready');
  const pid = await pidOf(daemon, id);
  const usage = BigInt(await cgroupFile(pid, ['memory.usage_in_bytes', 'memory.current']));
  const stat = await cgroupFile(pid, ['memory.stat', 'memory.stat']);
  const of = (...names: string[]): bigint => BigInt(names.map((name) => new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1]).find((text) => text !== undefined) ?? assert.fail(`memory.stat has no ${names.join()}`)); // prettier-ignore
  const { memory } = await containerStats(daemon, id);

  assert.ok(memory, 'no memory stats');
  assertRecent(memory.timestamp);
  const slack = 8n << 20n;
  assertBetween('usageBytes', usage - slack, memory.usageBytes?.value, usage + slack);
  assert.ok(usage > 40_000_000n, 'the page cache is not counted by the kernel');
  const working = usage - of('total_inactive_file', 'inactive_file');
  assertBetween('workingSetBytes', working - slack, memory.workingSetBytes?.value, working + slack);
  const rss = of('total_rss', 'anon');
  assertBetween('rssBytes', rss - slack < 0n ? 0n : rss - slack, memory.rssBytes?.value, rss + slack);
  assert.equal(memory.availableBytes?.value, limit - (memory.workingSetBytes?.value ?? 0n));
  assert.ok((memory.pageFaults?.value ?? 0n) > 0n, 'no page faults');
});

test('without a memory limit nothing is said about what is left', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);

  assert.equal((await containerStats(daemon, id)).memory?.availableBytes, undefined);
});

test('the writable layer is what the container has written, on the file system that ImageFsInfo names', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  const before = (await containerStats(daemon, id)).writableLayer;
  await execOutput(daemon, id, shell('head -c 5000000 /dev/zero >/written; mkdir /d; for i in 1 2 3 4 5; do echo >/d/$i; done'));
  const { containerFilesystems } = await daemon.images.imageFsInfo({});

  let layer = (await containerStats(daemon, id)).writableLayer;
  for (let round = 0; round < 100 && (layer?.usedBytes?.value ?? 0n) < 5_000_000n; round += 1) {
    await sleep(200);
    layer = (await containerStats(daemon, id)).writableLayer;
  }
  assert.equal(layer?.fsId?.mountpoint, containerFilesystems[0]?.fsId?.mountpoint);
  assertRecent(layer?.timestamp);
  const beforeBytes = before?.usedBytes?.value ?? 0n;
  assertBetween('usedBytes', beforeBytes + 5_000_000n, layer?.usedBytes?.value, beforeBytes + 5_200_000n);
  const inodes = (layer?.inodesUsed?.value ?? 0n) - (before?.inodesUsed?.value ?? 0n);
  assertBetween('new inodes', 7n, inodes, 8n);
});

test('stats say whose they are; those of a container that has ended are its writable layer', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, ['true'], { name: 'short' });
  await waitForExit(daemon, id);
  const stats = await containerStats(daemon, id.slice(0, 12));

  assert.equal(stats.attributes?.id, id);
  assert.equal(stats.attributes.metadata?.name, 'short');
  assert.equal(stats.attributes.labels['io.kubernetes.pod.uid'], pod.config.metadata?.uid);
  assert.equal(stats.attributes.annotations['io.kubernetes.container.hash'], 'c0ffee00');
  assert.ok(stats.writableLayer?.usedBytes);
  assert.equal(stats.cpu, undefined);
  assert.equal((await failureOf(daemon.runtime.containerStats({ containerId: 'f'.repeat(64) }))).code, 'NOT_FOUND');
  assert.equal((await failureOf(daemon.runtime.podSandboxStats({ podSandboxId: 'f'.repeat(64) }))).code, 'NOT_FOUND');
});

test('stats of a pod: its containers together, its processes, and the traffic of its interface', async (daemon) => {
  const pod = await runPod(daemon);
  const server = await runContainer(daemon, pod, ['httpd', '-f', '-p', '80', '-h', '/www'], { name: 'server' });
  const busy = await runContainer(daemon, pod, BUSY, { name: 'busy' });
  const address = await podAddress(daemon, pod.id);
  await untilPage(`http://${address}/`);
  const { linux: before } = await podStats(daemon, pod.id);
  for (let round = 0; round < 20; round += 1) await untilPage(`http://${address}/`);
  await sleep(1000);
  const { attributes, linux } = await podStats(daemon, pod.id.slice(0, 16));

  assert.equal(attributes?.id, pod.id);
  assert.equal(attributes.metadata?.uid, pod.config.metadata?.uid);
  assert.deepEqual(linux?.containers.map((each) => each.attributes?.id).sort(), [server, busy].sort());
  const sum = linux.containers.reduce((total, each) => total + (each.cpu?.usageCoreNanoSeconds?.value ?? 0n), 0n);
  assert.ok((linux.cpu?.usageCoreNanoSeconds?.value ?? 0n) >= (sum * 9n) / 10n, 'the pod used less than its containers');
  assert.ok((linux.cpu?.usageNanoCores?.value ?? 0n) > 5_000_000n, 'the pod is idle');
  assert.ok((linux.memory?.workingSetBytes?.value ?? 0n) > 0n);
  assert.ok((linux.process?.processCount?.value ?? 0n) >= 2n);
  const [was, is] = [before?.network?.defaultInterface, linux.network?.defaultInterface];
  assert.equal(is?.name, 'eth0');
  assert.ok((is.rxBytes?.value ?? 0n) > (was?.rxBytes?.value ?? 0n) + 1000n, 'the requests were not received');
  assert.ok((is.txBytes?.value ?? 0n) > (was?.txBytes?.value ?? 0n) + 1000n, 'the answers were not sent');
  assertRecent(linux.network?.timestamp);
});

async function listed(daemon: TestDaemon, filter: object): Promise<string[]> {
  const { stats } = await daemon.runtime.listContainerStats({ filter });
  const streamed: string[] = [];
  for await (const message of daemon.runtime.streamContainerStats({ filter })) {
    assert.ok(message.containerStats.length > 0, 'an empty message');
    streamed.push(...message.containerStats.map((each) => each.attributes?.id ?? ''));
  }
  const ids = stats.map((each) => each.attributes?.id ?? '').sort();
  assert.deepEqual(streamed.sort(), ids, 'the stream differs from the list');
  return ids;
}

test('ListContainerStats gives running containers only, by id prefix, pod and labels', async (daemon) => {
  const [one, two] = [await runPod(daemon), await runPod(daemon)];
  const a = await runContainer(daemon, one, SLEEP, { name: 'a' });
  const b = await runContainer(daemon, one, SLEEP, { name: 'b' });
  const c = await runContainer(daemon, two, SLEEP, { name: 'c' });
  const ended = await runContainer(daemon, two, ['true'], { name: 'ended' });
  await waitForExit(daemon, ended);

  assert.deepEqual(await listed(daemon, {}), [a, b, c].sort());
  assert.deepEqual(await listed(daemon, { id: a }), [a]);
  assert.deepEqual(await listed(daemon, { id: b.slice(0, 20) }), [b]);
  assert.deepEqual(await listed(daemon, { podSandboxId: one.id }), [a, b].sort());
  assert.deepEqual(await listed(daemon, { podSandboxId: two.id.slice(0, 20) }), [c]);
  assert.deepEqual(await listed(daemon, { labelSelector: { 'io.kubernetes.container.name': 'b' } }), [b]);
  assert.deepEqual(await listed(daemon, { podSandboxId: two.id, labelSelector: { 'io.kubernetes.container.name': 'b' } }), []);
  assert.deepEqual(await listed(daemon, { id: ended }), []);
});

async function listedPods(daemon: TestDaemon, filter: object): Promise<string[]> {
  const { stats } = await daemon.runtime.listPodSandboxStats({ filter });
  const streamed: string[] = [];
  for await (const message of daemon.runtime.streamPodSandboxStats({ filter })) {
    streamed.push(...message.podSandboxStats.map((each) => each.attributes?.id ?? ''));
  }
  const ids = stats.map((each) => each.attributes?.id ?? '').sort();
  assert.deepEqual(streamed.sort(), ids, 'the stream differs from the list');
  return ids;
}

test('ListPodSandboxStats gives ready pods only, by id prefix and labels', async (daemon) => {
  const [one, two, stopped] = [await runPod(daemon), await runPod(daemon), await runPod(daemon)];
  await daemon.runtime.stopPodSandbox({ podSandboxId: stopped.id });
  const uid = (pod: Pod): string => pod.config.metadata?.uid ?? '';

  assert.deepEqual(await listedPods(daemon, {}), [one.id, two.id].sort());
  assert.deepEqual(await listedPods(daemon, { id: one.id.slice(0, 20) }), [one.id]);
  assert.deepEqual(await listedPods(daemon, { labelSelector: { 'io.kubernetes.pod.uid': uid(two) } }), [two.id]);
  assert.deepEqual(await listedPods(daemon, { id: stopped.id }), []);
});

test('stats are answered while containers and pods come and go', async (daemon) => {
  const keep = await runContainer(daemon, await runPod(daemon), SLEEP);
  const over = new AbortController();
  const churn = (async () => {
    for (let round = 0; round < 5; round += 1) {
      const pod = await runPod(daemon);
      await runContainer(daemon, pod, SLEEP);
      await removePod(daemon, pod.id);
    }
  })().finally(() => {
    over.abort();
  });
  while (!over.signal.aborted) {
    const { stats } = await daemon.runtime.listContainerStats({});
    assert.ok(stats.some((each) => each.attributes?.id === keep), 'one that stays is missing'); // prettier-ignore
    await daemon.runtime.listPodSandboxStats({});
  }
  await churn;
});
