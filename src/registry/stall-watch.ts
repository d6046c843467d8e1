import { DaemonError } from '../base/errors.ts';

/** The least rate. Without it, a byte now and then would keep a pull, and those that wait behind it, for hours. */
const MIN_BYTES_PER_SECOND = 256;
/** The least rate at which a registry without ranges may send again what is here already. Slower counts as waiting. */
const RESENT_BYTES_PER_SECOND = 64 * 1024;

/**
 * Ends a pull whose registry sends nothing, or hardly anything. One watch is for all that is fetched for an image, since one
 * part may wait while another comes. Only the time in which somebody waits for the registry counts.
 */
export class StallWatch {
  /** The time over which the least rate must be reached, milliseconds. */
  readonly timeoutMs: number;
  readonly #leastBytes: number;
  readonly #controller = new AbortController();
  #waiting = 0;
  #sinceMs = 0;
  #pausedAtMs = 0;
  #bytes = 0;
  #lastMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.#leastBytes = Math.ceil((timeoutMs / 1000) * MIN_BYTES_PER_SECOND);
  }

  /** Aborted, with RegistryUnavailable, when it has taken too long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for something of the registry. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#begin();
    try {
      return await work();
    } finally {
      this.#end();
    }
  }

  /** A new answer has begun to come: the time starts anew. */
  answered(): void {
    this.#sinceMs = Date.now();
    this.#bytes = 0;
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= this.#leastBytes) this.answered();
  }

  /** Bytes that are here already came again. This is no progress, but while they come it is no standstill either. */
  resent(bytes: number): void {
    const nowMs = Date.now();
    this.#sinceMs += Math.min(nowMs - this.#lastMs, (bytes / RESENT_BYTES_PER_SECOND) * 1000);
    this.#lastMs = nowMs;
  }

  #begin(): void {
    this.#lastMs = Date.now();
    this.#waiting += 1;
    if (this.#waiting > 1) return;
    this.#sinceMs += Date.now() - this.#pausedAtMs;
    this.#arm();
  }

  #end(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    this.#pausedAtMs = Date.now();
    clearTimeout(this.#timer);
  }

  #arm(): void {
    this.#timer = setTimeout(
      () => {
        if (Date.now() - this.#sinceMs < this.timeoutMs) this.#arm();
        else this.#controller.abort(this.#stalled());
      },
      Math.max(this.#sinceMs + this.timeoutMs - Date.now(), 1),
    );
  }

  #stalled(): DaemonError {
    const what = this.#bytes === 0 ? 'nothing' : `only ${this.#bytes} bytes`;
    return new DaemonError(
      'RegistryUnavailable',
      `RegistryUnavailable: received ${what} in ${this.timeoutMs / 1000} s (image.pull_progress_timeout), must be at least ${this.#leastBytes} bytes`,
    );
  }
}
