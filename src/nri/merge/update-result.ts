import type { ContainerEviction, ContainerUpdate, LinuxResources, UpdateContainerRequest } from '../../../api/nri/messages.ts';
import type { Eviction } from '../results.ts';
import { Owners } from './owners.ts';
import { Updates } from './updates.ts';

/** What all plugins together want at the update of a container, or at its stop. */
export class UpdateResult {
  readonly #request: UpdateContainerRequest | undefined;
  readonly #updates: Updates;

  /** A stop has no request of its own: plugins may then update others only. */
  constructor(request: UpdateContainerRequest | undefined) {
    this.#request = request;
    const id = request?.container?.id;
    const subject = id === undefined ? undefined : { id, call: 'update' as const };
    this.#updates = new Updates(new Owners(), subject, request?.linuxResources);
  }

  /** What the next plugin sees: the request with what the plugins before it have asked for. */
  get request(): UpdateContainerRequest | undefined {
    if (this.#request === undefined) return undefined;
    return { ...this.#request, linuxResources: this.#updates.requested };
  }

  /** Takes in what a plugin has answered. @throws DaemonError that names the plugin, the field and, in a conflict, the other plugin. */
  apply(response: { readonly update: readonly ContainerUpdate[]; readonly evict?: readonly ContainerEviction[] }, plugin: string): void {
    this.#updates.apply({ update: response.update, evict: response.evict ?? [] }, plugin);
  }

  /** All that the container itself is to have, the request's included; undefined where no plugin wants anything of it. */
  get resources(): LinuxResources | undefined {
    return this.#updates.own;
  }

  /** Of other containers; one for each. */
  get updates(): ContainerUpdate[] {
    return this.#updates.others;
  }

  /** One for each container. */
  get evictions(): Eviction[] {
    return this.#updates.evictions;
  }
}
