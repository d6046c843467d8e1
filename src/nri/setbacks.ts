import { BoundedMap } from '../base/bounded-map.ts';

/** How long a plugin waits after the first time in a row that it held pods up, milliseconds; then ever twice as long. */
const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 60_000;
/** A plugin that was ready for so long begins anew, milliseconds. */
const SETTLED_MS = 60_000;
/** Names that are remembered: the last that held pods up. */
const MOST_NAMES = 100;

/**
 * Plugins that held pods up until they were dropped, by name. Pods wait while one is synchronized or asked, so one that hangs there, is
 * dropped and comes back at once would hold up every step of every pod for as long as it may take.
 */
export class Setbacks {
  readonly #byName = new BoundedMap<string, { readonly count: number; readonly untilMs: number }>(MOST_NAMES);

  /** For how long a plugin is to wait for its synchronization, milliseconds. @param nowMs of a clock that never jumps. */
  pauseMs(name: string, nowMs: number): number {
    return Math.max(0, (this.#byName.get(name)?.untilMs ?? 0) - nowMs);
  }

  heldUp(name: string, nowMs: number): void {
    const count = (this.#byName.get(name)?.count ?? 0) + 1;
    this.#byName.set(name, { count, untilMs: nowMs + Math.min(FIRST_PAUSE_MS * 2 ** (count - 1), LONGEST_PAUSE_MS) });
  }

  /** A plugin has gone, which was ready for so long, milliseconds. Called before {@link heldUp} where that was the reason. */
  wasReady(name: string, forMs: number): void {
    if (forMs >= SETTLED_MS) this.#byName.delete(name);
  }
}
