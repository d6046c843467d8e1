import { sleep } from '../base/deadline.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';
import type { Cgroups } from '../linux/cgroups.ts';
import { sliceToCgroupPath, startScope, stopUnit } from '../linux/systemd.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** Below it are the pods that name no parent, each in a cgroup or slice of its own. */
const DEFAULT_PARENT = { cgroupfs: '/podwright', systemd: 'podwright' } as const;
/** NAME_MAX, limits.h(0P). */
const NAME_LIMIT_BYTES = 255;
/** systemd.unit(5): the characters of a unit's name. */
const SLICE = /^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\-]*\.slice$/;
const SHOWN_CHARACTERS = 200;
/** How often a pod's cgroup is made again, while the last pod beside it takes the parent away. */
const ENSURE_ATTEMPTS = 3;
/** How long systemd may take to remove a cgroup whose last process has ended, milliseconds; then it is asked to. */
const COLLECT_MS = 2_000;
/** And when it was asked. */
const STOP_MS = 20_000;
const POLL_MS = 10;
/** Units that a container's scope is ordered by; a name that systemd does not know orders nothing. */
const OWN_UNIT = 'podwright.service';
const KUBELET_UNIT = 'kubelet.service';

/**
 * Where in the cgroup tree things go. The kubelet finds a container by the text behind the last `-` of a `.scope` (systemd)
 * or by the last path element (cgroupfs); monitors get a leaf or a scope of their own, so that a restart of our service
 * does not kill them (ARCHITECTURE.md, "Processes").
 */
export class CgroupPlacement {
  readonly driver: CgroupDriver;
  readonly #cgroups: Cgroups;

  constructor(driver: CgroupDriver, cgroups: Cgroups) {
    this.driver = driver;
    this.#cgroups = cgroups;
  }

  /**
   * The pod's cgroup in the driver's own form. The CRI gives it in cgroupfs syntax for both drivers.
   * @throws InvalidArgument where the systemd driver is not given a slice, and for a path that leads out of its parent.
   */
  parent(requested: string, sandboxId: string): string {
    if (requested.split('/').some((part) => part === '..' || part === '.' || Buffer.byteLength(part) > NAME_LIMIT_BYTES)) {
      throw new DaemonError(
        'InvalidArgument',
        `cgroup_parent is ${JSON.stringify(shortened(requested))}, must be a path whose parts are names of at most ${NAME_LIMIT_BYTES} bytes`,
      );
    }
    if (requested === '')
      return this.driver === 'cgroupfs' ? `${DEFAULT_PARENT.cgroupfs}/${sandboxId}` : `${DEFAULT_PARENT.systemd}-${sandboxId}.slice`;
    if (this.driver === 'cgroupfs') return requested.startsWith('/') ? requested : `/${requested}`;
    const slice = requested.split('/').at(-1) ?? '';
    if (!SLICE.test(slice))
      throw new DaemonError(
        'InvalidArgument',
        `cgroup_parent is ${JSON.stringify(shortened(requested))}, with the systemd cgroup driver it must end in .slice and be the name of a unit`,
      );
    return slice;
  }

  /** OCI linux.cgroupsPath for a container. */
  cgroupsPath(parent: string, id: string): string {
    return `${parent}${this.#separator}${id}`;
  }

  /** The pod's cgroup that {@link cgroupsPath} was made from; undefined where this driver has not made it for this container. */
  parentOf(cgroupsPath: string, id: string): string | undefined {
    const end = `${this.#separator}${id}`;
    return cgroupsPath.endsWith(end) ? cgroupsPath.slice(0, -end.length) : undefined;
  }

  /** Between the pod's cgroup and the container's id: `PARENT/ID` or `SLICE:podwright:ID`. */
  get #separator(): string {
    return this.driver === 'cgroupfs' ? '/' : ':podwright:';
  }

  /**
   * Annotations that make the runtime give a container's scope these properties (`org.systemd.property.*`, in runc's and
   * crun's manuals; systemd.unit(5), systemd.kill(5)). A scope that has failed must not stay loaded. At a shutdown of the
   * node the container is asked to end like any service, after the kubelet, which would start it again, and before us, who
   * put its exit code on record. The infra container must outlive the others, so it stays to the very end.
   * @param graceSeconds between the signals TERM and KILL; at least one, as systemd takes 0 for no limit
   */
  runtimeAnnotations(kind: 'container' | 'infra', graceSeconds?: number): Readonly<Record<string, string>> {
    if (this.driver !== 'systemd') return {};
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

  /** The cgroup of the pod itself, below every hierarchy's root. */
  parentDirectory(parent: string): string {
    return this.driver === 'cgroupfs' ? parent : sliceToCgroupPath(parent);
  }

  /** The cgroup a container's processes end up in, below every hierarchy's root. */
  containerDirectory(parent: string, id: string): string {
    return this.driver === 'cgroupfs' ? `${parent}/${id}` : `${sliceToCgroupPath(parent)}/podwright-${id}.scope`;
  }

  /** Makes the pod's cgroup where it is missing. Whether it was made: then it is ours to remove. */
  async ensureParent(parent: string): Promise<boolean> {
    // systemd makes slices by itself with the first scope in them; what the kubelet has named is its own to remove.
    if (this.driver === 'systemd') return isOwnSlice(parent);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#cgroups.ensure(parent);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT') || attempt === ENSURE_ATTEMPTS) throw error;
      }
    }
  }

  /** Removes the pod's cgroup, and our own parent of such, where nothing is in them. */
  async removeParent(parent: string): Promise<void> {
    if (this.driver === 'systemd') {
      // An empty slice stays, until it is stopped.
      if (isOwnSlice(parent) && (await this.#cgroups.exists(sliceToCgroupPath(parent)))) await stopUnit(parent);
      return;
    }
    await this.#cgroups.removeIfEmpty(parent);
    if (parent.startsWith(`${DEFAULT_PARENT.cgroupfs}/`)) await this.#cgroups.removeIfEmpty(DEFAULT_PARENT.cgroupfs);
  }

  /** Moves a monitor out of our own cgroup. */
  async placeMonitor(parent: string, id: string, pid: number): Promise<void> {
    if (this.driver === 'systemd') {
      await startScope({ name: `podwright-conmon-${id}.scope`, slice: parent, pid, description: `podwright monitor of container ${id}` });
      return;
    }
    await this.prepareMonitor(parent, id);
    await this.#cgroups.move(monitorDirectory(parent, id), pid);
  }

  /** Makes a monitor's cgroup ahead of its start, beside other work. */
  async prepareMonitor(parent: string, id: string): Promise<void> {
    if (this.driver === 'cgroupfs' && !(await this.#cgroups.exists(monitorDirectory(parent, id))))
      await this.#cgroups.ensure(monitorDirectory(parent, id));
  }

  /** Removes the cgroups of a container and of its monitor, with every process that is still in them. Idempotent. */
  async removeContainer(parent: string, id: string): Promise<void> {
    if (this.driver === 'systemd') {
      await Promise.all([`podwright-${id}.scope`, `podwright-conmon-${id}.scope`].map(async (scope) => this.#endScope(parent, scope)));
      return;
    }
    await Promise.all(
      [this.containerDirectory(parent, id), monitorDirectory(parent, id)].map(async (path) => {
        if (!(await this.#cgroups.exists(path))) return;
        await this.#cgroups.kill(path);
        await this.#cgroups.remove(path);
      }),
    );
  }

  /**
   * Kills what is in a scope and waits until its cgroup is gone, which systemd removes with the last process. So systemd
   * need not be asked anything, as long as it is quick.
   */
  async #endScope(slice: string, scope: string): Promise<void> {
    const path = `${sliceToCgroupPath(slice)}/${scope}`;
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
  return slice.startsWith(`${DEFAULT_PARENT.systemd}-`);
}

function monitorDirectory(parent: string, id: string): string {
  return `${parent}/podwright-conmon-${id}`;
}

function shortened(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}...`;
}
