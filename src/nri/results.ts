import type { ContainerAdjustment, ContainerEviction, ContainerUpdate, LinuxResources, OwningPlugins } from '../../api/nri/messages.ts';

/** A container that a plugin wants to go. */
export type Eviction = ContainerEviction & { readonly plugin: string };

/** What all plugins together want of other containers. Whoever asked them applies it, outside of any lock. */
interface Wishes {
  /** One for each container. */
  readonly updates: readonly ContainerUpdate[];
  readonly evictions: readonly Eviction[];
}

/** What all plugins together want at the creation of a container. */
export interface CreationWishes extends Wishes {
  /** In its maps `-NAME` is a removal, which comes before `NAME` where both are there. */
  readonly adjust: ContainerAdjustment;
  /** Which plugin wants what, of this container and of those that are updated. */
  readonly owners: OwningPlugins;
}

/** What all plugins together want at the update of a container, or at its end. */
export interface UpdateWishes extends Wishes {
  /** All that the container itself is to have, the request's included; undefined where no plugin wants anything of it. */
  readonly resources: LinuxResources | undefined;
}
