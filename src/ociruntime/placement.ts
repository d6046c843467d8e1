import { DaemonError, hasErrno } from '../base/errors.ts';
import type { Cgroups } from '../linux/cgroups.ts';
import { sliceToCgroupPath, startScope, stopScope } from '../linux/systemd.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** Below it, or in it, are the pods that name no parent. */
const DEFAULT_PARENT = { cgroupfs: '/podwright', systemd: 'system.slice' } as const;
/** How often a pod's cgroup is made again, while the last pod beside it takes the parent away. */
const ENSURE_ATTEMPTS = 3;

/**
 * Where in the cgroup tree things go. The kubelet finds a container by the text behind the last `-` of a `.scope` (systemd)
 * or by the last path element (cgroupfs); monitors get a leaf or a scope of their own, so that a restart of our service
 * does not kill them (cri.md, conmon's contract).
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
   * @throws InvalidArgument where the systemd driver is not given a slice.
   */
  parent(requested: string, sandboxId: string): string {
    if (requested === '') return this.driver === 'cgroupfs' ? `${DEFAULT_PARENT.cgroupfs}/${sandboxId}` : DEFAULT_PARENT.systemd;
    if (this.driver === 'cgroupfs') return requested.startsWith('/') ? requested : `/${requested}`;
    const slice = requested.split('/').at(-1) ?? '';
    if (!slice.endsWith('.slice')) throw new DaemonError('InvalidArgument', `cgroup parent ${requested}: with the systemd cgroup driver it must end in .slice`);
    return slice;
  }

  /** OCI linux.cgroupsPath for a container. */
  cgroupsPath(parent: string, id: string): string {
    return this.driver === 'cgroupfs' ? `${parent}/${id}` : `${parent}:podwright:${id}`;
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
    // systemd makes slices by itself with the first scope in them, and collects them with the last.
    if (this.driver === 'systemd') return false;
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
    if (this.driver === 'systemd') return;
    await this.#cgroups.removeIfEmpty(parent);
    if (parent.startsWith(`${DEFAULT_PARENT.cgroupfs}/`)) await this.#cgroups.removeIfEmpty(DEFAULT_PARENT.cgroupfs);
  }

  /** Moves a monitor out of our own cgroup. */
  async placeMonitor(parent: string, id: string, pid: number): Promise<void> {
    if (this.driver === 'systemd') {
      await startScope({ name: `podwright-conmon-${id}.scope`, slice: parent, pid, description: `podwright monitor of container ${id}` });
      return;
    }
    const path = monitorDirectory(parent, id);
    await this.#cgroups.ensure(path);
    await this.#cgroups.move(path, pid);
  }

  /** Removes the cgroups of a container and of its monitor, with every process that is still in them. Idempotent. */
  async removeContainer(parent: string, id: string): Promise<void> {
    if (this.driver === 'systemd') {
      await stopScope(`podwright-${id}.scope`);
      await stopScope(`podwright-conmon-${id}.scope`);
      return;
    }
    for (const path of [this.containerDirectory(parent, id), monitorDirectory(parent, id)]) {
      await this.#cgroups.kill(path);
      await this.#cgroups.remove(path);
    }
  }
}

function monitorDirectory(parent: string, id: string): string {
  return `${parent}/podwright-conmon-${id}`;
}
