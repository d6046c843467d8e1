/** Merging of resources, of a container that is created and of those that are updated. */
import { Field } from '../../../api/nri/enums.ts';
import { messages } from '../../../api/nri/messages.ts';
import type { LinuxCPU, LinuxMemory, LinuxResources } from '../../../api/nri/messages.ts';
import type { Answer } from './entries.ts';
import type { Claim } from './owners.ts';
import { needName } from './refusal.ts';

const NOTHING = new Uint8Array(0);

const MEMORY: readonly (readonly [keyof LinuxMemory, Field])[] = [
  ['limit', Field.MemLimit],
  ['reservation', Field.MemReservation],
  ['swap', Field.MemSwapLimit],
  ['kernel', Field.MemKernelLimit],
  ['kernelTcp', Field.MemTCPLimit],
  ['swappiness', Field.MemSwappiness],
  ['disableOomKiller', Field.MemDisableOomKiller],
  ['useHierarchy', Field.MemUseHierarchy],
];
const CPU: readonly (readonly [keyof LinuxCPU, Field])[] = [
  ['shares', Field.CPUShares],
  ['quota', Field.CPUQuota],
  ['period', Field.CPUPeriod],
  ['realtimeRuntime', Field.CPURealtimeRuntime],
  ['realtimePeriod', Field.CPURealtimePeriod],
  ['cpus', Field.CPUSetCPUs],
  ['mems', Field.CPUSetMems],
];
const SINGLE = [
  ['blockioClass', Field.BlockioClass],
  ['rdtClass', Field.RdtClass],
  ['pids', Field.PidsLimit],
] as const satisfies readonly (readonly [keyof LinuxResources, Field])[];

/** Resources that say nothing, with memory and cpu, as plugins get them. */
export function noResources(): LinuxResources {
  return filled(messages.LinuxResources.decode(NOTHING));
}

/** Resources with a message for memory and for cpu. */
export function filled(resources: LinuxResources | undefined): LinuxResources {
  if (resources === undefined) return noResources();
  return {
    ...resources,
    memory: resources.memory ?? messages.LinuxMemory.decode(NOTHING),
    cpu: resources.cpu ?? messages.LinuxCPU.decode(NOTHING),
  };
}

/** @throws DaemonError where another plugin has set one of them, or where one has no name; then none of them is claimed. */
export function claimResources({ owners, container, plugin }: Answer, asked: LinuxResources): void {
  for (const { pageSize } of asked.hugepageLimits)
    needName(pageSize, plugin, `a hugepage limit without a page size, for container ${container}`);
  for (const key of Object.keys(asked.unified)) needName(key, plugin, `a unified resource without a name, for container ${container}`);
  owners.claimAll(container, plugin, [
    ...setFields(asked.memory, MEMORY),
    ...setFields(asked.cpu, CPU),
    ...asked.hugepageLimits.map(({ pageSize }) => ({ field: Field.HugepageLimits, key: pageSize })),
    ...Object.keys(asked.unified).map((key) => ({ field: Field.CgroupsUnified, key })),
    ...setFields(asked, SINGLE),
  ]);
}

/** `base` with what is asked for; both stay as they are. The rules for devices are not taken: see withDeviceRules. */
export function withResources(base: LinuxResources, asked: LinuxResources): LinuxResources {
  const { memory, cpu } = filled(base);
  const sizes = new Set(asked.hugepageLimits.map(({ pageSize }) => pageSize));
  const next: LinuxResources = {
    ...base,
    memory: withFields(memory, asked.memory, MEMORY),
    cpu: withFields(cpu, asked.cpu, CPU),
    // The module keeps the container's own limit beside the new one of the same size.
    hugepageLimits: [...base.hugepageLimits.filter(({ pageSize }) => !sizes.has(pageSize)), ...asked.hugepageLimits],
    unified: Object.fromEntries([...Object.entries(base.unified), ...Object.entries(asked.unified)]),
  };
  return withFields(next, asked, SINGLE) ?? next;
}

/** Rules for devices are added and nobody's own; they count at creation only, as in the module. */
export function withDeviceRules(base: LinuxResources, asked: LinuxResources): LinuxResources {
  return { ...base, devices: [...base.devices, ...asked.devices] };
}

type Fields<T extends object> = readonly (readonly [keyof T, Field])[];

const isSet = (value: unknown): boolean => value !== undefined && value !== '';

function setFields<T extends object>(asked: T | undefined, fields: Fields<T>): Claim[] {
  if (asked === undefined) return [];
  return fields.filter(([name]) => isSet(asked[name])).map(([, field]) => ({ field }));
}

function withFields<T extends object>(base: T | undefined, asked: T | undefined, fields: Fields<T>): T | undefined {
  if (base === undefined || asked === undefined) return base;
  const merged = { ...base };
  for (const [name] of fields) if (isSet(asked[name])) merged[name] = asked[name];
  return merged;
}
