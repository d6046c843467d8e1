import { messageOf } from './errors.ts';
import { idField, type Log, type ObjectKind } from './log.ts';
import { outsideOfRequests } from './steps.ts';

export interface ParkingOptions {
  /** What is parked, for log lines. */
  readonly kind: ObjectKind;
  /** How long a finished object whose caller left waits for the retry, milliseconds. */
  readonly parkMs: number;
  /** The wait after the first removal that fails, milliseconds; each further one is twice as long, at most a minute. Default 1000. */
  readonly retryMs?: number;
  readonly log: Log;
}

const LONGEST_RETRY_MS = 60_000;

/**
 * The clocks of finished objects whose callers left before the answer (ARCHITECTURE.md, "Two signals"). What Parked means on
 * disk, and the lock under which it is looked at, are the owner's affair.
 */
export class Parking {
  readonly #options: ParkingOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** From now on `expire` runs when nobody came back in time. Its failure is logged, and it runs again after a while. */
  start(id: string, expire: () => Promise<void>): void {
    const { kind, parkMs, log } = this.#options;
    log.info(`${kind} finished after its caller had left; kept for the retry`, { ...idField(kind, id), keptMs: parkMs });
    outsideOfRequests(() => {
      this.#wait(id, parkMs, 0, expire);
    });
  }

  /** The object was claimed, or is being removed otherwise. Idempotent. */
  end(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  #wait(id: string, delayMs: number, failures: number, expire: () => Promise<void>): void {
    const { kind, retryMs = 1000, log } = this.#options;
    const timer = setTimeout(() => {
      const isOver = (): boolean => this.#timers.get(id) !== timer;
      expire().then(
        () => {
          if (!isOver()) this.end(id);
        },
        (error: unknown) => {
          const nextMs = Math.min(retryMs * 2 ** failures, LONGEST_RETRY_MS);
          const next = isOver() ? '' : `; next try in ${nextMs / 1000} s`;
          log.error(`removing a parked ${kind} failed${next}`, { ...idField(kind, id), error: messageOf(error) });
          if (!isOver()) this.#wait(id, nextMs, failures + 1, expire);
        },
      );
    }, delayMs);
    timer.unref();
    this.#timers.set(id, timer);
  }

  /** Stops all clocks, at the end of the daemon: a restart removes what is parked. */
  close(): void {
    for (const id of [...this.#timers.keys()]) this.end(id);
  }
}
