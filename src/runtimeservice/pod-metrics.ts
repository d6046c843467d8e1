import { MetricType } from '../../api/cri/enums.ts';
import type { ContainerMetrics, Init, Metric, PodSandboxMetrics } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { messageOf } from '../base/errors.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { ContainerFigures, PodFigures } from '../stats/pod-figures.ts';
import type { Figures } from '../stats/pod-metrics.ts';
import { POD_METRICS } from '../stats/pod-metrics.ts';
import { imageSpec } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';

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
  const fileSystem = await parts.figures.ofFileSystem();
  for (const sandbox of parts.sandboxes.list()) {
    if (sandbox.state.is !== 'Ready') continue;
    try {
      yield podMetricsMessage(parts, sandbox, await parts.figures.ofPod(sandbox, fileSystem));
    } catch (error) {
      call.log.warn('pod metrics cannot be read', { sandboxId: sandbox.record.id, error: messageOf(error) });
    }
  }
}

function podMetricsMessage(parts: RuntimeServiceParts, { record }: Sandbox, figures: PodFigures): Init<PodSandboxMetrics> {
  const { name = '', namespace = '' } = record.config.metadata ?? {};
  const labels: Labels = { container: '', id: figures.cgroup, image: '', name: record.id, namespace, pod: name };
  return {
    podSandboxId: record.id,
    metrics: [...metricMessages(figures.ofPod, labels), ...metricMessages(figures.ofNetwork, { ...labels, container: NETWORK_CONTAINER })],
    containerMetrics: figures.containers.map((each) => containerMetricsMessage(parts, each, labels)),
  };
}

function containerMetricsMessage(
  parts: RuntimeServiceParts,
  { container: { record }, cgroup, figures }: ContainerFigures,
  ofPod: Labels,
): Init<ContainerMetrics> {
  const image = imageSpec(parts, record)?.image ?? '';
  const labels = { ...ofPod, container: record.config.metadata?.name ?? '', id: cgroup, image, name: record.id };
  return { containerId: record.id, metrics: metricMessages(figures, labels) };
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
