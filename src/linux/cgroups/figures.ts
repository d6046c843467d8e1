/** All that a cgroup says of itself at one moment. */
export interface CgroupFigures {
  readonly usage: CgroupUsage;
  readonly counters: CgroupCounters;
  /** As `Cgroups.oomKills`. */
  readonly oomKills: number | undefined;
}

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

/**
 * What a cgroup says of itself beyond its usage: how its time was spent, its limits, its devices. A
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
