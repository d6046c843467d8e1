import { reasonOf } from './deadline.ts';

/** Gives a slot back; a second call does nothing. */
export type Release = () => void;

interface Waiter {
  readonly take: () => void;
}

/** How many of something go on at once, in the order in which they were asked for. These may be within others: downloads of one image within those of the node. */
export class Slots {
  readonly #limit: () => number;
  readonly #within: Slots | undefined;
  readonly #waiters: Waiter[] = [];
  #taken = 0;

  /** @param limit is asked each time, so that a reload takes effect; at least 1. */
  constructor(limit: () => number, within?: Slots) {
    this.#limit = limit;
    this.#within = within;
  }

  /** Whether somebody waits for a slot: who has one that can be spared should give it back. */
  get isWanted(): boolean {
    return this.#waiters.length > 0 || this.#within?.isWanted === true;
  }

  /** Waits for a slot. @throws the signal's reason. */
  async acquire(signal: AbortSignal): Promise<Release> {
    await this.#wait(signal);
    if (this.#within === undefined) return this.#releaser();
    try {
      return this.#releaser(await this.#within.acquire(signal));
    } catch (error) {
      this.#giveBack();
      throw error;
    }
  }

  /** A slot that nobody waits for; undefined where there is none. */
  tryAcquire(): Release | undefined {
    if (this.#waiters.length > 0 || this.#taken >= this.#limit()) return undefined;
    const outer = this.#within?.tryAcquire();
    if (this.#within !== undefined && outer === undefined) return undefined;
    this.#taken += 1;
    return this.#releaser(outer);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw reasonOf(signal);
    if (this.#waiters.length === 0 && this.#taken < this.#limit()) {
      this.#taken += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(reasonOf(signal));
      };
      const waiter: Waiter = {
        take: () => {
          signal.removeEventListener('abort', stop);
          this.#taken += 1;
          resolve();
        },
      };
      this.#waiters.push(waiter);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  #releaser(outer?: Release): Release {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      outer?.();
      this.#giveBack();
    };
  }

  #giveBack(): void {
    this.#taken -= 1;
    while (this.#taken < this.#limit()) {
      const next = this.#waiters.shift();
      if (next === undefined) return;
      next.take();
    }
  }
}
