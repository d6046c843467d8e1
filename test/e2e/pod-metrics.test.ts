/** ListMetricDescriptors and the metrics of pods against what the kernel says, and as crictl reads them. */
import assert from 'node:assert/strict';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { Metric, PodSandboxMetrics } from '../../api/cri/runtime.ts';
import { cgroupFile, pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import {
  execOutput,
  podAddress,
  removePod,
  runContainer,
  runPod,
  shell,
  until,
  untilPage,
  waitForExit,
  waitForOutput,
} from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

const test = sharedDaemon();

const SLEEP = ['sleep', '3600'];
const LABELS = ['container', 'id', 'image', 'name', 'namespace', 'pod'];
/** Those that need a controller, a device or a kernel that a machine may be without. */
const CONDITIONAL = /^container_(hugetlb|pressure|blkio|fs_reads|fs_writes|spec_cpu_quota|ulimits)_?|^container_memory_max_usage_bytes$/;

async function descriptors(daemon: TestDaemon): Promise<Map<string, readonly string[]>> {
  const { descriptors: found } = await daemon.runtime.listMetricDescriptors({});
  return new Map(found.map(({ name, labelKeys }) => [name, labelKeys]));
}

async function metricsOf(daemon: TestDaemon, pod: Pod): Promise<PodSandboxMetrics | undefined> {
  const { podMetrics } = await daemon.runtime.listPodSandboxMetrics({});
  return podMetrics.find(({ podSandboxId }) => podSandboxId === pod.id);
}

async function ofContainer(daemon: TestDaemon, pod: Pod, id: string): Promise<Metric[]> {
  const container = (await metricsOf(daemon, pod))?.containerMetrics.find(({ containerId }) => containerId === id);
  return container?.metrics ?? assert.fail(`no metrics of container ${id}`);
}

function valueOf(metrics: readonly Metric[], name: string, ...labels: readonly string[]): bigint {
  const found = metrics.find((metric) => metric.name === name && labels.every((label) => metric.labelValues.includes(label)));
  return found?.value?.value ?? assert.fail(`no ${name} ${labels.join()} in ${metrics.map((metric) => metric.name).join()}`);
}

test('every metric that is announced has values for a pod, with labels in its own order', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  const announced = await descriptors(daemon);
  for (const [name, keys] of announced) assert.deepEqual(keys.slice(0, LABELS.length), LABELS, name);
  const found = (await metricsOf(daemon, pod)) ?? assert.fail('no metrics');
  const all = [...found.metrics, ...found.containerMetrics.flatMap(({ metrics }) => metrics)];
  const seen = new Set<string>();
  for (const { name, labelValues, timestamp, value } of all) {
    assert.equal(labelValues.length, announced.get(name)?.length, `${name}: ${labelValues.join()}`);
    assert.ok(value !== undefined && timestamp === 0n, name);
    const key = [name, ...labelValues].join('|');
    assert.ok(!seen.has(key), `the kubelet's whole page fails where a series comes twice: ${key}`);
    seen.add(key);
  }
  const given = new Set(all.map(({ name }) => name));
  assert.deepEqual([...announced.keys()].filter((name) => !given.has(name) && !CONDITIONAL.test(name)), []); // prettier-ignore

  const [image, container] = [IMAGES.busybox, found.containerMetrics[0]?.metrics[0]?.labelValues.slice(0, LABELS.length) ?? []];
  assert.equal(found.containerMetrics.length, 1);
  assert.deepEqual(container.filter((_, index) => LABELS[index] !== 'id'), ['main', image, id, pod.config.metadata?.namespace, pod.config.metadata?.name]); // prettier-ignore
  assert.match(container[1] ?? '', new RegExp(`^/.*${id}`));
});

test('processor time, memory, limits, processes and files are those of the container', async (daemon) => {
  const pod = await runPod(daemon);
  const script =
    'head -c 30000000 /dev/zero >/file; cat /file >/dev/null; (sleep 3600 7</dev/null 8</dev/null 9</dev/null & ); echo ready; while :; do :; done';
  const memoryBytes = 256n << 20n;
  const id = await runContainer(daemon, pod, shell(script), { memoryBytes });
  await daemon.runtime.updateContainerResources({ containerId: id, linux: { cpuQuota: 20_000n, cpuPeriod: 100_000n, cpuShares: 300n } });
  await waitForOutput(daemon, id, 'ready');
  const pid = await pidOf(daemon, id);
  const hasReached = async (name: string, ...labels: string[]): Promise<boolean> =>
    valueOf(await ofContainer(daemon, pod, id), name, ...labels) > 0n;
  await until('it has used 1 s', async () => await hasReached('container_cpu_usage_seconds_total', 'total'), 60_000);
  // A hundredth of a processor is less than it gets on the busiest machine, so it is held back.
  await daemon.runtime.updateContainerResources({ containerId: id, linux: { cpuQuota: 1_000n } });
  await until('it was held back for 1 s', async () => await hasReached('container_cpu_cfs_throttled_seconds_total'), 60_000);
  const metrics = await ofContainer(daemon, pod, id);
  const of = (name: string, ...labels: string[]): bigint => valueOf(metrics, name, ...labels);

  const usage = BigInt(await cgroupFile(pid, ['memory.usage_in_bytes', 'memory.current']));
  const difference = of('container_memory_usage_bytes') - usage;
  assert.ok(difference < 4n << 20n && difference > -(4n << 20n), `memory usage is ${usage} and said to be ${difference} more`);
  // The kernel adds up what each processor has charged in batches of 64 pages.
  assert.ok(of('container_memory_cache') >= 29_000_000n, `${of('container_memory_cache')} bytes of cache`);
  assert.ok(of('container_memory_max_usage_bytes') >= 30_000_000n, `at most ${of('container_memory_max_usage_bytes')} bytes`);
  assert.ok(of('container_memory_failures_total', 'pgfault', 'container') > 0n);
  assert.equal(of('container_spec_memory_limit_bytes'), memoryBytes);
  assert.equal(of('container_spec_cpu_quota'), 1_000n);
  assert.equal(of('container_spec_cpu_shares'), 300n);
  assert.equal(of('container_spec_cpu_period'), 100_000n);
  assert.ok(of('container_cpu_cfs_throttled_periods_total') > 0n);
  assert.equal(of('container_processes'), 2n);
  assert.equal(of('container_threads'), 2n);
  assert.ok(of('container_file_descriptors') >= 9n, `${of('container_file_descriptors')} open files`);
  const ageS = BigInt(Math.floor(Date.now() / 1000)) - of('container_start_time_seconds');
  assert.ok(ageS >= 2n && ageS < 120n, `it was started ${ageS} s ago`);
});

test("sockets and traffic are counted; traffic is the pod's", async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(
    daemon,
    pod,
    shell('mkdir /www; head -c 1000000 /dev/zero >/www/file; echo page >/www/index.html; httpd -f -h /www -p 80'),
  );
  const address = await podAddress(daemon, pod.id);
  await untilPage(`http://${address}/`);
  await (await fetch(`http://${address}/file`)).arrayBuffer();

  const { metrics = [] } = (await metricsOf(daemon, pod)) ?? {};
  assert.ok(valueOf(metrics, 'container_network_transmit_bytes_total', 'eth0', 'POD') > 1_000_000n);
  assert.ok(valueOf(metrics, 'container_network_receive_packets_total', 'eth0', 'POD') > 10n);
  assert.equal(valueOf(metrics, 'container_network_receive_errors_total', 'eth0', 'POD'), 0n);
  assert.equal(valueOf(await ofContainer(daemon, pod, id), 'container_sockets'), 1n);
});

test('what the container writes is in its file system metrics', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  await execOutput(daemon, id, shell('head -c 5000000 /dev/zero >/written'));
  await until('it is counted', async () => valueOf(await ofContainer(daemon, pod, id), 'container_fs_usage_bytes') >= 5_000_000n);
  const metrics = await ofContainer(daemon, pod, id);
  assert.ok(valueOf(metrics, 'container_fs_limit_bytes') > valueOf(metrics, 'container_fs_usage_bytes'));
  assert.ok(valueOf(metrics, 'container_fs_inodes_total') >= valueOf(metrics, 'container_fs_inodes_free'));
});

test('a kill for lack of memory is counted where the container lives on', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('tail /dev/zero; sleep 3600'), { memoryBytes: 32n << 20n });
  await until('it is counted', async () => valueOf(await ofContainer(daemon, pod, id), 'container_oom_events_total') === 1n);
});

test('only containers that run and sandboxes that are ready are listed; the stream says the same', async (daemon) => {
  const pod = await runPod(daemon);
  const ended = await runContainer(daemon, pod, ['true']);
  const id = await runContainer(daemon, pod, SLEEP, { name: 'second' });
  const onNode = await runPod(daemon, { namespaces: { network: NamespaceMode.NODE }, change: { hostname: '' } });
  await waitForExit(daemon, ended);

  assert.deepEqual((await metricsOf(daemon, pod))?.containerMetrics.map(({ containerId }) => containerId), [id]); // prettier-ignore
  assert.deepEqual((await metricsOf(daemon, onNode))?.metrics.filter(({ name }) => name.includes('network')), []); // prettier-ignore
  const streamed: string[] = [];
  for await (const { podSandboxMetrics } of daemon.runtime.streamPodSandboxMetrics({}))
    streamed.push(...podSandboxMetrics.map(({ podSandboxId }) => podSandboxId));
  assert.deepEqual(streamed.sort(), [pod.id, onNode.id].sort());
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  assert.equal(await metricsOf(daemon, pod), undefined);
  await removePod(daemon, pod.id);
});
