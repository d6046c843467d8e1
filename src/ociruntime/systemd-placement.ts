import { basename } from 'node:path';
import { sleep } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import { unitsOutOfMemory } from '../linux/journal.ts';
import { sliceToCgroupPath, startScope, stopUnit } from '../linux/systemd.ts';
import {
  before,
  checkRequestedParent,
  crioName,
  idAtEnd,
  idsWithoutProcess,
  isOwnName,
  OWN_NAME_PREFIX,
  refuseParent,
} from './placement.ts';
import type { CgroupNaming, CgroupPlacement, PlacedContainer } from './placement.ts';

/** Begins the names of slices for pods that name no parent. A `-` makes a slice the child of another, systemd.slice(5). */
const OWN_SLICE_PREFIX = 'podwright-';
/** Between a pod's slice and a container's id in linux.cgroupsPath, by naming: the runtime makes `podwright-ID.scope` of it. */
const PREFIXES: Readonly<Record<CgroupNaming, string>> = { own: 'podwright', crio: 'crio' };
/** systemd.unit(5): the characters of a unit's name; systemd.slice(5): no name between two `-` is empty. */
const SLICE = /^[A-Za-z0-9:_.\\]+(-[A-Za-z0-9:_.\\]+)*\.slice$/;
/** systemd.unit(5): the characters of a part of a scope's name that is not escaped. */
const SCOPE_PART = /^[A-Za-z0-9_.-]{1,100}$/;
/** How long systemd may take to remove a cgroup whose last process has ended, milliseconds; then it is asked to. */
const COLLECT_MS = 2_000;
/** The same after systemd was asked, milliseconds. */
const STOP_MS = 20_000;
const POLL_MS = 10;
/** Units that containers' scopes are ordered after or before. A name that systemd does not know has no effect. */
const OWN_UNIT = 'podwright.service';
const KUBELET_UNIT = 'kubelet.service';

/** Cgroups that systemd makes and removes with its units. A parent is the name of a slice: `kubepods-pod1.slice`. */
export class SystemdPlacement implements CgroupPlacement {
  readonly driver = 'systemd';
  naming: CgroupNaming = 'own';
  readonly #cgroups: Cgroups;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  parent(requested: string, sandboxId: string): string {
    checkRequestedParent(requested);
    if (requested === '') return `${OWN_SLICE_PREFIX}${sandboxId}.slice`;
    const slice = requested.split('/').at(-1) ?? '';
    if (!SLICE.test(slice)) refuseParent(requested, 'with the systemd cgroup driver it must end in .slice and be the name of a unit');
    return slice;
  }

  cgroupsPath(parent: string, id: string): string {
    return `${parent}:${PREFIXES[this.naming]}:${id}`;
  }

  parentOf(cgroupsPath: string, id: string): string | undefined {
    return before(cgroupsPath, `:${PREFIXES.own}:${id}`) ?? before(cgroupsPath, `:${PREFIXES.crio}:${id}`);
  }

  /**
   * Annotations that make the runtime give a container's scope these properties (`org.systemd.property.*`, in runc's and
   * crun's manuals; systemd.unit(5), systemd.kill(5)). A scope that has failed must not stay loaded. At a shutdown of the
   * node the container is asked to end like any service, after the kubelet, which would start it again, and before us, who
   * put its exit code on record. The infra container must outlive the others, so it stays to the very end.
   * @param graceSeconds at least one is set, as systemd takes 0 for no limit
   */
  runtimeAnnotations(kind: 'container' | 'infra', graceSeconds?: number): Readonly<Record<string, string>> {
    const property = (name: string): string => `org.systemd.property.${name}`;
    const collected = { [property('CollectMode')]: "'inactive-or-failed'" };
    if (kind === 'infra') return collected;
    return {
      ...collected,
      [property('DefaultDependencies')]: 'true',
      [property('After')]: `['${OWN_UNIT}']`,
      [property('Before')]: `['${KUBELET_UNIT}']`,
      ...(graceSeconds === undefined
        ? {}
        : { [property('TimeoutStopUSec')]: `uint64 ${Math.max(1, Math.round(graceSeconds)) * 1_000_000}` }),
    };
  }

  parentDirectory(parent: string): string {
    return sliceToCgroupPath(parent);
  }

  parentAt(directory: string): string {
    return basename(directory);
  }

  readPath(cgroupsPath: string): { readonly directory: string } | { readonly must: string } {
    const unit = unitOf(cgroupsPath);
    if (unit !== undefined) return { directory: directoryOf(unit) };
    return {
      must: `must be SLICE.slice:PREFIX:NAME with the systemd cgroup driver, so that PREFIX-NAME.scope is the name of a unit that does not begin with ${OWN_NAME_PREFIX} and is not crio-ID`,
    };
  }

  containerDirectory(parent: string, id: string, cgroupsPath?: string): string {
    return directoryOf(containerUnit(parent, id, cgroupsPath));
  }

  /** Makes nothing: systemd makes a slice with the first scope in it. What the kubelet has named is its own to remove. */
  async ensureParent(parent: string): Promise<boolean> {
    return isOwnSlice(parent);
  }

  async removeParent(parent: string): Promise<void> {
    // An empty slice stays, until it is stopped.
    if (isOwnSlice(parent) && (await this.#cgroups.exists(sliceToCgroupPath(parent)))) await stopUnit(parent);
  }

  /** Nothing to prepare: systemd makes the scope around the monitor that runs. */
  async prepareMonitor(): Promise<void> {}

  async placeMonitor(parent: string, id: string, pid: number): Promise<void> {
    await startScope({ name: monitorScope(id), slice: parent, pid, description: `podwright monitor of container ${id}` });
  }

  async toldOutOfMemory(containers: readonly PlacedContainer[]): Promise<ReadonlySet<string> | undefined> {
    const scopes = containers.map(({ id, cgroupParent, cgroupsPath }) => containerUnit(cgroupParent, id, cgroupsPath).scope);
    const units = await unitsOutOfMemory(scopes);
    return units === undefined ? undefined : new Set(containers.filter((_, at) => units.has(scopes[at] ?? '')).map(({ id }) => id));
  }

  async removeContainer(parent: string, id: string, cgroupsPath?: string): Promise<void> {
    const units = [containerUnit(parent, id, cgroupsPath), { slice: parent, scope: monitorScope(id) }];
    await Promise.all(units.map(async (unit) => this.#endScope(unit)));
  }

  idOf(name: string): string | undefined {
    const id = idAtEnd(name);
    return id !== undefined && scopesOf(id).includes(name) ? id : undefined;
  }

  async idsWithoutProcess(parent: string): Promise<string[]> {
    return idsWithoutProcess(this.#cgroups, sliceToCgroupPath(parent), (name) => this.idOf(name));
  }

  async removeAllOf(parent: string, id: string): Promise<void> {
    await Promise.all(
      scopesOf(id).map(async (scope) => {
        const path = directoryOf({ slice: parent, scope });
        // One without processes is no unit's: systemd removes those of its own.
        if ((await this.#cgroups.processes(path)).length > 0) await this.#endScope({ slice: parent, scope });
        else if (await this.#cgroups.exists(path)) await this.#cgroups.remove(path);
      }),
    );
  }

  /** A directory in systemd's tree that no unit has: a scope cannot be without processes. cAdvisor wants its name to end in `.scope`. */
  async makeNetworkCgroup(parent: string, id: string, cgroupsPath: string): Promise<void> {
    if (!isOwnSlice(parent)) await this.#cgroups.makeLeaf(this.containerDirectory(parent, id, cgroupsPath));
  }

  async removeNetworkCgroup(parent: string, id: string, cgroupsPath: string): Promise<void> {
    await this.#cgroups.removeLeaf(this.containerDirectory(parent, id, cgroupsPath));
  }

  /**
   * Kills what is in a scope and waits until its cgroup is gone, which systemd removes with the last process. So systemd
   * need not be asked anything, as long as it is quick.
   */
  async #endScope({ slice, scope }: Unit): Promise<void> {
    const path = directoryOf({ slice, scope });
    if (!(await this.#cgroups.exists(path))) return;
    await this.#cgroups.kill(path);
    if (await this.#isGoneWithin(path, COLLECT_MS)) return;
    await stopUnit(scope);
    if (await this.#isGoneWithin(path, STOP_MS)) return;
    throw new DaemonError('DeadlineExceeded', `remove cgroup ${path}: systemd has not stopped ${scope} after ${STOP_MS / 1000} s`);
  }

  async #isGoneWithin(path: string, timeoutMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + timeoutMs;
    while (await this.#cgroups.exists(path)) {
      if (performance.now() > giveUpAt) return false;
      await sleep(POLL_MS);
    }
    return true;
  }
}

/** Whether the slice was named by us, for a pod that named none. */
function isOwnSlice(slice: string): boolean {
  return slice.startsWith(OWN_SLICE_PREFIX);
}

interface Unit {
  readonly slice: string;
  readonly scope: string;
}

function directoryOf({ slice, scope }: Unit): string {
  return `${sliceToCgroupPath(slice)}/${scope}`;
}

/** Of all cgroups that an object may have in a pod's. */
function scopesOf(id: string): readonly string[] {
  return [ownScope(id), crioName(id), monitorScope(id)];
}

function ownScope(id: string): string {
  return `${OWN_NAME_PREFIX}${id}.scope`;
}

function containerUnit(parent: string, id: string, cgroupsPath = ''): Unit {
  const isCrio = cgroupsPath === `${parent}:${PREFIXES.crio}:${id}`;
  return unitOf(cgroupsPath) ?? { slice: parent, scope: isCrio ? crioName(id) : ownScope(id) };
}

/** What runtimes make of a linux.cgroupsPath; undefined for one that they may take in different ways, or that is ours. */
function unitOf(cgroupsPath: string): Unit | undefined {
  const [slice = '', prefix = '', name = '', ...others] = cgroupsPath.split(':');
  const isScope = others.length === 0 && SCOPE_PART.test(prefix) && SCOPE_PART.test(name) && !/\.(slice|scope)$/.test(name);
  const scope = `${prefix}-${name}.scope`;
  return SLICE.test(slice) && isScope && !isOwnName(`${prefix}-${name}`) ? { slice, scope } : undefined;
}

function monitorScope(id: string): string {
  return `podwright-conmon-${id}.scope`;
}
