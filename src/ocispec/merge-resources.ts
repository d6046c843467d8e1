import type { LinuxContainerResources } from '../../api/cri/runtime.ts';

/** What the request sets, over what was set before. */
export function mergeResources(before: LinuxContainerResources | undefined, change: LinuxContainerResources): LinuxContainerResources {
  if (before === undefined) return { ...change, oomScoreAdj: 0n };
  return {
    cpuPeriod: change.cpuPeriod === 0n ? before.cpuPeriod : change.cpuPeriod,
    cpuQuota: change.cpuQuota === 0n ? before.cpuQuota : change.cpuQuota,
    cpuShares: change.cpuShares === 0n ? before.cpuShares : change.cpuShares,
    memoryLimitInBytes: change.memoryLimitInBytes === 0n ? before.memoryLimitInBytes : change.memoryLimitInBytes,
    memorySwapLimitInBytes: swapAfter(before, change),
    // No runtime changes the OOM score of running processes (nor do CRI-O and containerd), so the one that was set at the
    // creation is shown.
    oomScoreAdj: before.oomScoreAdj,
    cpusetCpus: change.cpusetCpus === '' ? before.cpusetCpus : change.cpusetCpus,
    cpusetMems: change.cpusetMems === '' ? before.cpusetMems : change.cpusetMems,
    hugepageLimits: change.hugepageLimits.length === 0 ? before.hugepageLimits : change.hugepageLimits,
    unified: { ...before.unified, ...change.unified },
  };
}

/** A new limit on memory alone takes the one on swap along, to no swap (ociResources); it was never there where none is shown. */
function swapAfter(before: LinuxContainerResources, { memoryLimitInBytes, memorySwapLimitInBytes }: LinuxContainerResources): bigint {
  if (memorySwapLimitInBytes !== 0n) return memorySwapLimitInBytes;
  return before.memorySwapLimitInBytes === 0n || memoryLimitInBytes === 0n ? before.memorySwapLimitInBytes : memoryLimitInBytes;
}
