import { DaemonError } from './errors.ts';
import { waitFor } from './deadline.ts';
import { canonicalJson } from './json.ts';

/** How a piece of joined work ends when nobody waits for it any more. */
export interface JoinedWorkOptions<T> {
  /** Most the work may take on its own, milliseconds. */
  readonly budgetMs: number;
  /** What the work is, for errors: `run pod sandbox k8s_...`. */
  readonly what: string;
  /** Whether the work is aborted as soon as its last waiter has left (a pull), or goes on for the retry (a create). */
  readonly endsWithLastWaiter: boolean;
  /** What was asked, plain data: only the same request is joined. Left out where the key says it all. */
  readonly request?: unknown;
  /** Called in place of handing the result over, when no waiter was left at the end. */
  readonly unclaimed?: (result: T) => Promise<void>;
}

interface Running<T> {
  readonly request: unknown;
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * Runs one piece of work per key; whoever asks for the same key meanwhile waits for the same result. The caller's signal
 * ends the waiting only: the work runs under a signal of its own, with its own budget (ARCHITECTURE.md, "Two signals").
 */
export class JoinedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  async run(key: string, call: AbortSignal, options: JoinedWorkOptions<T>, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const running = this.#running.get(key) ?? this.#start(key, options, work);
    if (running.request !== options.request && canonicalJson(running.request) !== canonicalJson(options.request)) {
      throw new DaemonError(
        'AlreadyExists',
        `${options.what}: the same is under way for a request that asks for something else; ask again when it is over`,
      );
    }
    running.waiters += 1;
    try {
      return await waitFor(running.result, call);
    } finally {
      running.waiters -= 1;
      if (running.waiters === 0 && options.endsWithLastWaiter) {
        running.controller.abort(new DaemonError('Canceled', `${options.what}: nobody waits for it any more`));
        // A newcomer must not join work that is being taken back.
        if (this.#running.get(key) === running) this.#running.delete(key);
      }
    }
  }

  /** Whether a {@link run} in this turn would join work that is under way. */
  has(key: string): boolean {
    return this.#running.has(key);
  }

  /** How many pieces of work are under way. */
  get size(): number {
    return this.#running.size;
  }

  /** Resolves when all that is under way has ended, well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map((running) => running.result));
  }

  #start(key: string, options: JoinedWorkOptions<T>, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const controller = new AbortController();
    const timer = setTimeout(() => {
      controller.abort(new DaemonError('DeadlineExceeded', `${options.what}: not finished after ${options.budgetMs / 1000} s`));
    }, options.budgetMs);
    const execute = async (): Promise<T> => {
      try {
        const result = await work(controller.signal);
        if (running.waiters === 0 && options.unclaimed !== undefined) await options.unclaimed(result);
        return result;
      } finally {
        clearTimeout(timer);
        if (this.#running.get(key) === running) this.#running.delete(key);
      }
    };
    // The work starts in a later turn, when `running` is in place and the first waiter is counted.
    const running: Running<T> = { request: options.request, result: Promise.resolve().then(execute), controller, waiters: 0 };
    running.result.catch(() => undefined);
    this.#running.set(key, running);
    return running;
  }
}
