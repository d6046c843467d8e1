import type { LinuxContainerResources } from '../../api/cri/runtime.ts';
import { Event } from '../../api/nri/enums.ts';
import type { Container as ContainerMessage, ContainerUpdate, PodSandbox as PodMessage } from '../../api/nri/messages.ts';
import { waitFor } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isAliveState, type Container } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import type { AdjustedCreation, ContainerLifecycle, Creation, ResourceChange, UpdateSteps } from '../container/lifecycle.ts';
import type { CreationWishes } from '../nri/results.ts';
import { nriResourcesOfCri } from '../ocispec/nri-resources.ts';
import type { Sandboxes } from '../podsandbox/sandboxes.ts';
import { adjustCreation, namingAdjusters, type AdjustParts } from './adjust.ts';
import type { Changes } from './changes.ts';
import { containerMessage, creationMessage } from './container-message.ts';
import { podMessage } from './pod-message.ts';
import type { PluginCalls } from './sandbox-events.ts';

export interface ContainerEventsParts {
  readonly plugins: PluginCalls;
  /** Asked late: it is made with this lifecycle. */
  readonly world: () => PluginsWorld;
  readonly log: Log;
}

/** What plugins have to do with. */
export interface PluginsWorld {
  readonly sandboxes: Pick<Sandboxes, 'store' | 'runtimeSpec'>;
  readonly containers: Pick<Containers, 'store' | 'bundleOf'>;
  readonly changes: Changes;
  readonly adjustParts: AdjustParts;
}

/** What a request to plugins is about. */
interface Subject {
  readonly pod: PodMessage | undefined;
  readonly container: ContainerMessage;
}

type ContainerEvent =
  | typeof Event.POST_CREATE_CONTAINER
  | typeof Event.START_CONTAINER
  | typeof Event.POST_START_CONTAINER
  | typeof Event.POST_UPDATE_CONTAINER
  | typeof Event.REMOVE_CONTAINER;

/**
 * The plugins' part in the life of containers. Each step is done in a window, from its event to the state that shows it, see
 * SandboxEvents. No lock of a container is held while others are changed, and no window is opened within one.
 */
export class ContainerEvents implements ContainerLifecycle {
  readonly #parts: ContainerEventsParts;
  /** Containers of whose creation not all have heard: their end is told after that. */
  readonly #making = new Map<string, Promise<void>>();
  /** Containers whose start holds a window and their lock: their end is told in it. */
  readonly #starting = new Set<string>();
  /** Ends that are being told, and what was asked for then being done. */
  readonly #ends = new Map<string, Promise<void>>();

  constructor(parts: ContainerEventsParts) {
    this.#parts = parts;
  }

  async create<T>(creation: Creation, work: AbortSignal, make: (adjusted: AdjustedCreation) => Promise<T>): Promise<T> {
    const { plugins } = this.#parts;
    return plugins.window(async () => {
      if (!plugins.active) return make(unchanged(creation));
      const { id } = creation.record;
      const told = Promise.withResolvers<undefined>();
      this.#making.set(id, told.promise);
      try {
        return await this.#make(creation, work, make);
      } finally {
        this.#making.delete(id);
        told.resolve(undefined);
      }
    });
  }

  async #make<T>(creation: Creation, work: AbortSignal, make: (adjusted: AdjustedCreation) => Promise<T>): Promise<T> {
    let wishes: CreationWishes | undefined;
    let made: T;
    try {
      wishes = await this.#askForWishes(creation, work);
      made = await make(wishes === undefined ? unchanged(creation) : await this.#adjusted(creation, wishes));
    } catch (error) {
      await this.#undo(creation);
      throw namingAdjusters(error, wishes?.owners.owners[creation.record.id]);
    }
    await this.#tellNow(Event.POST_CREATE_CONTAINER, creation.record.id);
    return made;
  }

  async #askForWishes(creation: Creation, work: AbortSignal): Promise<CreationWishes | undefined> {
    const { plugins, world } = this.#parts;
    if (!plugins.wants(Event.CREATE_CONTAINER)) return undefined;
    const request = { pod: await podMessage(world().sandboxes, creation.sandbox), container: creationMessage(creation) };
    // Who gives up waiting ignores the answer. The undo is told after it, since plugins are told one thing after the other.
    return waitFor(plugins.createContainer(request), work);
  }

  async #adjusted(creation: Creation, wishes: CreationWishes): Promise<AdjustedCreation> {
    const { changes, adjustParts } = this.#parts.world();
    await changes.carryOut(wishes);
    return adjustCreation(adjustParts, creation, wishes.adjust, wishes.owners.owners[creation.record.id]);
  }

  /** Plugins that have given it something take that back. Never rejects. */
  async #undo({ record, sandbox, spec }: Creation): Promise<void> {
    const { plugins, world } = this.#parts;
    const wantsStop = plugins.wants(Event.STOP_CONTAINER);
    const wantsRemove = plugins.wants(Event.REMOVE_CONTAINER);
    if (!wantsStop && !wantsRemove) return;
    const subject = async (): Promise<Subject> => ({
      pod: await podMessage(world().sandboxes, sandbox),
      container: creationMessage({ record, spec }),
    });
    if (wantsStop) {
      await this.#logged(record.id, async () => {
        await world().changes.carryOut(await plugins.stopContainer(await subject()));
      });
    }
    if (wantsRemove) await this.#logged(record.id, async () => plugins.relay(Event.REMOVE_CONTAINER, await subject()));
  }

  async start(container: Container, launch: (ask: () => Promise<void>) => Promise<void>): Promise<void> {
    const { id } = container.record;
    await this.#parts.plugins.window(async () => {
      this.#starting.add(id);
      try {
        await launch(async () => this.#relay(Event.START_CONTAINER, container));
        await this.#tellNow(Event.POST_START_CONTAINER, id);
      } finally {
        this.#starting.delete(id);
      }
    });
  }

  async update(container: Container, change: LinuxContainerResources, { check, apply }: UpdateSteps): Promise<void> {
    const { plugins } = this.#parts;
    await plugins.window(async () => {
      if (!plugins.active) return apply({ cri: change });
      await apply(await this.#askForChange(container, change, check));
      await this.#tellNow(Event.POST_UPDATE_CONTAINER, container.record.id);
    });
  }

  async #askForChange(container: Container, change: LinuxContainerResources, check: () => Promise<void>): Promise<ResourceChange> {
    const { plugins, world } = this.#parts;
    if (!plugins.wants(Event.UPDATE_CONTAINER)) return { cri: change };
    await check();
    const { changes } = world();
    const result = await plugins.updateContainer({ ...(await this.#subject(container)), linuxResources: nriResourcesOfCri(change) });
    await changes.carryOut(result);
    if (result.resources === undefined) return { cri: change };
    const { cri, more } = changes.read(result.resources);
    return { cri: { ...cri, oomScoreAdj: change.oomScoreAdj }, more };
  }

  async end(container: Container, record: () => Promise<Container>): Promise<void> {
    const { id } = container.record;
    const { plugins, world } = this.#parts;
    const settled = Promise.withResolvers<undefined>();
    const finish = (): void => {
      if (this.#ends.get(id) === settled.promise) this.#ends.delete(id);
      settled.resolve(undefined);
    };
    this.#ends.set(id, settled.promise);
    const tell = async (): Promise<readonly ContainerUpdate[]> => {
      const ended = await record();
      await this.#making.get(id);
      return this.#tellStop(ended);
    };
    try {
      const updates = this.#starting.has(id) ? await tell() : await plugins.window(tell);
      // The caller holds the lock of this container, and may not wait for another.
      if (updates.length > 0) void world().changes.carryOut({ updates }).finally(finish);
      else finish();
    } catch (error) {
      finish();
      throw error;
    }
  }

  async settled(id: string): Promise<void> {
    await this.#ends.get(id);
  }

  async remove(container: Container, begin: () => Promise<void>): Promise<void> {
    const { plugins, world } = this.#parts;
    await plugins.window(async () => {
      // One that was parked is removed without having ended.
      const updates = isAliveState(container.state) ? await this.#tellStop(container) : [];
      await this.#tell(Event.REMOVE_CONTAINER, container);
      if (updates.length > 0) void world().changes.carryOut({ updates });
      await begin();
    });
  }

  /** @returns what is wanted of other containers. Never rejects. */
  async #tellStop(container: Container): Promise<readonly ContainerUpdate[]> {
    const { plugins } = this.#parts;
    let updates: readonly ContainerUpdate[] = [];
    if (plugins.active && plugins.wants(Event.STOP_CONTAINER)) {
      await this.#logged(container.record.id, async () => {
        ({ updates } = await plugins.stopContainer(await this.#subject(container)));
      });
    }
    return updates;
  }

  /** What a request to plugins says of a container that is there. */
  async #subject(container: Container): Promise<Subject> {
    const { sandboxes, containers } = this.#parts.world();
    const { id, sandboxId } = container.record;
    const sandbox = sandboxes.store.get(sandboxId);
    return {
      pod: sandbox && (await podMessage(sandboxes, sandbox)),
      container: await containerMessage(containers.bundleOf(id).specFile, container),
    };
  }

  async #relay(event: ContainerEvent, container: Container): Promise<void> {
    const { plugins } = this.#parts;
    if (plugins.active && plugins.wants(event)) await plugins.relay(event, await this.#subject(container));
  }

  /** Of what has happened anyway. Never rejects. */
  async #tell(event: ContainerEvent, container: Container): Promise<void> {
    await this.#logged(container.record.id, async () => this.#relay(event, container));
  }

  async #logged(containerId: string, tell: () => Promise<void>): Promise<void> {
    try {
      await tell();
    } catch (error) {
      this.#parts.log.warn('telling plugins of a container failed', { containerId, error: messageOf(error) });
    }
  }

  /** As {@link #tell}, of a container as it is now. */
  async #tellNow(event: ContainerEvent, id: string): Promise<void> {
    const container = this.#parts.plugins.active ? this.#parts.world().containers.store.get(id) : undefined;
    if (container !== undefined) await this.#tell(event, container);
  }
}

function unchanged({ record, spec }: Creation): AdjustedCreation {
  return { spec, resources: record.config.linux?.resources };
}
