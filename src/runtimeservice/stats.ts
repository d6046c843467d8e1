import type { ContainerStats, Init, PodSandboxStats } from '../../api/cri/runtime.ts';
import type { Container } from '../container/container.ts';
import { readInterfaces, type InterfaceCounters } from '../linux/network-stats.ts';
import { namespacePaths } from '../podsandbox/run.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import { hasLabels } from './labels.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { containerStatsMessage, podStatsMessage } from './stats-messages.ts';

type Selector = Readonly<Record<string, string>>;

/** Stats of one container, also of one that has ended (its writable layer stays). */
export function containerStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['containerStats'] {
  return async ({ containerId }) => ({ stats: await statsOf(parts, parts.containers.get(containerId)) });
}

/** Stats of the running containers that the filter selects. */
export function listContainerStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['listContainerStats'] {
  return async ({ filter }) => ({ stats: await Promise.all(runningContainers(parts, filter).map(async (container) => statsOf(parts, container))) });
}

export function streamContainerStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['streamContainerStats'] {
  return async function* ({ filter }) {
    for (const container of runningContainers(parts, filter)) yield { containerStats: [await statsOf(parts, container)] };
  };
}

export function podSandboxStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['podSandboxStats'] {
  return async ({ podSandboxId }) => ({ stats: await podStatsOf(parts, parts.sandboxes.get(podSandboxId)) });
}

/** Stats of the Ready sandboxes that the filter selects. */
export function listPodSandboxStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['listPodSandboxStats'] {
  return async ({ filter }) => ({ stats: await Promise.all(readySandboxes(parts, filter).map(async (sandbox) => podStatsOf(parts, sandbox))) });
}

export function streamPodSandboxStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['streamPodSandboxStats'] {
  return async function* ({ filter }) {
    for (const sandbox of readySandboxes(parts, filter)) yield { podSandboxStats: [await podStatsOf(parts, sandbox)] };
  };
}

function runningContainers(parts: RuntimeServiceParts, filter: { id: string; podSandboxId: string; labelSelector: Selector } | undefined): Container[] {
  return parts.containers.list().filter(({ record, state }) => {
    if (state.is !== 'Running') return false;
    if (filter === undefined) return true;
    return record.id.startsWith(filter.id) && record.sandboxId.startsWith(filter.podSandboxId) && hasLabels(record.config.labels, filter.labelSelector);
  });
}

function readySandboxes(parts: RuntimeServiceParts, filter: { id: string; labelSelector: Selector } | undefined): Sandbox[] {
  return parts.sandboxes.list().filter(({ record, state }) => {
    if (state.is !== 'Ready') return false;
    return filter === undefined || (record.id.startsWith(filter.id) && hasLabels(record.config.labels, filter.labelSelector));
  });
}

async function statsOf(parts: RuntimeServiceParts, container: Container): Promise<Init<ContainerStats>> {
  const { record, state } = container;
  const { placement } = parts.containers.parts;
  const isRunning = state.is === 'Running';
  const [sample, layer] = await Promise.all([
    isRunning ? parts.sampler.sample(placement.containerDirectory(record.cgroupParent, record.id), state.startedAtNs) : undefined,
    parts.containers.parts.rootfs.usage(record.id),
  ]);
  return containerStatsMessage(container, sample, { ...layer, mountpoint: parts.writableLayerMountpoint });
}

async function podStatsOf(parts: RuntimeServiceParts, sandbox: Sandbox): Promise<Init<PodSandboxStats>> {
  const { record } = sandbox;
  const { placement } = parts.containers.parts;
  const containers = parts.containers.ofSandbox(record.id).filter(({ state }) => state.is === 'Running');
  const [sample, stats] = await Promise.all([
    parts.sampler.sample(placement.parentDirectory(record.cgroupParent), record.createdAtNs),
    Promise.all(containers.map(async (container) => statsOf(parts, container))),
  ]);
  return podStatsMessage(sandbox, sample, interfacesOf(parts, sandbox), stats);
}

/** None for a pod on the node's network: those figures are the node's. */
function interfacesOf(parts: RuntimeServiceParts, sandbox: Sandbox): InterfaceCounters[] | undefined {
  const { net } = namespacePaths(parts.containers.parts, sandbox.record);
  return net === 'host' || sandbox.state.is !== 'Ready' ? undefined : readInterfaces(net);
}
