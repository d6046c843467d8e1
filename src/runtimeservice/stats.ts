import type { ContainerStats, Init, PodSandboxStats } from '../../api/cri/runtime.ts';
import type { Call } from '../base/call.ts';
import { messageOf } from '../base/errors.ts';
import { idField, type ObjectKind } from '../base/log.ts';
import { mapSideBySide } from '../base/side-by-side.ts';
import type { Container } from '../container/container.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import { hasLabels } from './labels.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { containerStatsMessage, podStatsMessage } from './stats-messages.ts';

/**
 * How many are read side by side. Each reads a dozen files on libuv's four threads; 500 at once took twice as long as one after the other,
 * and whatever else needed a file waited behind them all.
 */
const AT_ONCE = 2;

type Selector = Readonly<Record<string, string>>;

/** Stats of one container, also of one that has ended (its writable layer stays). */
export function containerStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['containerStats'] {
  return async ({ containerId }) => ({ stats: await statsOf(parts, parts.containers.get(containerId)) });
}

/** Stats of the running containers that the filter selects. */
export function listContainerStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['listContainerStats'] {
  return async ({ filter }, call) => ({
    stats: await allThatWork('container', runningContainers(parts, filter), async (container) => statsOf(parts, container), call),
  });
}

export function streamContainerStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['streamContainerStats'] {
  return async function* ({ filter }, call) {
    for (const container of runningContainers(parts, filter)) {
      const containerStats = await allThatWork('container', [container], async () => statsOf(parts, container), call);
      if (containerStats.length > 0) yield { containerStats };
    }
  };
}

export function podSandboxStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['podSandboxStats'] {
  return async ({ podSandboxId }) => ({ stats: await podStatsOf(parts, parts.sandboxes.get(podSandboxId)) });
}

/** Stats of the Ready sandboxes that the filter selects. */
export function listPodSandboxStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['listPodSandboxStats'] {
  return async ({ filter }, call) => ({
    stats: await allThatWork('sandbox', readySandboxes(parts, filter), async (sandbox) => podStatsOf(parts, sandbox), call),
  });
}

export function streamPodSandboxStats(parts: RuntimeServiceParts): RuntimeServiceHandlers['streamPodSandboxStats'] {
  return async function* ({ filter }, call) {
    for (const sandbox of readySandboxes(parts, filter)) {
      const stats = await allThatWork('sandbox', [sandbox], async () => podStatsOf(parts, sandbox), call);
      if (stats.length > 0) yield { podSandboxStats: stats };
    }
  };
}

/** One object whose figures cannot be read (it is just ending) is left out; the others have theirs. */
async function allThatWork<T extends { readonly record: { readonly id: string } }, S>(
  kind: ObjectKind,
  objects: readonly T[],
  read: (object: T) => Promise<S>,
  call: Call,
): Promise<S[]> {
  const found = await mapSideBySide(objects, AT_ONCE, async (object) => {
    try {
      return [await read(object)];
    } catch (error) {
      call.log.warn('stats cannot be read', { ...idField(kind, object.record.id), error: messageOf(error) });
      return [];
    }
  });
  return found.flat();
}

function runningContainers(
  parts: RuntimeServiceParts,
  filter: { id: string; podSandboxId: string; labelSelector: Selector } | undefined,
): Container[] {
  return parts.containers.list().filter(({ record, state }) => {
    if (state.is !== 'Running') return false;
    if (filter === undefined) return true;
    return (
      record.id.startsWith(filter.id) &&
      record.sandboxId.startsWith(filter.podSandboxId) &&
      hasLabels(record.config.labels, filter.labelSelector)
    );
  });
}

function readySandboxes(parts: RuntimeServiceParts, filter: { id: string; labelSelector: Selector } | undefined): Sandbox[] {
  return parts.sandboxes.list().filter(({ record, state }) => {
    if (state.is !== 'Ready') return false;
    return filter === undefined || (record.id.startsWith(filter.id) && hasLabels(record.config.labels, filter.labelSelector));
  });
}

async function statsOf({ usage }: RuntimeServiceParts, container: Container): Promise<Init<ContainerStats>> {
  return containerStatsMessage(await usage.ofContainer(container));
}

async function podStatsOf({ usage }: RuntimeServiceParts, sandbox: Sandbox): Promise<Init<PodSandboxStats>> {
  return podStatsMessage(await usage.ofPod(sandbox));
}
