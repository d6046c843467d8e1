/** How long a plugin waits after its first failure in a row, milliseconds; then ever twice as long. */
const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 60_000;
/** Names that are remembered: the last that failed. */
const MOST_NAMES = 100;

/**
 * Plugins that failed at their synchronization, by name. Pods wait while one is synchronized, so one that hangs there, is dropped and
 * comes back at once would hold up every step of every pod for as long as it may take.
 */
export class Setbacks {
  readonly #byName = new Map<string, { readonly count: number; readonly untilMs: number }>();

  /** For how long a plugin is to wait for its synchronization, milliseconds. @param nowMs of a clock that never jumps. */
  pauseMs(name: string, nowMs: number): number {
    return Math.max(0, (this.#byName.get(name)?.untilMs ?? 0) - nowMs);
  }

  failed(name: string, nowMs: number): void {
    const count = (this.#byName.get(name)?.count ?? 0) + 1;
    this.#byName.delete(name);
    this.#byName.set(name, { count, untilMs: nowMs + Math.min(FIRST_PAUSE_MS * 2 ** (count - 1), LONGEST_PAUSE_MS) });
    const [oldest] = this.#byName.keys();
    if (this.#byName.size > MOST_NAMES && oldest !== undefined) this.#byName.delete(oldest);
  }

  succeeded(name: string): void {
    this.#byName.delete(name);
  }
}
