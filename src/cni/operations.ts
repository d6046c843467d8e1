import { KeyedMutex } from '../base/keyed-mutex.ts';

/** Who may work on attachments when: one operation a container at a time, and none beside what must be alone. */
export class Operations {
  readonly #locks = new KeyedMutex<string>();
  #busy = 0;
  #alone: Promise<void> | undefined;

  /** Runs work of a container that runs no plugin. */
  async locked<T>(containerId: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(containerId, work);
  }

  /** Runs an operation of a container. */
  async run<T>(containerId: string, work: () => Promise<T>): Promise<T> {
    return this.locked(containerId, async () => {
      while (this.#alone !== undefined) await this.#alone;
      this.#busy += 1;
      try {
        return await work();
      } finally {
        this.#busy -= 1;
      }
    });
  }

  /** Runs work while no operation runs; operations that come wait for it. @returns false, at once, where some are under way. */
  async runAlone(work: () => Promise<void>): Promise<boolean> {
    if (this.#busy > 0 || this.#alone !== undefined) return false;
    const running = work();
    this.#alone = running
      .catch(() => undefined)
      .finally(() => {
        this.#alone = undefined;
      });
    await running;
    return true;
  }
}
