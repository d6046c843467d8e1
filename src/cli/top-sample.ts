import { cpus, freemem, loadavg, totalmem } from 'node:os';
import type {
  ContainerStats,
  CpuUsage,
  MemoryUsage,
  Metric,
  NetworkUsage,
  PodSandboxMetrics,
  PodSandboxStats,
} from '../../api/cri/runtime.ts';
import type { CriClient } from './cri-client.ts';

/** What the daemon says of a pod or container at one time. What it does not know is undefined. */
export interface Reading {
  readonly id: string;
  readonly name: string;
  /** Unix time and processor time used so far, nanoseconds. */
  readonly cpu: { readonly atNs: bigint; readonly usedNs: bigint } | undefined;
  readonly memoryBytes: number | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly cpuLimitCores: number | undefined;
  readonly processes: number | undefined;
  /** In how many of the last periods of its processor quota it was stopped, 0 to 1; without a quota undefined. */
  readonly throttled: number | undefined;
  readonly oomKills: number | undefined;
  readonly diskBytes: number | undefined;
  readonly network: { readonly atNs: bigint; readonly rxBytes: bigint; readonly txBytes: bigint } | undefined;
}

export interface PodReading extends Reading {
  readonly namespace: string;
  readonly containers: readonly Reading[];
}

/** Of the machine; its processor times are in milliseconds. */
export interface NodeReading {
  readonly busyMs: number;
  readonly idleMs: number;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly memoryTotalBytes: number;
  readonly load: readonly number[];
}

export interface Sample {
  readonly pods: readonly PodReading[];
  readonly node: NodeReading;
}

/** No answer takes longer, milliseconds. */
const CALL_TIMEOUT_MS = 30_000;
const METRICS_EVERY_MS = 15_000;
const METRICS_OF_NEW_EVERY_MS = 3000;
const LOOPBACK = 'lo';

/** Asks for samples. The metrics cost the daemon three times what the stats do, and are asked for less often. */
export class TopReader {
  readonly #runtime: CriClient['runtime'];
  #before: Metrics = new Map();
  #now: Metrics = new Map();
  #askedAtMs = -Infinity;

  constructor(runtime: CriClient['runtime']) {
    this.#runtime = runtime;
  }

  async read(signal?: AbortSignal): Promise<Sample> {
    const options = { timeoutMs: CALL_TIMEOUT_MS, ...(signal && { signal }) };
    const { stats } = await this.#runtime.listPodSandboxStats({}, options);
    if (this.#isDue(stats)) {
      const { podMetrics } = await this.#runtime.listPodSandboxMetrics({}, options);
      this.#before = this.#now;
      this.#now = metricsById(podMetrics);
      this.#askedAtMs = performance.now();
    }
    const figures = (id: string): MetricFigures => metricFigures(this.#before.get(id), this.#now.get(id));
    return { pods: stats.map((each) => podReading(each, figures)), node: nodeReading() };
  }

  /** There must be two for what lies between them; and somebody new is not left without for long. */
  #isDue(stats: readonly PodSandboxStats[]): boolean {
    const ageMs = performance.now() - this.#askedAtMs;
    if (this.#before.size === 0 || ageMs >= METRICS_EVERY_MS) return true;
    return ageMs >= METRICS_OF_NEW_EVERY_MS && stats.some((each) => idsOf(each).some((id) => !this.#now.has(id)));
  }
}

function idsOf({ attributes, linux }: PodSandboxStats): string[] {
  return [attributes, ...(linux?.containers ?? []).map((each) => each.attributes)].map((each) => each?.id ?? '');
}

function podReading({ attributes, linux }: PodSandboxStats, figures: (id: string) => MetricFigures): PodReading {
  const { id = '', metadata } = attributes ?? {};
  const containers = (linux?.containers ?? []).map((each) => containerReading(each, figures));
  const own = reading(id, metadata?.name ?? '', linux?.cpu, linux?.memory, figures(id));
  return {
    ...own,
    namespace: metadata?.namespace ?? '',
    processes: own.processes ?? sum(containers.map(({ processes }) => processes)),
    oomKills: own.oomKills ?? sum(containers.map(({ oomKills }) => oomKills)),
    diskBytes: sum(containers.map(({ diskBytes }) => diskBytes)),
    network: networkReading(linux?.network),
    containers,
  };
}

function containerReading({ attributes, cpu, memory, writableLayer }: ContainerStats, figures: (id: string) => MetricFigures): Reading {
  const { id = '', metadata } = attributes ?? {};
  return { ...reading(id, metadata?.name ?? '', cpu, memory, figures(id)), diskBytes: numberOf(writableLayer?.usedBytes?.value) };
}

function reading(id: string, name: string, cpu: CpuUsage | undefined, memory: MemoryUsage | undefined, figures: MetricFigures): Reading {
  const used = cpu?.usageCoreNanoSeconds?.value;
  return {
    id,
    name,
    cpu: cpu === undefined || used === undefined ? undefined : { atNs: cpu.timestamp, usedNs: used },
    memoryBytes: numberOf(memory?.workingSetBytes?.value),
    ...figures,
    diskBytes: undefined,
    network: undefined,
  };
}

type Metrics = ReadonlyMap<string, ReadonlyMap<string, number>>;
type MetricFigures = Pick<Reading, 'memoryLimitBytes' | 'cpuLimitCores' | 'processes' | 'throttled' | 'oomKills'>;

/** What is known of a pod or container by its metrics only: those of now, and those before them. */
export function metricFigures(
  before: ReadonlyMap<string, number> | undefined,
  now: ReadonlyMap<string, number> | undefined,
): MetricFigures {
  const limitBytes = now?.get('container_spec_memory_limit_bytes') ?? 0;
  const [quotaUs, periodUs] = [now?.get('container_spec_cpu_quota'), now?.get('container_spec_cpu_period')];
  const cpuLimitCores = quotaUs === undefined || periodUs === undefined || periodUs === 0 ? undefined : quotaUs / periodUs;
  const grown = (name: string): number => (now?.get(name) ?? NaN) - (before?.get(name) ?? NaN);
  const [periods, throttled] = [grown('container_cpu_cfs_periods_total'), grown('container_cpu_cfs_throttled_periods_total')];
  const isThrottledKnown = cpuLimitCores !== undefined && periods >= 0 && throttled >= 0;
  return {
    memoryLimitBytes: limitBytes === 0 ? undefined : limitBytes,
    cpuLimitCores,
    processes: now?.get('container_processes'),
    throttled: isThrottledKnown ? throttled / Math.max(periods, 1) : undefined,
    oomKills: now?.get('container_oom_events_total'),
  };
}

/** All interfaces but the loopback. */
function networkReading(network: NetworkUsage | undefined): Reading['network'] {
  if (network === undefined) return undefined;
  const others = network.interfaces.filter(({ name }) => name !== LOOPBACK);
  const interfaces = network.defaultInterface === undefined ? others : [network.defaultInterface, ...others];
  const total = (key: 'rxBytes' | 'txBytes'): bigint => interfaces.reduce((all, each) => all + (each[key]?.value ?? 0n), 0n);
  return { atNs: network.timestamp, rxBytes: total('rxBytes'), txBytes: total('txBytes') };
}

/** Of each pod and container the metrics that have one value each, by name. */
function metricsById(pods: readonly PodSandboxMetrics[]): Metrics {
  const byName = (metrics: readonly Metric[]): ReadonlyMap<string, number> => {
    return new Map(metrics.map(({ name, value }) => [name, Number(value?.value ?? 0n)]));
  };
  return new Map(
    pods.flatMap(({ podSandboxId, metrics, containerMetrics }) => [
      [podSandboxId, byName(metrics)],
      ...containerMetrics.map((each) => [each.containerId, byName(each.metrics)] as const),
    ]),
  );
}

function nodeReading(): NodeReading {
  const times = cpus().map((each) => each.times);
  const idleMs = times.reduce((all, { idle }) => all + idle, 0);
  const busyMs = times.reduce((all, { user, nice, sys, irq }) => all + user + nice + sys + irq, 0);
  const memoryTotalBytes = totalmem();
  return { busyMs, idleMs, cores: times.length, memoryBytes: memoryTotalBytes - freemem(), memoryTotalBytes, load: loadavg() };
}

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** Of those that are known; undefined where none is. */
export function sum(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((all, value) => all + value, 0);
}
