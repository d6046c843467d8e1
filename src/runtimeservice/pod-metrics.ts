import { MetricType } from '../../api/cri/enums.ts';
import type { ContainerMetrics, Init, Metric, PodSandboxMetrics } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { messageOf } from '../base/errors.ts';
import type { Container } from '../container/container.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { Figures, FileSystemFigures } from '../stats/pod-metrics.ts';
import { POD_METRICS } from '../stats/pod-metrics.ts';
import { imageSpec } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { interfacesOf } from './stats.ts';

/** What every metric is labelled with, as cAdvisor's are in the kubelet; `id` is the cgroup, `name` the CRI's id. */
const LABELS = ['container', 'id', 'image', 'name', 'namespace', 'pod'] as const;
type Labels = Readonly<Record<(typeof LABELS)[number], string>>;

/** A pod's network belongs to none of its containers; this is the name that dashboards know it by. */
const NETWORK_CONTAINER = 'POD';

/** The kubelet asks once, at its start. */
export const listMetricDescriptors: RuntimeServiceHandlers['listMetricDescriptors'] = async () => ({
  descriptors: POD_METRICS.map(({ name, help, labels }) => ({ name, help, labelKeys: [...LABELS, ...labels] })),
});

/** Metrics of the Ready sandboxes, one after the other: a scrape may take longer, other calls must not. */
export function listPodSandboxMetrics(parts: RuntimeServiceParts): RuntimeServiceHandlers['listPodSandboxMetrics'] {
  return async (_request, call) => {
    const podMetrics: Init<PodSandboxMetrics>[] = [];
    for await (const metrics of eachPod(parts, call)) podMetrics.push(metrics);
    return { podMetrics };
  };
}

export function streamPodSandboxMetrics(parts: RuntimeServiceParts): RuntimeServiceHandlers['streamPodSandboxMetrics'] {
  return async function* (_request, call) {
    for await (const metrics of eachPod(parts, call)) yield { podSandboxMetrics: [metrics] };
  };
}

/** A pod whose figures cannot be read (it is just ending) is left out; the others have theirs. */
async function* eachPod(parts: RuntimeServiceParts, call: Call): AsyncGenerator<Init<PodSandboxMetrics>> {
  const fileSystem = await parts.figures.ofFileSystem(parts.writableLayerMountpoint);
  for (const sandbox of parts.sandboxes.list()) {
    if (sandbox.state.is !== 'Ready') continue;
    try {
      yield await metricsOfPod(parts, sandbox, fileSystem);
    } catch (error) {
      call.log.warn('pod metrics cannot be read', { sandboxId: sandbox.record.id, error: messageOf(error) });
    }
  }
}

async function metricsOfPod(parts: RuntimeServiceParts, sandbox: Sandbox, fileSystem: FileSystemFigures): Promise<Init<PodSandboxMetrics>> {
  const { record } = sandbox;
  const { name = '', namespace = '' } = record.config.metadata ?? {};
  const id = parts.containers.parts.placement.parentDirectory(record.cgroupParent);
  const ofPod: Labels = { container: '', id, image: '', name: record.id, namespace, pod: name };
  const figures = await parts.figures.ofCgroup(id);
  const network = { interfaces: interfacesOf(parts, sandbox) };
  const running = parts.containers.ofSandbox(record.id).filter(({ state }) => state.is === 'Running');
  const containerMetrics: Init<ContainerMetrics>[] = [];
  for (const container of running) containerMetrics.push(await metricsOfContainer(parts, container, ofPod, fileSystem));
  return {
    podSandboxId: record.id,
    metrics: [...metricMessages(figures, ofPod), ...metricMessages(network, { ...ofPod, container: NETWORK_CONTAINER })],
    containerMetrics,
  };
}

async function metricsOfContainer(
  parts: RuntimeServiceParts,
  { record, state }: Container,
  ofPod: Labels,
  fileSystem: FileSystemFigures,
): Promise<Init<ContainerMetrics>> {
  const { placement, rootfs } = parts.containers.parts;
  const path = placement.containerDirectory(record.cgroupParent, record.id);
  const [figures, { usedBytes }] = await Promise.all([parts.figures.ofCgroup(path), rootfs.usage(record.id)]);
  const isRunning = figures.usage !== undefined && state.is === 'Running';
  const whole: Figures = {
    ...figures,
    ...withShares(figures, 'resources' in state ? state.resources?.cpuShares : undefined),
    ...(isRunning ? { processes: await parts.figures.ofProcesses(path, state.process.pid), startedAtNs: state.startedAtNs } : {}),
    fileSystem: { ...fileSystem, usedBytes: BigInt(usedBytes) },
  };
  const image = imageSpec(parts, record.imageId, record.config.image)?.image ?? '';
  const labels = { ...ofPod, container: record.config.metadata?.name ?? '', id: path, image, name: record.id };
  return { containerId: record.id, metrics: metricMessages(whole, labels) };
}

/** Runtimes turn shares into a version 2 weight by more than one formula; what was asked for is what people look for. */
function withShares({ counters }: Figures, shares: bigint | undefined): Pick<Figures, 'counters'> {
  if (counters === undefined || shares === undefined || shares <= 0n) return {};
  return { counters: { ...counters, limits: { ...counters.limits, cpuShares: shares } } };
}

/** Without a timestamp: read when asked, so the time of the scrape is theirs. */
function metricMessages(figures: Figures, labels: Labels): Init<Metric>[] {
  const common = LABELS.map((name) => labels[name]);
  return POD_METRICS.flatMap(({ name, type, values }) =>
    values(figures).map(({ value, labels: own }) => ({
      name,
      metricType: type === 'counter' ? MetricType.COUNTER : MetricType.GAUGE,
      labelValues: [...common, ...own],
      value: { value },
    })),
  );
}
