import type { LinuxContainerResources } from '../../api/cri/runtime.ts';
import { Field } from '../../api/nri/enums.ts';
import type { ContainerAdjustment, LinuxCPU, LinuxMemory, LinuxResources } from '../../api/nri/messages.ts';
import { present } from '../base/field.ts';
import { mergeResources } from './merge-resources.ts';
import type { OciDeviceRule, OciResources } from './oci-types.ts';
import { quoted, refuserOf, type AskedPart, type Refuse } from './nri-refusal.ts';
import type { ResourceHost } from './resources.ts';

/** The limits of a spec as a plugin sees them. */
export function nriResourcesOf({ cpu, memory, hugepageLimits = [], unified = {}, devices = [], pids }: OciResources): LinuxResources {
  return {
    memory: memory && {
      limit: wide(memory.limit),
      reservation: wide(memory.reservation),
      swap: wide(memory.swap),
      kernel: wide(memory.kernel),
      kernelTcp: wide(memory.kernelTCP),
      swappiness: wide(memory.swappiness),
      disableOomKiller: boxed(memory.disableOOMKiller),
      useHierarchy: boxed(memory.useHierarchy),
    },
    cpu: cpu && {
      shares: wide(cpu.shares),
      quota: wide(cpu.quota),
      period: wide(cpu.period),
      realtimeRuntime: wide(cpu.realtimeRuntime),
      realtimePeriod: wide(cpu.realtimePeriod),
      cpus: cpu.cpus ?? '',
      mems: cpu.mems ?? '',
    },
    hugepageLimits: hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit: BigInt(limit) })),
    blockioClass: undefined,
    rdtClass: undefined,
    unified: { ...unified },
    devices: devices.map(({ allow, type = '', major, minor, access }) => ({
      allow,
      type,
      major: wide(major),
      minor: wide(minor),
      access,
    })),
    pids: pids && { limit: BigInt(pids.limit) },
  };
}

/** The limits of a request as a plugin sees them. What is unspecified, zero in the CRI, is absent. */
export function nriResourcesOfCri(resources: LinuxContainerResources | undefined): LinuxResources | undefined {
  if (resources === undefined) return undefined;
  const { cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems, memoryLimitInBytes, memorySwapLimitInBytes } = resources;
  const given = (value: bigint): { value: bigint } | undefined => (value === 0n ? undefined : { value });
  return {
    memory: {
      ...NO_MEMORY,
      limit: given(memoryLimitInBytes),
      swap: given(memorySwapLimitInBytes),
    },
    cpu: {
      shares: given(cpuShares),
      quota: given(cpuQuota),
      period: given(cpuPeriod),
      realtimeRuntime: undefined,
      realtimePeriod: undefined,
      cpus: cpusetCpus,
      mems: cpusetMems,
    },
    hugepageLimits: resources.hugepageLimits.map((limit) => ({ ...limit })),
    blockioClass: undefined,
    rdtClass: undefined,
    unified: { ...resources.unified },
    devices: [],
    pids: undefined,
  };
}

const NO_MEMORY: LinuxMemory = {
  limit: undefined,
  reservation: undefined,
  swap: undefined,
  kernel: undefined,
  kernelTcp: undefined,
  swappiness: undefined,
  disableOomKiller: undefined,
  useHierarchy: undefined,
};

function wide(value: number | undefined): { value: bigint } | undefined {
  return value === undefined ? undefined : { value: BigInt(value) };
}

function boxed<T>(value: T | undefined): { value: T } | undefined {
  return value === undefined ? undefined : { value };
}

type Host = Pick<ResourceHost, 'cgroupVersion' | 'swapAccounting'>;

/** A change of a container's limits: what the CRI has a field for, and what it has none for. */
export interface ResourceChange {
  readonly cri: LinuxContainerResources;
  readonly more: OciResources;
}

/**
 * What a plugin wants changed of a container that is there.
 * @throws DaemonError FailedPrecondition for what cannot be changed, or not on this node, with the field's name.
 */
export function changeOf(resources: LinuxResources, host: Host, refuse = UPDATE): ResourceChange {
  const { memory, blockioClass, rdtClass, devices } = resources;
  const atCreation = (field: Field, name: string): never =>
    refuse({ field }, `linux.resources.${name} is set, must not be: no runtime changes it in a container that is there`);
  if (blockioClass !== undefined) atCreation(Field.BlockioClass, 'blockio_class');
  if (rdtClass !== undefined) atCreation(Field.RdtClass, 'rdt_class');
  if (devices.length > 0) atCreation(Field.None, 'devices');
  if (memory?.swappiness !== undefined) atCreation(Field.MemSwappiness, 'memory.swappiness');
  if (memory?.disableOomKiller?.value === true) atCreation(Field.MemDisableOomKiller, 'memory.disable_oom_killer');
  return { cri: criResourcesOf(resources), more: furtherLimits(resources, host, refuse) };
}

const UPDATE = refuserOf('update container', undefined);

const MOST_INT64 = 2n ** 63n - 1n;

/** Those of a plugin's limits that the CRI has a field for; zero is unspecified. */
export function criResourcesOf({ cpu, memory, hugepageLimits, unified }: LinuxResources): LinuxContainerResources {
  const signed = (value = 0n): bigint => (value > MOST_INT64 ? MOST_INT64 : value);
  return {
    cpuPeriod: signed(cpu?.period?.value),
    cpuQuota: signed(cpu?.quota?.value),
    cpuShares: signed(cpu?.shares?.value),
    memoryLimitInBytes: signed(memory?.limit?.value),
    memorySwapLimitInBytes: signed(memory?.swap?.value),
    oomScoreAdj: 0n,
    cpusetCpus: cpu?.cpus ?? '',
    cpusetMems: cpu?.mems ?? '',
    hugepageLimits: hugepageLimits.map((limit) => ({ ...limit })),
    unified: { ...unified },
  };
}

/** The kernel's PID_MAX_LIMIT (include/linux/threads.h). It takes no larger limit, and there never are more, so that is none. */
const MOST_PIDS = 4n * 1024n * 1024n;

/** Those that the CRI has no field for, as a spec has them. */
export function furtherLimits(resources: LinuxResources, host: Host, refuse: Refuse): OciResources {
  const { limit, swap } = resources.memory ?? NO_MEMORY;
  if (!host.swapAccounting && swap !== undefined && swap.value !== 0n && swap.value !== limit?.value)
    refuse({ field: Field.MemSwapLimit }, `linux.resources.memory.swap is ${swap.value}, must be left out: this node counts no swap`);
  const cpu = realtimeLimits(resources.cpu, host, refuse);
  const memory = furtherMemory(resources.memory, host, refuse);
  const pids = resources.pids?.limit ?? 0n;
  return {
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    // A plugin that hands on what it was shown has 0 where there was no limit.
    ...(pids === 0n ? {} : { pids: { limit: pids < 0n || pids > MOST_PIDS ? -1 : Number(pids) } }),
  };
}

/** Zero is what a cgroup has by itself. */
function realtimeLimits(cpu: LinuxCPU | undefined, host: Host, refuse: Refuse): NonNullable<OciResources['cpu']> {
  const limit = (field: Field, name: string, value = 0n): number | undefined => {
    if (value === 0n) return undefined;
    if (host.cgroupVersion === 'v1') return exact(value);
    return refuse({ field }, `linux.resources.cpu.${name} is ${value}, must not be set: it needs cgroup v1, this node has v2`);
  };
  return present({
    realtimeRuntime: limit(Field.CPURealtimeRuntime, 'realtime_runtime', cpu?.realtimeRuntime?.value),
    realtimePeriod: limit(Field.CPURealtimePeriod, 'realtime_period', cpu?.realtimePeriod?.value),
  });
}

function furtherMemory(memory: LinuxMemory | undefined, host: Host, refuse: Refuse): NonNullable<OciResources['memory']> {
  if (memory === undefined) return {};
  const { reservation, kernel, kernelTcp, swappiness, disableOomKiller, useHierarchy } = memory;
  const gone = (field: Field, name: string, value = 0n): void => {
    if (value <= 0n) return; // no limit, as it is
    refuse({ field }, `linux.resources.memory.${name} is ${value}, must not be set: kernels and runtimes have no such limit any more`);
  };
  gone(Field.MemKernelLimit, 'kernel', kernel?.value);
  gone(Field.MemTCPLimit, 'kernel_tcp', kernelTcp?.value);
  const onlyV1 = (field: Field, name: string): void => {
    if (host.cgroupVersion === 'v2')
      refuse({ field }, `linux.resources.memory.${name} is set, must not be: it needs cgroup v1, this node has v2`);
  };
  if (swappiness !== undefined) onlyV1(Field.MemSwappiness, 'swappiness');
  if (disableOomKiller?.value === true) onlyV1(Field.MemDisableOomKiller, 'disable_oom_killer');
  // It is always so: cgroup v2, and v1 since Linux 5.11.
  if (useHierarchy?.value === false)
    refuse({ field: Field.MemUseHierarchy }, 'linux.resources.memory.use_hierarchy is false, must be true: kernels know nothing else');
  return present({
    reservation: reservation === undefined ? undefined : exact(reservation.value),
    swappiness: swappiness === undefined ? undefined : exact(swappiness.value),
    disableOOMKiller: disableOomKiller?.value === true ? true : undefined,
  });
}

/** A limit beyond any machine as the nearest exact number, as in a request: the digits of a larger one no runtime reads. */
function exact(value: bigint): number {
  return Number(value > MOST_EXACT ? MOST_EXACT : value < -1n ? -1n : value);
}

const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/** The rules that a plugin adds for devices. */
export function addedRules({ devices }: LinuxResources, refuse: Refuse): OciDeviceRule[] {
  return devices.map(({ allow, type, major, minor, access }) => {
    if (type !== '' && type !== 'a' && type !== 'b' && type !== 'c')
      refuse({ field: Field.None }, `linux.resources.devices has the type ${quoted(type)}, must be a, b or c`);
    if (!/^[rwm]+$/.test(access))
      refuse({ field: Field.None }, `linux.resources.devices has the access ${quoted(access)}, must be of the letters r, w and m`);
    for (const number of [major, minor])
      if (number !== undefined && (number.value < -1n || number.value > MOST_DEVICE_NUMBER))
        refuse(
          { field: Field.None },
          `linux.resources.devices has the number ${number.value}, must be from 0 to ${MOST_DEVICE_NUMBER}, or -1 for all`,
        );
    return {
      allow,
      ...(type === '' ? {} : { type: type }),
      ...present({ major: numberOf(major), minor: numberOf(minor) }),
      access,
    };
  });
}

/** No kernel has more bits for it. */
const MOST_DEVICE_NUMBER = 2n ** 32n - 1n;

function numberOf(optional: { readonly value: bigint } | undefined): number | undefined {
  return optional === undefined ? undefined : Number(optional.value);
}

/** The limits that a container has by the request and a plugin's adjustment: what its status shows, and later updates start from. */
export function resourcesAfter(
  request: LinuxContainerResources | undefined,
  { linux }: Pick<ContainerAdjustment, 'linux'>,
): LinuxContainerResources | undefined {
  const resources = linux?.resources;
  const score = linux?.oomScoreAdj?.value;
  if (resources === undefined && score === undefined) return request;
  const before = request ?? criResourcesOf(NO_RESOURCES);
  const cri = criResourcesOf(resources ?? NO_RESOURCES);
  const { cpu } = resources ?? NO_RESOURCES;
  return {
    ...mergeResources(before, cri),
    // What a plugin says of these counts, zero too.
    ...(cpu?.period === undefined ? {} : { cpuPeriod: cri.cpuPeriod }),
    ...(cpu?.quota === undefined ? {} : { cpuQuota: cri.cpuQuota }),
    ...(cpu?.shares === undefined ? {} : { cpuShares: cri.cpuShares }),
    oomScoreAdj: score ?? before.oomScoreAdj,
    hugepageLimits: hugepagesAfter(before.hugepageLimits, cri.hugepageLimits),
  };
}

/** Of one page size the later limit counts, in the place of the earlier. */
export function hugepagesAfter<T extends { readonly pageSize: string }>(before: readonly T[], more: readonly T[]): T[] {
  const limits = new Map([...before, ...more].map((limit) => [limit.pageSize, limit]));
  return [...limits.values()];
}

/** What resources.ts calls the fields of a request. */
const NAMES: readonly (readonly [name: string, field: Field])[] = [
  ['cpu_shares', Field.CPUShares],
  ['cpu_period', Field.CPUPeriod],
  ['cpu_quota', Field.CPUQuota],
  ['cpuset_cpus', Field.CPUSetCPUs],
  ['cpuset_mems', Field.CPUSetMems],
  ['memory_swap_limit_in_bytes', Field.MemSwapLimit],
];

/** The part of a plugin's limits that a refusal of ociResources is of. */
export function partInWords(words: string, { hugepageLimits, unified }: LinuxResources): AskedPart {
  const field = NAMES.find(([name]) => words.includes(name))?.[1];
  if (field !== undefined) return { field };
  const named = (key: string): boolean => words.includes(key);
  if (words.includes(' unified ')) return { field: Field.CgroupsUnified, key: Object.keys(unified).find(named) };
  return { field: Field.HugepageLimits, key: hugepageLimits.map(({ pageSize }) => pageSize).find(named) };
}

const NO_RESOURCES: LinuxResources = {
  memory: undefined,
  cpu: undefined,
  hugepageLimits: [],
  blockioClass: undefined,
  rdtClass: undefined,
  unified: {},
  devices: [],
  pids: undefined,
};
