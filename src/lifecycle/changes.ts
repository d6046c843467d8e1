import type { ContainerUpdate, LinuxResources } from '../../api/nri/messages.ts';
import { settledWithin } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isAliveState } from '../container/container.ts';
import type { Containers } from '../container/containers.ts';
import type { ResourceChange } from '../container/lifecycle.ts';
import { shortened } from '../nri/limits.ts';
import type { Eviction } from '../nri/results.ts';
import type { HostFacts } from '../ocispec/host-facts.ts';
import { changeOf } from '../ocispec/nri-resources.ts';

/** How long a step waits for what plugins want of other containers, milliseconds: one that hangs must not hold the others up. */
const PATIENCE_MS = 5_000;

export interface ChangesParts {
  readonly containers: Pick<Containers, 'store' | 'adjust' | 'stop'>;
  readonly hostFacts: () => HostFacts;
  readonly log: Log;
}

/** What plugins want of containers that are there. */
interface Wishes {
  readonly updates: readonly ContainerUpdate[];
  readonly evictions?: readonly Eviction[];
}

/**
 * Does what plugins want done to containers that are there. Each is changed under its own lock, in the order of asking; whoever
 * calls this holds no lock of a container, and no two are ever held at once.
 */
export class Changes {
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** Does what plugins have answered at a step, and waits for it, within reason; what takes longer goes on. Never rejects. */
  async carryOut({ updates, evictions = [] }: Wishes): Promise<void> {
    await this.evict(evictions);
    if (updates.length > 0 && !(await settledWithin(this.update(updates, 'of those asked'), PATIENCE_MS)))
      this.#parts.log.warn('updates that plugins want take long; they go on');
  }

  /**
   * A container that is not there, or has ended, needs no change: as containerd has it, that is no failure.
   * @param by who wants it, for log lines.
   * @returns those that failed, without those whose failure is to be ignored. Never rejects.
   */
  async update(updates: readonly ContainerUpdate[], by: string): Promise<ContainerUpdate[]> {
    // All are queued at once, so that of two answers the later counts, and one that hangs holds up no other.
    const failed = await Promise.all(updates.map(async (update) => ((await this.#updateOne(update, by)) ? [] : [update])));
    return failed.flat();
  }

  /** @returns whether it was done, or need not be. */
  async #updateOne({ containerId, linux, ignoreFailure }: ContainerUpdate, by: string): Promise<boolean> {
    const { containers, log } = this.#parts;
    const container = containers.store.get(containerId);
    if (container === undefined || !isAliveState(container.state) || linux?.resources === undefined) return true;
    try {
      await containers.adjust(container.record.id, this.read(linux.resources));
      return true;
    } catch (error) {
      const fields = { containerId, plugin: by, error: messageOf(error) };
      if (ignoreFailure) log.warn('an update that a plugin wants failed, which it wants ignored', fields);
      else log.error('an update that a plugin wants failed', fields);
      return ignoreFailure;
    }
  }

  /** What new limits are in our terms. @throws DaemonError FailedPrecondition for what cannot be changed, or not on this node. */
  read(resources: LinuxResources): ResourceChange {
    return changeOf(resources, this.#parts.hostFacts());
  }

  /** Stops containers at once. One that is not there has gone. Never rejects. */
  async evict(evictions: readonly Eviction[]): Promise<void> {
    await Promise.all(evictions.map(async (eviction) => this.#evictOne(eviction)));
  }

  async #evictOne({ containerId, reason, plugin }: Eviction): Promise<void> {
    const { containers, log } = this.#parts;
    const container = containers.store.get(containerId);
    if (container === undefined || !isAliveState(container.state)) return;
    log.warn('a plugin evicts a container', { containerId, plugin, reason: shortened(reason) });
    const stop = containers.stop(container.record.id, 0).catch((error: unknown) => {
      log.error('a container that a plugin evicts could not be stopped', { containerId, plugin, error: messageOf(error) });
    });
    if (!(await settledWithin(stop, PATIENCE_MS)))
      log.warn('a container that a plugin evicts does not end; its stop goes on', { containerId, plugin });
  }
}
