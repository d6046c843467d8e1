const SLOT_MS = 500;
const SLOTS = 10;

/** How fast something goes, over the last five seconds: bytes in slots of half a second, in constant space. */
export class RateMeter {
  readonly #bytes = new Float64Array(SLOTS);
  #slot = 0;
  #sinceMs: number | undefined;

  add(bytes: number, nowMs = Date.now()): void {
    this.#sinceMs ??= nowMs;
    this.#forgetUntil(nowMs);
    this.#bytes[this.#slot % SLOTS] = (this.#bytes[this.#slot % SLOTS] ?? 0) + bytes;
  }

  /** 0 before the first byte, and where none has come for so long. */
  bytesPerSecond(nowMs = Date.now()): number {
    if (this.#sinceMs === undefined) return 0;
    this.#forgetUntil(nowMs);
    const windowMs = (SLOTS - 1) * SLOT_MS + (nowMs % SLOT_MS);
    const overMs = Math.max(Math.min(windowMs, nowMs - this.#sinceMs), SLOT_MS);
    return (this.#bytes.reduce((sum, bytes) => sum + bytes, 0) / overMs) * 1000;
  }

  /** Empties the slots of the time that has passed. A clock that was set back counts as standing still. */
  #forgetUntil(nowMs: number): void {
    const slot = Math.max(Math.floor(nowMs / SLOT_MS), this.#slot);
    for (let step = 0; step < Math.min(slot - this.#slot, SLOTS); step += 1) this.#bytes[(slot - step) % SLOTS] = 0;
    this.#slot = slot;
  }
}
