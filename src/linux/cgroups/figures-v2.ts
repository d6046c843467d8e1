import { CgroupTexts, eventCount, parseFlat, parseLimit, parseNumber } from './cgroup-texts.ts';
import type { CgroupCounters, CgroupFigures, CgroupUsage, DeviceCounter } from './figures.ts';
import { hugePageFigures, memoryFigures } from './shared-figures.ts';

/** What `usageOf` looks at. https://docs.kernel.org/admin-guide/cgroup-v2.html */
const USAGE_FILES = [
  'cpu.stat',
  'memory.current',
  'memory.stat',
  'memory.max',
  'memory.swap.current',
  'memory.swap.max',
  'pids.current',
  'cpu.pressure',
  'memory.pressure',
  'io.pressure',
];
/** What the other figures need besides. */
const OTHER_FILES = ['cpu.max', 'cpu.weight', 'memory.events', 'memory.peak', 'memory.low', 'pids.max', 'io.stat'];
const NS_PER_US = 1000n;

/** Undefined where there is no such cgroup. */
export async function readUsage(directory: string): Promise<CgroupUsage | undefined> {
  return usageOf(await CgroupTexts.read(() => directory, USAGE_FILES));
}

/** Undefined where there is no such cgroup. */
export async function readFigures(directory: string, hugePageSizes: readonly string[]): Promise<CgroupFigures | undefined> {
  const files = [...USAGE_FILES, ...OTHER_FILES, ...hugePageSizes.map(hugePagesFile)];
  const texts = await CgroupTexts.read(() => directory, files);
  const usage = usageOf(texts);
  if (usage === undefined) return undefined;
  return { usage, counters: countersOf(texts, hugePageSizes), oomKills: eventCount(texts.text('memory.events') ?? '', 'oom_kill') };
}

function usageOf(texts: CgroupTexts): CgroupUsage | undefined {
  if (texts.text('cpu.stat') === undefined) return undefined;
  return {
    cpuNs: nanoseconds(texts.flat('cpu.stat')['usage_usec']),
    memory: memoryFigures(texts.number('memory.current'), texts.flat('memory.stat'), texts.number('memory.max'), {
      inactive: 'inactive_file',
      rss: 'anon',
      faults: 'pgfault',
      major: 'pgmajfault',
    }),
    swapBytes: texts.number('memory.swap.current'),
    swapLimitBytes: texts.number('memory.swap.max'),
    processes: texts.number('pids.current'),
    pressure: { cpu: texts.pressure('cpu.pressure'), memory: texts.pressure('memory.pressure'), io: texts.pressure('io.pressure') },
  };
}

function countersOf(texts: CgroupTexts, hugePageSizes: readonly string[]): CgroupCounters {
  const [cpu, memory] = [texts.flat('cpu.stat'), texts.flat('memory.stat')];
  const [quota, period] = texts.text('cpu.max')?.trim().split(' ') ?? [];
  return {
    cpu: {
      userNs: nanoseconds(cpu['user_usec']),
      systemNs: nanoseconds(cpu['system_usec']),
      periods: cpu['nr_periods'],
      throttledPeriods: cpu['nr_throttled'],
      throttledNs: nanoseconds(cpu['throttled_usec']),
    },
    memory: {
      cacheBytes: memory['file'],
      mappedBytes: memory['file_mapped'],
      // A field since Linux 5.18; its greatest parts before.
      kernelBytes: memory['kernel'] ?? sum(memory['kernel_stack'], memory['slab']),
      peakBytes: texts.number('memory.peak'),
      limitHits: texts.flat('memory.events')['max'],
    },
    limits: {
      cpuShares: sharesOf(texts.number('cpu.weight')),
      cpuQuotaUs: parseLimit(quota),
      cpuPeriodUs: parseNumber(period),
      memoryBytes: texts.limit('memory.max'),
      memoryReservationBytes: texts.limit('memory.low'),
      swapBytes: texts.limit('memory.swap.max'),
      threads: texts.limit('pids.max'),
    },
    devices: parseIoStat(texts.text('io.stat') ?? ''),
    hugePages: hugePageSizes.flatMap((pageSize) => hugePageFigures(pageSize, texts.number(hugePagesFile(pageSize)), undefined)),
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

function hugePagesFile(pageSize: string): string {
  return `hugetlb.${pageSize}.current`;
}

/** The inverse of what OCI runtimes do with shares on version 2 (KEP-2254): 1 to 10000 for 2 to 262144. */
function sharesOf(weight: bigint | undefined): bigint | undefined {
  return weight === undefined || weight < 1n ? undefined : 2n + ((weight - 1n) * 262_142n) / 9999n;
}

function nanoseconds(microseconds: bigint | undefined): bigint | undefined {
  return microseconds === undefined ? undefined : microseconds * NS_PER_US;
}

function sum(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}
