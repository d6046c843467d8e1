import { reasonOf, waitFor } from './deadline.ts';

/** Runs work one at a time per key, in the order of asking; different keys never wait for each other. */
export class KeyedMutex<K> {
  readonly #tails = new Map<K, Promise<unknown>>();

  /** Whether work of this key is under way or waits. */
  isTaken(key: K): boolean {
    return this.#tails.has(key);
  }

  /** @param waiting ends the wait for the turn; work that has begun ends by itself. @throws what the work throws; the signal's reason where the work has not begun. */
  async run<T>(key: K, work: () => Promise<T>, waiting?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const begun = Promise.withResolvers<undefined>();
    const begin = async (): Promise<T> => {
      if (waiting?.aborted === true) throw reasonOf(waiting);
      begun.resolve(undefined);
      return await work();
    };
    const mine = before.then(begin, begin);
    this.#tails.set(key, mine);
    const free = (): void => {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    };
    // Who gives up leaves its place in the row to those behind it.
    mine.then(free, free);
    if (waiting !== undefined) await waitFor(Promise.race([begun.promise, mine]), waiting);
    return await mine;
  }
}
