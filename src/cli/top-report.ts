import type { SortKey } from './sort-keys.ts';
import { sum } from './top-sample.ts';
import type { NodeReading, PodReading, Reading, Sample } from './top-sample.ts';

/** What a pod, a container or all of them together use. What is not known is undefined. */
export interface Usage {
  readonly cpuCores: number | undefined;
  readonly cpuLimitCores: number | undefined;
  /** In how many of the periods of its processor quota it was stopped, 0 to 1; without a quota undefined. */
  readonly throttled: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly processes: number | undefined;
  readonly rxBytesPerSecond: number | undefined;
  readonly txBytesPerSecond: number | undefined;
  readonly diskBytes: number | undefined;
  /** Since it was started. */
  readonly oomKills: number | undefined;
}

export interface ContainerUsage extends Usage {
  readonly id: string;
  readonly name: string;
}

export interface PodUsage extends ContainerUsage {
  readonly namespace: string;
  readonly containers: readonly ContainerUsage[];
}

export interface NodeUsage {
  readonly cpuCores: number | undefined;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly memoryTotalBytes: number;
  readonly load: readonly number[];
}

export interface TopReport {
  readonly node: NodeUsage;
  /** Of all pods. */
  readonly total: Usage;
  readonly pods: readonly PodUsage[];
}

const FIGURE_OF = {
  cpu: 'cpuCores',
  memory: 'memoryBytes',
  processes: 'processes',
  rx: 'rxBytesPerSecond',
  tx: 'txBytesPerSecond',
  throttled: 'throttled',
  oom: 'oomKills',
} as const satisfies Record<Exclude<SortKey, 'name'>, keyof Usage>;

const NS_PER_SECOND = 1e9;

/** What is used, by the difference of two samples. The times between are those that the figures themselves have, not our clock's. */
export function reportOf(before: Sample | undefined, now: Sample, key: SortKey): TopReport {
  const earlier = new Map<string, Reading>();
  for (const pod of before?.pods ?? []) for (const each of [pod, ...pod.containers]) earlier.set(each.id, each);
  const pods = now.pods.map((pod) => podUsage(earlier, pod, key));
  const all = (figure: keyof Usage): number | undefined => sum(pods.map((pod) => pod[figure]));
  return {
    node: nodeUsage(before?.node, now.node),
    total: {
      cpuCores: all('cpuCores'),
      cpuLimitCores: undefined,
      throttled: undefined,
      memoryBytes: all('memoryBytes'),
      memoryLimitBytes: undefined,
      processes: all('processes'),
      rxBytesPerSecond: all('rxBytesPerSecond'),
      txBytesPerSecond: all('txBytesPerSecond'),
      diskBytes: all('diskBytes'),
      oomKills: all('oomKills'),
    },
    pods: sorted(pods, key, ({ namespace, name }) => `${namespace}/${name}`),
  };
}

function podUsage(earlier: ReadonlyMap<string, Reading>, pod: PodReading, key: SortKey): PodUsage {
  const containers = pod.containers.map((each) => usage(earlier.get(each.id), each));
  return { ...usage(earlier.get(pod.id), pod), namespace: pod.namespace, containers: sorted(containers, key, ({ name }) => name) };
}

function usage(before: Reading | undefined, now: Reading): ContainerUsage {
  const network = (figure: 'rxBytes' | 'txBytes'): number | undefined => {
    return rate(before?.network?.[figure], before?.network?.atNs, now.network?.[figure], now.network?.atNs);
  };
  const cpu = rate(before?.cpu?.usedNs, before?.cpu?.atNs, now.cpu?.usedNs, now.cpu?.atNs);
  return {
    id: now.id,
    name: now.name,
    cpuCores: cpu === undefined ? undefined : cpu / NS_PER_SECOND,
    cpuLimitCores: now.cpuLimitCores,
    throttled: now.throttled,
    memoryBytes: now.memoryBytes,
    memoryLimitBytes: now.memoryLimitBytes,
    processes: now.processes,
    rxBytesPerSecond: network('rxBytes'),
    txBytesPerSecond: network('txBytes'),
    diskBytes: now.diskBytes,
    oomKills: now.oomKills,
  };
}

/** Growth per second; undefined where a sample is missing, no time is between, or the counter has begun anew. */
function rate(
  before: bigint | undefined,
  beforeNs: bigint | undefined,
  now: bigint | undefined,
  nowNs: bigint | undefined,
): number | undefined {
  if (before === undefined || beforeNs === undefined || now === undefined || nowNs === undefined) return undefined;
  if (nowNs <= beforeNs || now < before) return undefined;
  return (Number(now - before) * NS_PER_SECOND) / Number(nowNs - beforeNs);
}

function nodeUsage(before: NodeReading | undefined, now: NodeReading): NodeUsage {
  const { busyMs, idleMs, ...rest } = now;
  if (before === undefined) return { ...rest, cpuCores: undefined };
  const [busy, all] = [busyMs - before.busyMs, busyMs + idleMs - before.busyMs - before.idleMs];
  return { ...rest, cpuCores: all <= 0 ? undefined : (busy / all) * now.cores };
}

/** The largest first, what is not known last; by name where they are equal. */
function sorted<T extends Usage>(rows: readonly T[], key: SortKey, nameOf: (row: T) => string): T[] {
  const byName = (a: T, b: T): number => (nameOf(a) < nameOf(b) ? -1 : 1);
  if (key === 'name') return [...rows].sort(byName);
  const figure = FIGURE_OF[key];
  return [...rows].sort((a, b) => (b[figure] ?? -1) - (a[figure] ?? -1) || byName(a, b));
}
