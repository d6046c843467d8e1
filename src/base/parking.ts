import { messageOf } from './errors.ts';
import { idField, type Log, type ObjectKind } from './log.ts';

export interface ParkingOptions {
  /** What is parked, for log lines. */
  readonly kind: ObjectKind;
  /** How long a finished object whose caller left waits for the retry, milliseconds. */
  readonly parkMs: number;
  readonly log: Log;
}

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

  /** From now on `expire` runs when nobody came back in time; its failure is logged. */
  start(id: string, expire: () => Promise<void>): void {
    const { kind, parkMs, log } = this.#options;
    log.info(`${kind} finished after its caller had left; kept for the retry`, { ...idField(kind, id), keptMs: parkMs });
    const timer = setTimeout(() => {
      this.end(id);
      expire().catch((error: unknown) => {
        log.error(`removing a parked ${kind} failed`, { ...idField(kind, id), error: messageOf(error) });
      });
    }, parkMs);
    timer.unref();
    this.#timers.set(id, timer);
  }

  /** The object was claimed, or is being removed otherwise. Idempotent. */
  end(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  /** Stops all clocks, at the end of the daemon: a restart removes what is parked. */
  close(): void {
    for (const id of [...this.#timers.keys()]) this.end(id);
  }
}
