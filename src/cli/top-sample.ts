import { cpus, freemem, loadavg, totalmem } from 'node:os';
import type { ContainerStats, CpuUsage, MemoryUsage, Metric, NetworkUsage } from '../../api/cri/runtime.ts';
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
  /** Of the processor quota: how many have passed, and in how many it was used up. */
  readonly periods: { readonly all: number; readonly throttled: number } | undefined;
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
const LOOPBACK = 'lo';

export async function readSample(runtime: CriClient['runtime'], signal?: AbortSignal): Promise<Sample> {
  const options = { timeoutMs: CALL_TIMEOUT_MS, ...(signal && { signal }) };
  const [{ stats }, { podMetrics }] = await Promise.all([
    runtime.listPodSandboxStats({}, options),
    runtime.listPodSandboxMetrics({}, options),
  ]);
  const metrics = new Map<string, Figures>();
  for (const { podSandboxId, metrics: own, containerMetrics } of podMetrics) {
    metrics.set(podSandboxId, figuresOf(own));
    for (const { containerId, metrics: inside } of containerMetrics) metrics.set(containerId, figuresOf(inside));
  }
  const pods = stats.map(({ attributes, linux }): PodReading => {
    const { id = '', metadata } = attributes ?? {};
    const containers = (linux?.containers ?? []).map((each) => containerReading(each, metrics));
    const own = reading(id, metadata?.name ?? '', linux?.cpu, linux?.memory, metrics.get(id));
    return {
      ...own,
      namespace: metadata?.namespace ?? '',
      processes: own.processes ?? sum(containers.map(({ processes }) => processes)),
      oomKills: own.oomKills ?? sum(containers.map(({ oomKills }) => oomKills)),
      diskBytes: sum(containers.map(({ diskBytes }) => diskBytes)),
      network: networkReading(linux?.network),
      containers,
    };
  });
  return { pods, node: nodeReading() };
}

function containerReading({ attributes, cpu, memory, writableLayer }: ContainerStats, metrics: ReadonlyMap<string, Figures>): Reading {
  const { id = '', metadata } = attributes ?? {};
  const own = reading(id, metadata?.name ?? '', cpu, memory, metrics.get(id));
  return { ...own, diskBytes: numberOf(writableLayer?.usedBytes?.value) };
}

function reading(
  id: string,
  name: string,
  cpu: CpuUsage | undefined,
  memory: MemoryUsage | undefined,
  figures: Figures = new Map(),
): Reading {
  const used = cpu?.usageCoreNanoSeconds?.value;
  const [all, throttled] = [figures.get('container_cpu_cfs_periods_total'), figures.get('container_cpu_cfs_throttled_periods_total')];
  const [quotaUs, periodUs] = [figures.get('container_spec_cpu_quota'), figures.get('container_spec_cpu_period')];
  const limitBytes = figures.get('container_spec_memory_limit_bytes') ?? 0;
  return {
    id,
    name,
    cpu: cpu === undefined || used === undefined ? undefined : { atNs: cpu.timestamp, usedNs: used },
    memoryBytes: numberOf(memory?.workingSetBytes?.value),
    memoryLimitBytes: limitBytes === 0 ? undefined : limitBytes,
    cpuLimitCores: quotaUs === undefined || periodUs === undefined || periodUs === 0 ? undefined : quotaUs / periodUs,
    processes: figures.get('container_processes'),
    periods: all === undefined || throttled === undefined ? undefined : { all, throttled },
    oomKills: figures.get('container_oom_events_total'),
    diskBytes: undefined,
    network: undefined,
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

type Figures = ReadonlyMap<string, number>;

/** The metrics that have one value each, by name. */
function figuresOf(metrics: readonly Metric[]): Figures {
  return new Map(metrics.map(({ name, value }) => [name, Number(value?.value ?? 0n)]));
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
