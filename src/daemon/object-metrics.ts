import { operationsUnderWay } from '../base/steps.ts';
import { OPERATIONS } from '../base/step-names.ts';
import type { ContainerState, ExitReason } from '../container/container.ts';
import type { OomLevel } from '../container/oom-report.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { InventoryKind } from '../pod/inventory.ts';
import type { TellRemoval } from '../pod/leftovers.ts';
import type { SandboxState } from '../podsandbox/sandbox.ts';
import type { DaemonParts } from './build.ts';

/** In the order of their lives. */
const SANDBOX_STATES = {
  Creating: 0,
  Parked: 0,
  Ready: 0,
  Stopping: 0,
  Lost: 0,
  NotReady: 0,
  Removing: 0,
} as const satisfies Record<SandboxState['is'] | 'Creating', 0>;
const CONTAINER_STATES = {
  Creating: 0,
  Parked: 0,
  Created: 0,
  Starting: 0,
  Running: 0,
  Exited: 0,
  Removing: 0,
} as const satisfies Record<ContainerState['is'] | 'Creating', 0>;
const EXIT_REASONS = {
  Completed: 0,
  Error: 0,
  OOMKilled: 0,
  ContainerCannotRun: 0,
  NodeRebooted: 0,
  Unknown: 0,
} as const satisfies Record<ExitReason, 0>;
const OOM_LEVELS = { container: 0, pod: 0, node: 0, unknown: 0 } as const satisfies Record<OomLevel, 0>;

/** Counts pods, containers, images and the work on them, when the metrics are read; and containers that end. */
export function objectMetrics(parts: Pick<DaemonParts, 'sandboxes' | 'containers' | 'images'>, metrics: Metrics): void {
  const { sandboxes, containers, images } = parts;
  const setStates = (key: 'sandboxes' | 'containers', kind: string, counts: Readonly<Record<string, number>>): void => {
    for (const [state, count] of Object.entries(counts)) metrics.set(key, { state }, count);
    metrics.set('parked', { kind }, counts['Parked'] ?? 0);
  };
  metrics.whenRead(() => {
    setStates('sandboxes', 'sandbox', countStates(SANDBOX_STATES, sandboxes.store));
    setStates('containers', 'container', countStates(CONTAINER_STATES, containers.store));
    metrics.set('images', {}, images.list().length);
    metrics.set('imageBytes', {}, images.usage().usedBytes);
    setOperations(metrics);
  });
  for (const reason of Object.keys(EXIT_REASONS)) metrics.add('containerExits', { reason }, 0);
  for (const level of Object.keys(OOM_LEVELS)) metrics.add('oomKills', { level }, 0);
  containers.store.onChange(({ before, after }) => {
    if (after?.is === 'Exited' && before?.is !== 'Exited') metrics.add('containerExits', { reason: after.reason });
  });
}

/** Counts what no record claimed. A count that is not there before it is one is no growth to Prometheus: those of `kinds` begin with zero. */
export function leakMetrics(metrics: Metrics, kinds: readonly Pick<InventoryKind, 'kind'>[] = []): TellRemoval {
  for (const { kind } of kinds) for (const key of ['leaksFound', 'leaksCleaned'] as const) metrics.add(key, { kind }, 0);
  return ({ row: { kind }, error }) => {
    metrics.add('leaksFound', { kind });
    if (error === undefined) metrics.add('leaksCleaned', { kind });
  };
}

interface Countable {
  list(): readonly { readonly state: { readonly is: string } }[];
  listCreating(): readonly unknown[];
}

function countStates(states: Readonly<Record<string, 0>>, store: Countable): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { ...states, Creating: store.listCreating().length };
  for (const { state } of store.list()) counts[state.is] = (counts[state.is] ?? 0) + 1;
  return counts;
}

function setOperations(metrics: Metrics): void {
  const counts = new Map<string, number>();
  const oldest = new Map<string, number>();
  const nowMs = Date.now();
  for (const { what, startedAtMs } of operationsUnderWay()) {
    counts.set(what, (counts.get(what) ?? 0) + 1);
    oldest.set(what, Math.max(oldest.get(what) ?? 0, (nowMs - startedAtMs) / 1000));
  }
  for (const operation of OPERATIONS) {
    metrics.set('operationsUnderWay', { operation }, counts.get(operation) ?? 0);
    metrics.set('oldestOperation', { operation }, oldest.get(operation) ?? 0);
  }
}
