import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../base/errors.ts';
import type { Cgroups } from './cgroups.ts';

/** Pressure stall information of one resource, https://docs.kernel.org/accounting/psi.html: percentages, total in microseconds. */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalUs: bigint;
}

/** What a cgroup uses at one moment. A figure whose controller is missing is undefined. */
export interface CgroupUsage {
  readonly cpuNs: bigint | undefined;
  readonly memory: MemoryFigures | undefined;
  readonly swapBytes: bigint | undefined;
  /** Undefined where there is no limit. */
  readonly swapLimitBytes: bigint | undefined;
  readonly processes: bigint | undefined;
  readonly pressure: { readonly cpu: Pressure | undefined; readonly memory: Pressure | undefined; readonly io: Pressure | undefined };
}

export interface MemoryFigures {
  readonly usageBytes: bigint;
  /** Usage less the page cache that could be dropped at once. */
  readonly workingSetBytes: bigint;
  readonly rssBytes: bigint;
  readonly pageFaults: bigint;
  readonly majorPageFaults: bigint;
  /** Undefined where there is no limit. */
  readonly limitBytes: bigint | undefined;
}

/** v1 says "no limit" with the largest page-aligned number. */
export const V1_NO_LIMIT = 2n ** 62n;

/** A file of one cgroup, in its controller's hierarchy; undefined where there is none, or no such cgroup any more. */
export type CgroupFiles = (controller: string, file: string) => Promise<string | undefined>;

/** The files of a cgroup; each is read once, whoever asks for it. */
export function cgroupFiles(cgroups: Cgroups, path: string): CgroupFiles {
  const texts = new Map<string, Promise<string | undefined>>();
  return async (controller, file) => {
    const directory = cgroups.directoryOf(controller, path);
    if (directory === undefined) return undefined;
    const text = texts.get(file) ?? readCgroupFile(directory, file);
    texts.set(file, text); // a file's name begins with its controller's
    return text;
  };
}

/** Reads what a cgroup uses; undefined where it does not exist (its container has just ended). */
export async function readCgroupUsage(
  cgroups: Cgroups,
  path: string,
  files = cgroupFiles(cgroups, path),
): Promise<CgroupUsage | undefined> {
  return cgroups.version === 'v2' ? readV2(files) : readV1(files);
}

async function readV2(files: CgroupFiles): Promise<CgroupUsage | undefined> {
  const [cpuStat, current, stat, max, swap, swapMax, pids, cpu, memory, io] = await Promise.all(
    [
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
    ].map(async (file) => files('', file)),
  );
  if (cpuStat === undefined) return undefined;
  const cpuUs = parseFlat(cpuStat)['usage_usec'];
  return {
    cpuNs: cpuUs === undefined ? undefined : cpuUs * 1000n,
    memory: memoryFigures(current, stat, parseNumber(max), {
      inactive: 'inactive_file',
      rss: 'anon',
      faults: 'pgfault',
      major: 'pgmajfault',
    }),
    swapBytes: parseNumber(swap),
    swapLimitBytes: parseNumber(swapMax),
    processes: parseNumber(pids),
    pressure: { cpu: parsePressure(cpu), memory: parsePressure(memory), io: parsePressure(io) },
  };
}

async function readV1(of: CgroupFiles): Promise<CgroupUsage | undefined> {
  const [cpu, usage, stat, limit, memsw, pids] = await Promise.all([
    of('cpuacct', 'cpuacct.usage'),
    of('memory', 'memory.usage_in_bytes'),
    of('memory', 'memory.stat'),
    of('memory', 'memory.limit_in_bytes'),
    of('memory', 'memory.memsw.usage_in_bytes'),
    of('pids', 'pids.current'),
  ]);
  if (cpu === undefined && usage === undefined) return undefined;
  const limitBytes = parseNumber(limit);
  const used = parseNumber(usage);
  const both = parseNumber(memsw);
  return {
    cpuNs: parseNumber(cpu),
    memory: memoryFigures(usage, stat, limitBytes === undefined || limitBytes >= V1_NO_LIMIT ? undefined : limitBytes, {
      inactive: 'total_inactive_file',
      rss: 'total_rss',
      faults: 'total_pgfault',
      major: 'total_pgmajfault',
    }),
    swapBytes: both === undefined || used === undefined ? undefined : both > used ? both - used : 0n,
    swapLimitBytes: undefined,
    processes: parseNumber(pids),
    pressure: { cpu: undefined, memory: undefined, io: undefined },
  };
}

function memoryFigures(
  usageText: string | undefined,
  statText: string | undefined,
  limitBytes: bigint | undefined,
  names: { inactive: string; rss: string; faults: string; major: string },
): MemoryFigures | undefined {
  const usageBytes = parseNumber(usageText);
  if (usageBytes === undefined) return undefined;
  const stat = parseFlat(statText ?? '');
  const inactive = stat[names.inactive] ?? 0n;
  return {
    usageBytes,
    workingSetBytes: usageBytes > inactive ? usageBytes - inactive : 0n,
    rssBytes: stat[names.rss] ?? 0n,
    pageFaults: stat[names.faults] ?? 0n,
    majorPageFaults: stat[names.major] ?? 0n,
    limitBytes,
  };
}

/** Lines of a name and a number. */
export function parseFlat(text: string): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  for (const line of text.split('\n')) {
    const [name = '', value = ''] = line.split(' ');
    if (/^\d+$/.test(value)) values[name] = BigInt(value);
  }
  return values;
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same for full; undefined where the kernel keeps none. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  const line = (name: string): PressureLine | undefined => {
    const match = new RegExp(`^${name} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)`, 'm').exec(text ?? '');
    return match === null
      ? undefined
      : { avg10: Number(match[1]), avg60: Number(match[2]), avg300: Number(match[3]), totalUs: BigInt(match[4] ?? 0) };
  };
  const some = line('some');
  return some === undefined ? undefined : { some, full: line('full') ?? { avg10: 0, avg60: 0, avg300: 0, totalUs: 0n } };
}

/** A file of one number; undefined for `max` and where there is no such file. */
export function parseNumber(text: string | undefined): bigint | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? BigInt(trimmed) : undefined;
}

async function readCgroupFile(directory: string, file: string): Promise<string | undefined> {
  try {
    return await readFile(join(directory, file), 'utf8');
  } catch (error) {
    // The cgroup may go while it is read; pressure files say EOPNOTSUPP where PSI is off.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP')) return undefined;
    throw error;
  }
}
