import { CgroupTexts, V1_NO_LIMIT } from './cgroup-texts.ts';
import type { CgroupCounters, CgroupFigures, CgroupUsage, DeviceCounter } from './figures.ts';
import { hugePageFigures, memoryFigures } from './shared-figures.ts';

/** The cgroup's directory for a controller; undefined where the node does not have it. */
type DirectoryOf = (controller: string) => string | undefined;

/** What `usageOf` looks at. https://docs.kernel.org/admin-guide/cgroup-v1/ */
const USAGE_FILES = [
  'cpuacct.usage',
  'memory.usage_in_bytes',
  'memory.stat',
  'memory.limit_in_bytes',
  'memory.memsw.usage_in_bytes',
  'pids.current',
];
const BYTES_FILE = 'blkio.throttle.io_service_bytes_recursive';
const COUNTS_FILE = 'blkio.throttle.io_serviced_recursive';
/** What the counters need besides. */
const OTHER_FILES = [
  'cpuacct.usage_user',
  'cpuacct.usage_sys',
  'cpu.stat',
  'cpu.shares',
  'cpu.cfs_quota_us',
  'cpu.cfs_period_us',
  'memory.kmem.usage_in_bytes',
  'memory.max_usage_in_bytes',
  'memory.failcnt',
  'memory.soft_limit_in_bytes',
  'memory.memsw.limit_in_bytes',
  'pids.max',
  BYTES_FILE,
  COUNTS_FILE,
];

/** Undefined where there is no such cgroup. */
export async function readUsage(directoryOf: DirectoryOf): Promise<CgroupUsage | undefined> {
  return usageOf(await CgroupTexts.read(directoryOf, USAGE_FILES));
}

/** Undefined where there is no such cgroup. */
export async function readFigures(
  directoryOf: DirectoryOf,
  hugePageSizes: readonly string[],
): Promise<Omit<CgroupFigures, 'oomKills'> | undefined> {
  const files = [...USAGE_FILES, ...OTHER_FILES, ...hugePageSizes.flatMap((pageSize) => Object.values(hugePagesFiles(pageSize)))];
  const texts = await CgroupTexts.read(directoryOf, files);
  const usage = usageOf(texts);
  return usage === undefined ? undefined : { usage, counters: countersOf(texts, hugePageSizes) };
}

function usageOf(texts: CgroupTexts): CgroupUsage | undefined {
  if (texts.text('cpuacct.usage') === undefined && texts.text('memory.usage_in_bytes') === undefined) return undefined;
  const used = texts.number('memory.usage_in_bytes');
  const limit = texts.number('memory.limit_in_bytes');
  const both = texts.number('memory.memsw.usage_in_bytes');
  return {
    cpuNs: texts.number('cpuacct.usage'),
    memory: memoryFigures(used, texts.flat('memory.stat'), limit === undefined || limit >= V1_NO_LIMIT ? undefined : limit, {
      inactive: 'total_inactive_file',
      rss: 'total_rss',
      faults: 'total_pgfault',
      major: 'total_pgmajfault',
    }),
    swapBytes: both === undefined || used === undefined ? undefined : both > used ? both - used : 0n,
    swapLimitBytes: undefined,
    processes: texts.number('pids.current'),
    pressure: { cpu: undefined, memory: undefined, io: undefined },
  };
}

function countersOf(texts: CgroupTexts, hugePageSizes: readonly string[]): CgroupCounters {
  const [cpu, memory] = [texts.flat('cpu.stat'), texts.flat('memory.stat')];
  return {
    cpu: {
      userNs: texts.number('cpuacct.usage_user'),
      systemNs: texts.number('cpuacct.usage_sys'),
      periods: cpu['nr_periods'],
      throttledPeriods: cpu['nr_throttled'],
      throttledNs: cpu['throttled_time'],
    },
    memory: {
      cacheBytes: memory['total_cache'],
      mappedBytes: memory['total_mapped_file'],
      kernelBytes: texts.number('memory.kmem.usage_in_bytes'),
      peakBytes: texts.number('memory.max_usage_in_bytes'),
      limitHits: texts.number('memory.failcnt'),
    },
    limits: {
      cpuShares: texts.number('cpu.shares'),
      cpuQuotaUs: texts.limit('cpu.cfs_quota_us'),
      cpuPeriodUs: texts.number('cpu.cfs_period_us'),
      memoryBytes: texts.limit('memory.limit_in_bytes'),
      memoryReservationBytes: texts.limit('memory.soft_limit_in_bytes'),
      swapBytes: texts.limit('memory.memsw.limit_in_bytes'),
      threads: texts.limit('pids.max'),
    },
    devices: parseThrottleFiles(texts.text(BYTES_FILE) ?? '', texts.text(COUNTS_FILE) ?? ''),
    hugePages: hugePageSizes.flatMap((pageSize) => {
      const { usage, peak } = hugePagesFiles(pageSize);
      return hugePageFigures(pageSize, texts.number(usage), texts.number(peak));
    }),
  };
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

function hugePagesFiles(pageSize: string): { readonly usage: string; readonly peak: string } {
  return { usage: `hugetlb.${pageSize}.usage_in_bytes`, peak: `hugetlb.${pageSize}.max_usage_in_bytes` };
}
