import type { ContainerEviction, ContainerUpdate, LinuxResources } from '../../../api/nri/messages.ts';
import { messages } from '../../../api/nri/messages.ts';
import { MOST_WISHES } from '../limits.ts';
import type { Eviction } from '../results.ts';
import type { Owners } from './owners.ts';
import { needName, refuse } from './refusal.ts';
import { claimResources, filled, noResources, withResources } from './resources.ts';

/** Most that the updates of all plugins in one call may come to, bytes on the wire. The module has no limit but a message's, 4 MiB. */
const UPDATES_LIMIT_BYTES = 2 * 1024 * 1024;

/** The container that the call is about. */
export interface Subject {
  readonly id: string;
  readonly call: 'creation' | 'update';
}

/** What plugins want done to other containers, and in an update to its own, in the course of one call. */
export class Updates {
  readonly #owners: Owners;
  readonly #subject: Subject | undefined;
  readonly #requested: LinuxResources;
  readonly #updates = new Map<string, { resources: LinuxResources; ignoreFailure: boolean }>();
  readonly #evictions = new Map<string, Eviction>();
  #count = 0;
  #bytes = 0;

  /** `requested` is what an update asks for, with which the container's own begins. */
  constructor(owners: Owners, subject?: Subject, requested?: LinuxResources) {
    this.#owners = owners;
    this.#subject = subject;
    this.#requested = filled(requested);
  }

  /** Of the call's container: undefined where no plugin has updated it. */
  get own(): LinuxResources | undefined {
    return this.#subject === undefined ? undefined : this.#updates.get(this.#subject.id)?.resources;
  }

  /** Of the call's container as the next plugin sees them. */
  get requested(): LinuxResources {
    return this.own ?? this.#requested;
  }

  /** Of the others, in the order in which they came up. */
  get others(): ContainerUpdate[] {
    return [...this.#updates]
      .filter(([id]) => id !== this.#subject?.id)
      .map(([containerId, { resources, ignoreFailure }]) => ({ containerId, linux: { resources }, ignoreFailure }));
  }

  /** One for each container: the first that asked gives the reason. */
  get evictions(): Eviction[] {
    return [...this.#evictions.values()];
  }

  /** @throws DaemonError that names the plugin and what it may not ask for. */
  apply(
    { update, evict }: { readonly update: readonly ContainerUpdate[]; readonly evict: readonly ContainerEviction[] },
    plugin: string,
  ): void {
    this.#count += update.length + evict.length;
    if (this.#count > MOST_WISHES)
      refuse(plugin, `its updates and those of plugins before it are ${this.#count}, at most ${MOST_WISHES} are taken`);
    this.#bytes += messages.UpdateContainerResponse.encode({ update, evict }).length;
    if (this.#bytes > UPDATES_LIMIT_BYTES) {
      refuse(plugin, `its updates and those of plugins before it come to ${this.#bytes} bytes, at most ${UPDATES_LIMIT_BYTES} are taken`);
    }
    for (const one of update) this.#update(one, plugin);
    for (const one of evict) this.#evict(one, plugin);
  }

  #update({ containerId, linux, ignoreFailure }: ContainerUpdate, plugin: string): void {
    this.#checkId(containerId, plugin, 'update');
    const before = this.#updates.get(containerId);
    // The module begins with nothing here, and an update that says nothing then undoes what the kubelet has asked for.
    const resources = before?.resources ?? (containerId === this.#subject?.id ? this.#requested : noResources());
    const update = { resources, ignoreFailure: ignoreFailure && before?.ignoreFailure !== false };
    this.#updates.set(containerId, update);
    if (linux?.resources === undefined) return;
    try {
      claimResources({ owners: this.#owners, container: containerId, plugin }, linux.resources);
    } catch (error) {
      if (ignoreFailure) return;
      throw error;
    }
    update.resources = withResources(resources, linux.resources);
  }

  #evict(eviction: ContainerEviction, plugin: string): void {
    this.#checkId(eviction.containerId, plugin, 'eviction');
    if (!this.#evictions.has(eviction.containerId)) this.#evictions.set(eviction.containerId, { ...eviction, plugin });
  }

  #checkId(id: string, plugin: string, what: string): void {
    needName(id, plugin, `an ${what} without the id of a container`);
    if (this.#subject?.call === 'creation' && this.#subject.id === id) refuse(plugin, `${what} of container ${id} while it is created`);
  }
}
