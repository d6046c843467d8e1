import type { LinuxContainerResources } from '../../api/cri/runtime.ts';
import { DaemonError, fail } from '../base/errors.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciCpu, OciMemory, OciResources } from './oci-types.ts';

/** What cpu.shares may be, and cpu.weight is made from: kernel, Documentation/admin-guide/cgroup-v1. */
const LOWEST_SHARES = 2;
const HIGHEST_SHARES = 262_144;
/** What a quota and its period may be, microseconds: kernel, kernel/sched/core.c, tg_set_cfs_bandwidth. */
const LEAST_CFS_US = 1000n;
const MOST_CFS_PERIOD_US = 1_000_000n;
const MOST_CFS_QUOTA_US = 2n ** 44n - 1n;
/** proc_pid_oom_score_adj(5). */
const MOST_OOM_SCORE_ADJ = 1000n;

export type ResourceHost = Pick<HostFacts, 'cgroupVersion' | 'swapAccounting' | 'hugepageSizes' | 'processors' | 'memoryNodes'>;

/**
 * The limits of a request, at creation and at UpdateContainerResources. Zero and empty mean unspecified: the field is
 * left out, and the runtime leaves the cgroup as it is.
 * @throws DaemonError InvalidArgument for values that contradict each other, FailedPrecondition for a limit that this
 * host has no controller for.
 * @param warnOfMissing is told of limits on huge pages that are left out for want of a controller; without it they are refused.
 */
export function ociResources(
  resources: LinuxContainerResources | undefined,
  host: ResourceHost,
  warnOfMissing?: (words: string) => void,
): OciResources {
  if (resources === undefined) return {};
  const { oomScoreAdj } = resources;
  if (oomScoreAdj < -MOST_OOM_SCORE_ADJ || oomScoreAdj > MOST_OOM_SCORE_ADJ) {
    fail(
      'InvalidArgument',
      `set resources: oom_score_adj is ${oomScoreAdj.toString()}, must be from -${MOST_OOM_SCORE_ADJ} to ${MOST_OOM_SCORE_ADJ}`,
    );
  }
  const cpu = cpuLimits(resources, host);
  const memory = memoryLimits(resources, host);
  const hugepageLimits = hugepages(resources, host, warnOfMissing);
  const { unified } = resources;
  const hasUnified = Object.keys(unified).length > 0;
  if (hasUnified && host.cgroupVersion === 'v1') {
    throw new DaemonError(
      'FailedPrecondition',
      `set resources: unified (${Object.keys(unified).join(', ')}) needs cgroup v2, this node has v1`,
    );
  }
  return {
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(hugepageLimits.length > 0 ? { hugepageLimits } : {}),
    ...(hasUnified ? { unified: checkUnified(unified) } : {}),
  };
}

function cpuLimits(resources: LinuxContainerResources, host: ResourceHost): OciCpu {
  const { cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems } = resources;
  if (cpuShares < 0n) fail('InvalidArgument', `set resources: cpu_shares is ${cpuShares}, must not be negative`);
  if (cpuPeriod !== 0n && (cpuPeriod < LEAST_CFS_US || cpuPeriod > MOST_CFS_PERIOD_US)) {
    fail(
      'InvalidArgument',
      `set resources: cpu_period is ${cpuPeriod.toString()}, must be 0 or from ${LEAST_CFS_US} to ${MOST_CFS_PERIOD_US} microseconds`,
    );
  }
  if (cpuQuota > 0n && (cpuQuota < LEAST_CFS_US || cpuQuota > MOST_CFS_QUOTA_US)) {
    fail(
      'InvalidArgument',
      `set resources: cpu_quota is ${cpuQuota.toString()}, must be 0, negative for no limit, or from ${LEAST_CFS_US} microseconds to 2^44 - 1`,
    );
  }
  return {
    ...(cpuShares === 0n ? {} : { shares: Math.min(Math.max(toNumber(cpuShares), LOWEST_SHARES), HIGHEST_SHARES) }),
    // Every negative quota is "no limit" to the kernel.
    ...(cpuQuota === 0n ? {} : { quota: cpuQuota < 0n ? -1 : toNumber(cpuQuota) }),
    ...(cpuPeriod === 0n ? {} : { period: toNumber(cpuPeriod) }),
    ...(cpusetCpus === '' ? {} : { cpus: checkList(cpusetCpus, 'cpuset_cpus', host.processors) }),
    ...(cpusetMems === '' ? {} : { mems: checkList(cpusetMems, 'cpuset_mems', host.memoryNodes) }),
  };
}

/** @param possible a list of what the node may ever have; empty where the kernel does not say. */
function checkList(text: string, field: string, possible: string): string {
  const isList = /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text) && rangesOf(text).every(([first, last]) => first <= last);
  if (!isList) fail('InvalidArgument', `set resources: ${field} is "${text}", must be a list of numbers and ranges as in cpuset(7)`);
  const has = rangesOf(possible);
  if (possible !== '' && !rangesOf(text).every(([first, last]) => has.some(([least, most]) => least <= first && last <= most)))
    fail('InvalidArgument', `set resources: ${field} is "${text}", must be within ${possible}, what this node has`);
  return text;
}

/** The ranges of a list such as `0-3,7`, both ends included. */
function rangesOf(list: string): [number, number][] {
  return list.split(',').map((part) => {
    const [first = '', last = first] = part.split('-');
    return [Number(first), Number(last)];
  });
}

/**
 * Memory and swap. `swap` counts both together, so a limit without one for swap gets the same number: no swapping, as
 * the kubelet expects of a pod that does not ask for swap.
 */
function memoryLimits(resources: LinuxContainerResources, host: ResourceHost): OciMemory {
  const limit = resources.memoryLimitInBytes;
  const swap = resources.memorySwapLimitInBytes;
  if (swap > 0n && limit > 0n && swap < limit) {
    throw new DaemonError(
      'InvalidArgument',
      `set resources: memory_swap_limit_in_bytes is ${swap.toString()} and counts memory too, must not be below memory_limit_in_bytes, ${limit.toString()}`,
    );
  }
  const memory = limit === 0n ? {} : { limit: unlimitedOr(limit) };
  if (!host.swapAccounting) return memory;
  if (swap !== 0n) return { ...memory, swap: unlimitedOr(swap) };
  // The kubelet's own word for it on v2, with LimitedSwap and without (pkg/kubelet/kuberuntime, swap configuration).
  if (Object.hasOwn(resources.unified, 'memory.swap.max')) return memory;
  return limit === 0n ? memory : { ...memory, swap: unlimitedOr(limit) };
}

/**
 * Refuses a limit on swap where memory has none: no kernel takes it, and no runtime. Of an update, what it sets over what was set.
 * @throws DaemonError InvalidArgument.
 */
export function refuseSwapAlone(resources: LinuxContainerResources | undefined, host: Pick<ResourceHost, 'swapAccounting'>): void {
  if (resources === undefined || !host.swapAccounting) return;
  const { memoryLimitInBytes, memorySwapLimitInBytes } = resources;
  if (memorySwapLimitInBytes <= 0n || memoryLimitInBytes > 0n) return;
  fail(
    'InvalidArgument',
    `set resources: memory_swap_limit_in_bytes is ${memorySwapLimitInBytes} without memory_limit_in_bytes, must come with a limit on memory`,
  );
}

function unlimitedOr(bytes: bigint): number {
  return bytes < 0n ? -1 : toNumber(bytes);
}

/** Numbers above 2^53 (8 PiB, 285 years) are beyond any machine, so the nearest exact number limits nothing either. */
function toNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

/**
 * The kubelet lists every page size, with 0 for those that a pod does not use. A size that is 0 and that the host has no file
 * for is left out.
 */
function hugepages(
  resources: LinuxContainerResources,
  host: ResourceHost,
  warnOfMissing: ((words: string) => void) | undefined,
): { pageSize: string; limit: number }[] {
  const asked = resources.hugepageLimits.filter(({ limit }) => limit !== 0n).map(({ pageSize }) => pageSize);
  if (host.hugepageSizes.length === 0 && asked.length > 0 && warnOfMissing !== undefined) {
    warnOfMissing(`the limits on huge pages of ${asked.join(', ')} are left out: this node has no hugetlb controller`);
    return [];
  }
  return resources.hugepageLimits.flatMap(({ pageSize, limit }) => {
    if (host.hugepageSizes.includes(pageSize)) return [{ pageSize, limit: toNumber(limit) }];
    if (limit === 0n) return [];
    const known = host.hugepageSizes.join(', ') || 'none: it has no hugetlb controller';
    throw new DaemonError(
      'FailedPrecondition',
      `set resources: hugepage_limits asks for a limit on huge pages of ${pageSize}, but this node can limit ${known}`,
    );
  });
}

/** A key is the name of one file of the cgroup: anything else could lead out of it. */
function checkUnified(unified: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const key of Object.keys(unified)) {
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(key)) {
      throw new DaemonError(
        'InvalidArgument',
        `set resources: unified has ${JSON.stringify(key)}, must be the name of a cgroup v2 file such as "memory.high"`,
      );
    }
  }
  return unified;
}
