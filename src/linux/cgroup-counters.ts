import { readdir } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { V1_NO_LIMIT, cgroupFiles, parseFlat, parseNumber, type CgroupFiles } from './cgroup-stats.ts';
import type { Cgroups } from './cgroups.ts';

/**
 * What a cgroup says of itself beyond its usage (`readCgroupUsage`): how its time was spent, its limits, its devices. A
 * figure whose controller or kernel feature is missing is undefined.
 */
export interface CgroupCounters {
  readonly cpu: CpuCounters;
  readonly memory: MemoryCounters;
  readonly limits: CgroupLimits;
  readonly devices: readonly DeviceCounter[];
  readonly hugePages: readonly HugePageFigures[];
}

export interface CpuCounters {
  readonly userNs: bigint | undefined;
  readonly systemNs: bigint | undefined;
  /** Enforcement periods of the quota that have passed, in how many the quota was used up, and the time lost so. */
  readonly periods: bigint | undefined;
  readonly throttledPeriods: bigint | undefined;
  readonly throttledNs: bigint | undefined;
}

export interface MemoryCounters {
  readonly cacheBytes: bigint | undefined;
  readonly mappedBytes: bigint | undefined;
  readonly kernelBytes: bigint | undefined;
  /** The most that was ever in use. */
  readonly peakBytes: bigint | undefined;
  /** How often usage met the limit. */
  readonly limitHits: bigint | undefined;
}

/** Limits; 0 where there is none, undefined where the kernel does not say. */
export interface CgroupLimits {
  /** As for version 1, 1024 for one part of the processors; a version 2 weight is turned back into it. */
  readonly cpuShares: bigint | undefined;
  readonly cpuQuotaUs: bigint | undefined;
  readonly cpuPeriodUs: bigint | undefined;
  readonly memoryBytes: bigint | undefined;
  readonly memoryReservationBytes: bigint | undefined;
  /** Version 1: of memory and swap together; version 2: of swap. */
  readonly swapBytes: bigint | undefined;
  readonly threads: bigint | undefined;
}

/** What one block device did for a cgroup, in one kind of operation (`Read`, `Write`, `Discard`, ...). */
export interface DeviceCounter {
  readonly major: number;
  readonly minor: number;
  readonly operation: string;
  readonly bytes: bigint;
  /** Undefined where only bytes are counted. */
  readonly count: bigint | undefined;
}

export interface HugePageFigures {
  /** As the kernel names it: `2MB`. */
  readonly pageSize: string;
  readonly usageBytes: bigint;
  /** The most that was ever in use; version 2 keeps none. */
  readonly peakBytes: bigint | undefined;
}

/** Reads them; a cgroup that is gone has none. https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/ */
export async function readCgroupCounters(
  cgroups: Cgroups,
  path: string,
  hugePageSizes: readonly string[],
  files = cgroupFiles(cgroups, path),
): Promise<CgroupCounters> {
  return cgroups.version === 'v2' ? readV2(files, hugePageSizes) : readV1(files, hugePageSizes);
}

/** The sizes of huge pages that this kernel has, in the names of the cgroup files. */
export async function listHugePageSizes(directory = '/sys/kernel/mm/hugepages'): Promise<string[]> {
  const names = await unlessMissing(readdir(directory), []);
  return names.flatMap((name) => {
    const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
    if (kib === 0) return [];
    if (kib < 1024) return [`${kib}KB`];
    return [kib < 1_048_576 ? `${kib / 1024}MB` : `${kib / 1_048_576}GB`];
  });
}

async function readV2(of: CgroupFiles, hugePageSizes: readonly string[]): Promise<CgroupCounters> {
  const names = [
    'cpu.stat',
    'cpu.max',
    'cpu.weight',
    'memory.stat',
    'memory.events',
    'memory.peak',
    'memory.max',
    'memory.low',
    'memory.swap.max',
    'pids.max',
    'io.stat',
  ];
  const files = new Map(await Promise.all(names.map(async (name) => [name, await of('', name)] as const)));
  const hugePages = await Promise.all(
    hugePageSizes.map(async (pageSize) => hugePageFigures(pageSize, await of('', `hugetlb.${pageSize}.current`), undefined)),
  );
  const cpu = parseFlat(files.get('cpu.stat') ?? '');
  const memory = parseFlat(files.get('memory.stat') ?? '');
  const [quota, period] = files.get('cpu.max')?.trim().split(' ') ?? [];
  return {
    cpu: {
      userNs: times(cpu['user_usec'], 1000n),
      systemNs: times(cpu['system_usec'], 1000n),
      periods: cpu['nr_periods'],
      throttledPeriods: cpu['nr_throttled'],
      throttledNs: times(cpu['throttled_usec'], 1000n),
    },
    memory: {
      cacheBytes: memory['file'],
      mappedBytes: memory['file_mapped'],
      // A field since Linux 5.18; its greatest parts before.
      kernelBytes: memory['kernel'] ?? sum(memory['kernel_stack'], memory['slab']),
      peakBytes: parseNumber(files.get('memory.peak')),
      limitHits: parseFlat(files.get('memory.events') ?? '')['max'],
    },
    limits: {
      cpuShares: sharesOf(parseNumber(files.get('cpu.weight'))),
      cpuQuotaUs: limit(quota),
      cpuPeriodUs: parseNumber(period),
      memoryBytes: limit(files.get('memory.max')),
      memoryReservationBytes: limit(files.get('memory.low')),
      swapBytes: limit(files.get('memory.swap.max')),
      threads: limit(files.get('pids.max')),
    },
    devices: parseIoStat(files.get('io.stat') ?? ''),
    hugePages: hugePages.flat(),
  };
}

async function readV1(of: CgroupFiles, hugePageSizes: readonly string[]): Promise<CgroupCounters> {
  const all = async (controller: string, files: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(files.map(async (file) => of(controller, file)));
  const [accounting, cpu, memory, threads, block, hugePages] = await Promise.all([
    all('cpuacct', ['cpuacct.usage_user', 'cpuacct.usage_sys']),
    all('cpu', ['cpu.stat', 'cpu.shares', 'cpu.cfs_quota_us', 'cpu.cfs_period_us']),
    all('memory', [
      'memory.stat',
      'memory.kmem.usage_in_bytes',
      'memory.max_usage_in_bytes',
      'memory.failcnt',
      'memory.limit_in_bytes',
      'memory.soft_limit_in_bytes',
      'memory.memsw.limit_in_bytes',
    ]),
    of('pids', 'pids.max'),
    all('blkio', ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive']),
    Promise.all(
      hugePageSizes.map(async (pageSize) => {
        const [usage, peak] = await all('hugetlb', [`hugetlb.${pageSize}.usage_in_bytes`, `hugetlb.${pageSize}.max_usage_in_bytes`]);
        return hugePageFigures(pageSize, usage, peak);
      }),
    ),
  ]);
  const [cpuStat, memoryStat] = [parseFlat(cpu[0] ?? ''), parseFlat(memory[0] ?? '')];
  return {
    cpu: {
      userNs: parseNumber(accounting[0]),
      systemNs: parseNumber(accounting[1]),
      periods: cpuStat['nr_periods'],
      throttledPeriods: cpuStat['nr_throttled'],
      throttledNs: cpuStat['throttled_time'],
    },
    memory: {
      cacheBytes: memoryStat['total_cache'],
      mappedBytes: memoryStat['total_mapped_file'],
      kernelBytes: parseNumber(memory[1]),
      peakBytes: parseNumber(memory[2]),
      limitHits: parseNumber(memory[3]),
    },
    limits: {
      cpuShares: parseNumber(cpu[1]),
      cpuQuotaUs: limit(cpu[2]),
      cpuPeriodUs: parseNumber(cpu[3]),
      memoryBytes: limit(memory[4]),
      memoryReservationBytes: limit(memory[5]),
      swapBytes: limit(memory[6]),
      threads: limit(threads),
    },
    devices: parseThrottleFiles(block[0] ?? '', block[1] ?? ''),
    hugePages: hugePages.flat(),
  };
}

/** `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6` */
export function parseIoStat(text: string): DeviceCounter[] {
  return text.split('\n').flatMap((line) => {
    const [, major, minor, rest = ''] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    if (major === undefined || minor === undefined) return [];
    const values = parseFlat(rest.replaceAll('=', ' ').replaceAll(/(\S+ \d+) /g, '$1\n'));
    const of = (operation: string, letter: string): DeviceCounter => ({
      major: Number(major),
      minor: Number(minor),
      operation,
      bytes: values[`${letter}bytes`] ?? 0n,
      count: values[`${letter}ios`] ?? 0n,
    });
    return [of('Read', 'r'), of('Write', 'w'), of('Discard', 'd')];
  });
}

/** Lines of `8:0 Read 4096`, of bytes and of operations; the sum over all devices is left out. */
export function parseThrottleFiles(bytesText: string, countsText: string): DeviceCounter[] {
  const lines = (text: string): RegExpExecArray[] => [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)];
  const counts = new Map(
    lines(countsText).map(([, major, minor, operation, count]) => [`${major}:${minor} ${operation}`, BigInt(count ?? 0)]),
  );
  return lines(bytesText).map(([, major, minor, operation = '', bytes]) => ({
    major: Number(major),
    minor: Number(minor),
    operation,
    bytes: BigInt(bytes ?? 0),
    count: counts.get(`${major}:${minor} ${operation}`),
  }));
}

function hugePageFigures(pageSize: string, usage: string | undefined, peak: string | undefined): HugePageFigures[] {
  const usageBytes = parseNumber(usage);
  return usageBytes === undefined ? [] : [{ pageSize, usageBytes, peakBytes: parseNumber(peak) }];
}

/** `max`, -1 and version 1's greatest number are no limit. */
function limit(text: string | undefined): bigint | undefined {
  const trimmed = text?.trim();
  if (trimmed === 'max' || trimmed === '-1') return 0n;
  const value = parseNumber(trimmed);
  return value !== undefined && value >= V1_NO_LIMIT ? 0n : value;
}

/** The inverse of what OCI runtimes do with shares on version 2 (KEP-2254): 1 to 10000 for 2 to 262144. */
function sharesOf(weight: bigint | undefined): bigint | undefined {
  return weight === undefined || weight < 1n ? undefined : 2n + ((weight - 1n) * 262_142n) / 9999n;
}

function times(value: bigint | undefined, factor: bigint): bigint | undefined {
  return value === undefined ? undefined : value * factor;
}

function sum(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}
