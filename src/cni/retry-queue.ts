import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { outsideOfRequests } from '../base/steps.ts';

export interface RetryQueueOptions {
  /** What is tried, for the log: `detach from the network`. */
  readonly what: string;
  /** `failures`: how many tries have failed before this one. */
  readonly work: (id: string, signal: AbortSignal, failures: number) => Promise<void>;
  readonly log: Log;
  /** The wait after the first failure, milliseconds; each further one is twice as long. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** How many are tried at the same time. */
  readonly concurrency: number;
  /**
   * The time in which all that is due now is to be tried, milliseconds. Where many wait, a try gets its share of it and is
   * aborted then; alone it may take as long as it likes.
   */
  readonly roundMs: number;
  /** The least that a try gets, milliseconds. */
  readonly leastMs: number;
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
  /** Resolves with the try that is due or under way, however that ends. */
  tried: PromiseWithResolvers<undefined>;
}

interface Try {
  readonly startedAt: number;
  readonly abort: AbortController;
}

/**
 * Tries a piece of work per id, in the background and with growing pauses, until it succeeds. What was never tried goes before
 * what has failed, and what hangs does not hold up the rest for longer than its share of a round.
 */
export class RetryQueue {
  readonly #options: RetryQueueOptions;
  readonly #entries = new Map<string, Entry>();
  #due: Entry[] = [];
  readonly #running = new Map<Promise<void>, Try>();
  readonly #stop = new AbortController();
  #patience: NodeJS.Timeout | undefined;

  constructor(options: RetryQueueOptions) {
    this.#options = options;
  }

  /** Queues work for `id`, tried at once; where it is queued already, its next try is now. */
  add(id: string): void {
    if (this.#stop.signal.aborted) return;
    const known = this.#entries.get(id);
    if (known !== undefined && known.timer === undefined) return;
    clearTimeout(known?.timer);
    const entry = known ?? { id, attempts: 0, lastError: undefined, timer: undefined, tried: Promise.withResolvers() };
    entry.timer = undefined;
    this.#entries.set(id, entry);
    this.#due.push(entry);
    // It goes on when the call has its answer.
    outsideOfRequests(() => {
      this.#pump();
    });
  }

  list(): QueuedWork[] {
    return [...this.#entries.values()].map(({ id, attempts, lastError }) => ({ id, attempts, lastError }));
  }

  /** Resolves when the try of `id` that is due or under way has ended, well or not; at once where there is none. */
  async tried(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.timer !== undefined) return;
    await entry.tried.promise;
  }

  /** Ends the waiting, aborts what runs, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#patience);
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.timer);
      if (this.#due.includes(entry)) entry.tried.resolve(undefined);
    }
    this.#due = [];
    for (const { abort } of this.#running.values()) abort.abort();
    await Promise.all(this.#running.keys());
  }

  #pump(): void {
    while (this.#running.size < this.#options.concurrency) {
      const entry = this.#takeNext();
      if (entry === undefined) break;
      const abort = new AbortController();
      const attempt = this.#attempt(entry, abort.signal).finally(() => {
        this.#running.delete(attempt);
        this.#pump();
      });
      this.#running.set(attempt, { startedAt: performance.now(), abort });
    }
    this.#watch();
  }

  #takeNext(): Entry | undefined {
    const next = this.#due.find(({ attempts }) => attempts === 0) ?? this.#due[0];
    this.#due = this.#due.filter((entry) => entry !== next);
    return next;
  }

  /** While others wait, ends the tries that have had their share. */
  #watch(): void {
    clearTimeout(this.#patience);
    if (this.#due.length === 0 || this.#stop.signal.aborted) return;
    const { roundMs, leastMs, concurrency } = this.#options;
    const shareMs = Math.max((roundMs * concurrency) / (this.#due.length + concurrency), leastMs);
    const now = performance.now();
    let nextMs = shareMs;
    for (const { startedAt, abort } of this.#running.values()) {
      const leftMs = startedAt + shareMs - now;
      if (leftMs <= 0)
        abort.abort(
          new DaemonError(
            'DeadlineExceeded',
            `no answer after ${((now - startedAt) / 1000).toFixed(1)} s, and ${this.#due.length} others wait`,
          ),
        );
      else nextMs = Math.min(nextMs, leftMs);
    }
    this.#patience = setTimeout(() => {
      this.#watch();
    }, nextMs).unref();
  }

  async #attempt(entry: Entry, signal: AbortSignal): Promise<void> {
    const { what, work, log, firstDelayMs, longestDelayMs } = this.#options;
    try {
      await work(entry.id, signal, entry.attempts);
      this.#entries.delete(entry.id);
      log.info(`${what} ${entry.id}: done`, { sandboxId: entry.id, attempts: entry.attempts + 1 });
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      entry.attempts += 1;
      entry.lastError = messageOf(error);
      const delayMs = Math.min(firstDelayMs * 2 ** (entry.attempts - 1), longestDelayMs);
      log.warn(`${what} ${entry.id}: ${entry.lastError}; next try in ${delayMs / 1000} s`, {
        sandboxId: entry.id,
        attempts: entry.attempts,
      });
      entry.timer = setTimeout(() => {
        entry.timer = undefined;
        this.#due.push(entry);
        this.#pump();
      }, delayMs).unref();
    } finally {
      const { tried } = entry;
      entry.tried = Promise.withResolvers();
      tried.resolve(undefined);
    }
  }
}
