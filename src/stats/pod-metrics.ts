import type { CgroupCounters, CgroupUsage, DeviceCounter, Pressure } from '../linux/cgroups/figures.ts';
import type { InterfaceCounters } from '../linux/network-stats.ts';

/**
 * The metrics that the kubelet serves at /metrics/cadvisor for us (KEP-2371): names, labels and meanings are cAdvisor's, so
 * that dashboards and alerts go on. The CRI carries whole numbers only, so seconds are whole seconds, rounded down.
 */

/** What is read of a container, or of a pod; what is not known of it is undefined, and its metrics are left out. */
export interface Figures {
  readonly usage?: CgroupUsage | undefined;
  readonly counters?: CgroupCounters | undefined;
  /** The name of each block device in `counters`, by `major:minor`. */
  readonly deviceNames?: ReadonlyMap<string, string>;
  readonly oomKills?: number | undefined;
  readonly processes?: ProcessFigures | undefined;
  readonly fileSystem?: (FileSystemFigures & { readonly usedBytes: bigint }) | undefined;
  readonly interfaces?: readonly InterfaceCounters[] | undefined;
  /** Unix time, nanoseconds. */
  readonly startedAtNs?: bigint | undefined;
  /** Unix time, nanoseconds: when it was read. */
  readonly atNs?: bigint | undefined;
}

export interface ProcessFigures {
  readonly processes: number;
  readonly fileDescriptors: number;
  readonly sockets: number;
  /** Of the container's first process; undefined where there is none. */
  readonly openFilesLimit: bigint | undefined;
}

/** A file system: that of the writable layers. */
export interface FileSystemFigures {
  readonly device: string;
  readonly limitBytes: bigint;
  readonly inodesTotal: bigint;
  readonly inodesFree: bigint;
}

/** One value of a metric, with the values of its own labels. */
export interface MetricValue {
  readonly value: bigint;
  readonly labels: readonly string[];
}

export interface PodMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Beside those that every metric has. */
  readonly labels: readonly string[];
  readonly values: (figures: Figures) => readonly MetricValue[];
}

const SECOND_NS = 1_000_000_000n;

/** The same label order as in each metric's values. */
export const POD_METRICS: readonly PodMetric[] = [
  counter('container_cpu_usage_seconds_total', 'Processor time used.', ({ usage }) => seconds(usage?.cpuNs).map(withLabels('total')), ['cpu']),
  counter('container_cpu_user_seconds_total', 'Processor time used in user mode.', ({ counters }) => seconds(counters?.cpu.userNs)),
  counter('container_cpu_system_seconds_total', 'Processor time used in the kernel.', ({ counters }) => seconds(counters?.cpu.systemNs)),
  counter('container_cpu_cfs_periods_total', 'Periods of the processor quota that have passed.', ({ counters }) => one(counters?.cpu.periods)),
  counter('container_cpu_cfs_throttled_periods_total', 'Periods in which the processor quota was used up.', ({ counters }) => one(counters?.cpu.throttledPeriods)),
  counter('container_cpu_cfs_throttled_seconds_total', 'Time for which the processor quota stopped it.', ({ counters }) => seconds(counters?.cpu.throttledNs)),

  gauge('container_memory_usage_bytes', 'Memory in use, page cache included.', ({ usage }) => one(usage?.memory?.usageBytes)),
  gauge('container_memory_working_set_bytes', 'Memory in use without the page cache that could be dropped at once.', ({ usage }) => one(usage?.memory?.workingSetBytes)),
  gauge('container_memory_rss', 'Anonymous memory, bytes.', ({ usage }) => one(usage?.memory?.rssBytes)),
  gauge('container_memory_cache', 'Page cache, bytes.', ({ counters }) => one(counters?.memory.cacheBytes)),
  gauge('container_memory_mapped_file', 'Memory of mapped files, bytes.', ({ counters }) => one(counters?.memory.mappedBytes)),
  gauge('container_memory_kernel_usage', 'Memory that the kernel uses for it, bytes.', ({ counters }) => one(counters?.memory.kernelBytes)),
  gauge('container_memory_swap', 'Swap in use, bytes.', ({ usage }) => one(usage?.memory === undefined ? undefined : (usage.swapBytes ?? 0n))),
  gauge('container_memory_max_usage_bytes', 'The most memory that was ever in use.', ({ counters }) => one(counters?.memory.peakBytes)),
  counter('container_memory_failcnt', 'How often memory usage met the limit.', ({ counters }) => one(counters?.memory.limitHits)),
  counter('container_memory_failures_total', 'Page faults, and those that had to read from disk.', memoryFailures, ['failure_type', 'scope']),
  counter('container_oom_events_total', 'Processes killed for lack of memory.', ({ oomKills }) => one(oomKills === undefined ? undefined : BigInt(oomKills))),

  gauge('container_hugetlb_usage_bytes', 'Huge pages in use.', ({ counters }) => (counters?.hugePages ?? []).map(({ pageSize, usageBytes }) => ({ value: usageBytes, labels: [pageSize] })), ['pagesize']),
  gauge('container_hugetlb_max_usage_bytes', 'The most huge pages that were ever in use; cgroup v1 only.', ({ counters }) => (counters?.hugePages ?? []).flatMap(({ pageSize, peakBytes }) => one(peakBytes).map(withLabels(pageSize))), ['pagesize']),

  gauge('container_fs_usage_bytes', 'What the container has written, bytes.', ({ fileSystem }) => ofFileSystem(fileSystem, 'usedBytes'), ['device']),
  gauge('container_fs_limit_bytes', 'Size of the file system of its writable layer.', ({ fileSystem }) => ofFileSystem(fileSystem, 'limitBytes'), ['device']),
  gauge('container_fs_inodes_total', 'Inodes of the file system of its writable layer.', ({ fileSystem }) => ofFileSystem(fileSystem, 'inodesTotal'), ['device']),
  gauge('container_fs_inodes_free', 'Free inodes of the file system of its writable layer.', ({ fileSystem }) => ofFileSystem(fileSystem, 'inodesFree'), ['device']),
  counter('container_fs_reads_bytes_total', 'Bytes read from a device.', (figures) => ofDevices(figures, 'Read', ({ bytes }) => bytes), ['device']),
  counter('container_fs_reads_total', 'Reads from a device.', (figures) => ofDevices(figures, 'Read', ({ count }) => count), ['device']),
  counter('container_fs_writes_bytes_total', 'Bytes written to a device.', (figures) => ofDevices(figures, 'Write', ({ bytes }) => bytes), ['device']),
  counter('container_fs_writes_total', 'Writes to a device.', (figures) => ofDevices(figures, 'Write', ({ count }) => count), ['device']),
  counter('container_blkio_device_usage_total', 'Bytes moved by a device, by operation.', deviceUsage, ['device', 'major', 'minor', 'operation']),

  network('container_network_receive_bytes_total', 'Bytes received.', 'rxBytes'),
  network('container_network_receive_packets_total', 'Packets received.', 'rxPackets'),
  network('container_network_receive_packets_dropped_total', 'Packets dropped while they were received.', 'rxDropped'),
  network('container_network_receive_errors_total', 'Errors while receiving.', 'rxErrors'),
  network('container_network_transmit_bytes_total', 'Bytes sent.', 'txBytes'),
  network('container_network_transmit_packets_total', 'Packets sent.', 'txPackets'),
  network('container_network_transmit_packets_dropped_total', 'Packets dropped while they were sent.', 'txDropped'),
  network('container_network_transmit_errors_total', 'Errors while sending.', 'txErrors'),

  gauge('container_processes', 'Processes in it.', ({ processes }) => count(processes?.processes)),
  gauge('container_threads', 'Threads in it.', ({ usage }) => one(usage?.processes)),
  gauge('container_threads_max', 'The most threads it may have; 0 for no limit.', ({ counters }) => one(counters?.limits.threads)),
  gauge('container_file_descriptors', 'Open files of its processes.', ({ processes }) => count(processes?.fileDescriptors)),
  gauge('container_sockets', 'Open sockets of its processes.', ({ processes }) => count(processes?.sockets)),
  gauge('container_ulimits_soft', 'Soft resource limits of its first process; left out where there is none.', ({ processes }) => one(processes?.openFilesLimit).map(withLabels('max_open_files')), ['ulimit']),

  gauge('container_spec_cpu_period', 'Period of the processor quota, microseconds.', ({ counters }) => one(counters?.limits.cpuPeriodUs)),
  gauge('container_spec_cpu_quota', 'Processor time per period, microseconds; left out where there is no quota.', ({ counters }) => one(counters?.limits.cpuQuotaUs === 0n ? undefined : counters?.limits.cpuQuotaUs)),
  gauge('container_spec_cpu_shares', 'Share of the processors, 1024 for one part.', ({ counters }) => one(counters?.limits.cpuShares)),
  gauge('container_spec_memory_limit_bytes', 'Memory limit; 0 for none.', ({ counters }) => one(counters?.limits.memoryBytes)),
  gauge('container_spec_memory_reservation_limit_bytes', 'Memory that is kept for it; 0 for none.', ({ counters }) => one(counters?.limits.memoryReservationBytes)),
  gauge('container_spec_memory_swap_limit_bytes', 'Swap limit (cgroup v1: of memory and swap together); 0 for none, or without swap accounting.', ({ counters }) => one(counters === undefined ? undefined : (counters.limits.swapBytes ?? 0n))),

  ...pressure('cpu', 'processors'),
  ...pressure('memory', 'memory'),
  ...pressure('io', 'input and output'),

  gauge('container_start_time_seconds', 'When it was started, Unix time.', ({ startedAtNs }) => seconds(startedAtNs)),
  gauge('container_last_seen', 'When it was last seen, Unix time.', ({ atNs }) => seconds(atNs)),
]; // prettier-ignore

function counter(name: string, help: string, values: PodMetric['values'], labels: readonly string[] = []): PodMetric {
  return { name, help, type: 'counter', labels, values };
}

function gauge(name: string, help: string, values: PodMetric['values'], labels: readonly string[] = []): PodMetric {
  return { name, help, type: 'gauge', labels, values };
}

function network(name: string, help: string, key: Exclude<keyof InterfaceCounters, 'name'>): PodMetric {
  return counter(name, help, ({ interfaces }) => (interfaces ?? []).map((each) => ({ value: each[key], labels: [each.name] })), [
    'interface',
  ]);
}

/** Stalled: no process could go on, the kernel's `full`; waiting: at least one could not, its `some`. */
function pressure(resource: keyof CgroupUsage['pressure'], words: string): PodMetric[] {
  const of = (line: keyof Pressure): PodMetric['values'] => {
    return ({ usage }) => {
      const totalUs = usage?.pressure[resource]?.[line].totalUs;
      return seconds(totalUs === undefined ? undefined : totalUs * 1000n);
    };
  };
  return [
    counter(
      `container_pressure_${resource}_stalled_seconds_total`,
      `Time in which none of its processes could go on for lack of ${words}.`,
      of('full'),
    ),
    counter(`container_pressure_${resource}_waiting_seconds_total`, `Time in which some of its processes waited for ${words}.`, of('some')),
  ];
}

/** A container may make cgroups below its own. Both scopes have the figures of all of them together. */
function memoryFailures({ usage }: Figures): MetricValue[] {
  if (usage?.memory === undefined) return [];
  const { pageFaults, majorPageFaults } = usage.memory;
  return ['container', 'hierarchy'].flatMap((scope) => [
    { value: pageFaults, labels: ['pgfault', scope] },
    { value: majorPageFaults, labels: ['pgmajfault', scope] },
  ]);
}

function ofFileSystem(figures: Figures['fileSystem'], key: Exclude<keyof NonNullable<Figures['fileSystem']>, 'device'>): MetricValue[] {
  return figures === undefined ? [] : [{ value: figures[key], labels: [figures.device] }];
}

function ofDevices(figures: Figures, operation: string, of: (device: DeviceCounter) => bigint | undefined): MetricValue[] {
  const devices = figures.counters?.devices.filter((device) => device.operation === operation) ?? [];
  return devices.flatMap((device) => one(of(device)).map(withLabels(deviceName(figures, device))));
}

function deviceUsage(figures: Figures): MetricValue[] {
  const devices = figures.counters?.devices ?? [];
  return devices.map((device) => {
    const { major, minor, operation, bytes } = device;
    return { value: bytes, labels: [deviceName(figures, device), String(major), String(minor), operation] };
  });
}

function deviceName({ deviceNames }: Figures, { major, minor }: DeviceCounter): string {
  return deviceNames?.get(`${major}:${minor}`) ?? `${major}:${minor}`;
}

function withLabels(...labels: readonly string[]): (value: MetricValue) => MetricValue {
  return ({ value }) => ({ value, labels });
}

function one(value: bigint | undefined): MetricValue[] {
  return value === undefined ? [] : [{ value, labels: [] }];
}

function count(value: number | undefined): MetricValue[] {
  return one(value === undefined ? undefined : BigInt(value));
}

function seconds(nanoseconds: bigint | undefined): MetricValue[] {
  return one(nanoseconds === undefined ? undefined : nanoseconds / SECOND_NS);
}
