import type { HugePageFigures, MemoryFigures } from './figures.ts';

/** How memory.stat names what both versions have in it. */
interface MemoryNames {
  readonly inactive: string;
  readonly rss: string;
  readonly faults: string;
  readonly major: string;
}

/** @param limitBytes undefined where there is none */
export function memoryFigures(
  usageBytes: bigint | undefined,
  stat: Readonly<Record<string, bigint>>,
  limitBytes: bigint | undefined,
  names: MemoryNames,
): MemoryFigures | undefined {
  if (usageBytes === undefined) return undefined;
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

/** None where the kernel does not count pages of this size for the cgroup. */
export function hugePageFigures(pageSize: string, usageBytes: bigint | undefined, peakBytes: bigint | undefined): HugePageFigures[] {
  return usageBytes === undefined ? [] : [{ pageSize, usageBytes, peakBytes }];
}
