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

/** How long is waited for containers that a plugin evicts, milliseconds; the stop goes on. A process may hang in the kernel. */
const EVICTION_PATIENCE_MS = 5_000;

export interface ChangesParts {
  readonly containers: Pick<Containers, 'store' | 'adjust' | 'stop'>;
  readonly hostFacts: () => HostFacts;
  readonly log: Log;
}

/**
 * Does what plugins want done to containers that are there. Each is changed under its own lock, one after the other: whoever
 * calls this holds no lock of a container, and no two are ever held at once.
 */
export class Changes {
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /**
   * A container that is not there, or has ended, needs no change: as containerd has it, that is no failure.
   * @param by who wants it, for log lines.
   * @returns those that failed, without those whose failure is to be ignored. Never rejects.
   */
  async update(updates: readonly ContainerUpdate[], by: string): Promise<ContainerUpdate[]> {
    const failed: ContainerUpdate[] = [];
    for (const update of updates) {
      try {
        await this.#updateOne(update);
      } catch (error) {
        const { containerId, ignoreFailure } = update;
        const fields = { containerId, plugin: by, error: messageOf(error) };
        if (ignoreFailure) this.#parts.log.warn('an update that a plugin wants failed, which it wants ignored', fields);
        else {
          this.#parts.log.error('an update that a plugin wants failed', fields);
          failed.push(update);
        }
      }
    }
    return failed;
  }

  async #updateOne({ containerId, linux }: ContainerUpdate): Promise<void> {
    const { containers } = this.#parts;
    const container = containers.store.get(containerId);
    if (container === undefined || !isAliveState(container.state) || linux?.resources === undefined) return;
    await containers.adjust(container.record.id, this.read(linux.resources));
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
    if (!(await settledWithin(stop, EVICTION_PATIENCE_MS)))
      log.warn('a container that a plugin evicts does not end; its stop goes on', { containerId, plugin });
  }
}
