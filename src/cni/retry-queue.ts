import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export interface RetryQueueOptions {
  /** What is tried, for the log: `detach from the network`. */
  readonly what: string;
  readonly work: (id: string, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  /** The wait after the first failure, milliseconds; each further one is twice as long. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** How many are tried at the same time. */
  readonly concurrency: number;
}

/** One piece of work that has not succeeded yet. */
export interface QueuedWork {
  readonly id: string;
  readonly attempts: number;
  readonly lastError: string | undefined;
}

interface Entry {
  readonly id: string;
  attempts: number;
  lastError: string | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Tries a piece of work per id, in the background and with growing pauses, until it succeeds. */
export class RetryQueue {
  readonly #options: RetryQueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #due: Entry[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: RetryQueueOptions) {
    this.#options = options;
  }

  /** Queues work for `id`, tried at once; where it is queued already, its next try is now. */
  add(id: string): void {
    if (this.#stop.signal.aborted) return;
    const known = this.#entries.get(id);
    if (known !== undefined && known.timer === undefined) return;
    clearTimeout(known?.timer);
    const entry = known ?? { id, attempts: 0, lastError: undefined, timer: undefined };
    entry.timer = undefined;
    this.#entries.set(id, entry);
    this.#due.push(entry);
    this.#pump();
  }

  list(): QueuedWork[] {
    return [...this.#entries.values()].map(({ id, attempts, lastError }) => ({ id, attempts, lastError }));
  }

  /** Ends the waiting, aborts what runs, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const entry of this.#entries.values()) clearTimeout(entry.timer);
    this.#due.length = 0;
    await Promise.all(this.#running);
  }

  #pump(): void {
    while (this.#running.size < this.#options.concurrency) {
      const entry = this.#due.shift();
      if (entry === undefined) return;
      const attempt = this.#attempt(entry).finally(() => {
        this.#running.delete(attempt);
        this.#pump();
      });
      this.#running.add(attempt);
    }
  }

  async #attempt(entry: Entry): Promise<void> {
    const { what, work, log, firstDelayMs, longestDelayMs } = this.#options;
    try {
      await work(entry.id, this.#stop.signal);
      this.#entries.delete(entry.id);
      log.info(`${what} ${entry.id}: done`, { attempts: entry.attempts + 1 });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      entry.attempts += 1;
      entry.lastError = messageOf(error);
      const delayMs = Math.min(firstDelayMs * 2 ** (entry.attempts - 1), longestDelayMs);
      log.warn(`${what} ${entry.id}: ${entry.lastError}; next try in ${delayMs / 1000} s`, { attempts: entry.attempts });
      entry.timer = setTimeout(() => {
        entry.timer = undefined;
        this.#due.push(entry);
        this.#pump();
      }, delayMs).unref();
    }
  }
}
