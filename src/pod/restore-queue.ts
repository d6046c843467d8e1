import { settledWithin, sleep } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import { idField, type Log, type ObjectKind } from '../base/log.ts';

/** How many objects are restored at a time: the processors are few, and most of the work is processes. */
const CONCURRENCY = 4;
/**
 * How long one object keeps a place, milliseconds. A process that hangs in the kernel or a plugin that does not answer keeps
 * its own object unfinished, and nothing else; the work on it goes on beside the others, as for a caller that left.
 */
const PATIENCE_MS = 10_000;

/** Restores objects, a few at a time, and tells whether there is progress. */
export class RestoreQueue {
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #finished = 0;

  /** @param signal no object is begun after it aborts. */
  constructor(log: Log, signal: AbortSignal) {
    this.#log = log;
    this.#signal = signal;
  }

  /** Works on each object. A failure is logged, and never stops the others. */
  async each<T extends { readonly record: { readonly id: string } }>(
    kind: ObjectKind,
    objects: readonly T[],
    work: (object: T) => Promise<void>,
  ): Promise<void> {
    const queue = [...objects];
    const worker = async (): Promise<void> => {
      for (let object = queue.shift(); object !== undefined && !this.#signal.aborted; object = queue.shift())
        await this.#one(kind, object.record.id, work(object));
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  }

  /**
   * Waits for work with this queue while there is progress: until no object has been finished for `stallMs`, and no longer than
   * `mostMs`. The bound is on the whole, however many objects hang.
   * @returns whether the work has ended.
   */
  async whileItGetsOn(work: Promise<void>, { stallMs, mostMs }: { readonly stallMs: number; readonly mostMs: number }): Promise<boolean> {
    const end = performance.now() + mostMs;
    for (let before = -1; before !== this.#finished && performance.now() < end;) {
      before = this.#finished;
      if (await settledWithin(work, stallMs)) return true;
    }
    return false;
  }

  async #one(kind: ObjectKind, id: string, work: Promise<void>): Promise<void> {
    const done = work.then(
      () => true,
      (error: unknown) => {
        this.#log.error(`restoring a ${kind} failed; it is left as it is`, { ...idField(kind, id), error: messageOf(error) });
        return true;
      },
    );
    void done.then(() => (this.#finished += 1));
    const patience = new AbortController();
    const isDone = await Promise.race([done, sleep(PATIENCE_MS, patience.signal)]);
    patience.abort();
    if (isDone !== true) this.#log.warn(`restoring a ${kind} takes long; it goes on in the background`, idField(kind, id));
  }
}
