/** Longest wait a timer of Node's takes; with more it fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Calls back once after `timeoutMs` without a {@link touch}. A touch costs no more than reading the clock. */
export class IdleTimer {
  readonly #timeoutMs: number;
  readonly #expired: () => void;
  #lastMs = performance.now();
  #timer: NodeJS.Timeout;

  constructor(timeoutMs: number, expired: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#expired = expired;
    this.#timer = this.#schedule(timeoutMs);
  }

  touch(): void {
    this.#lastMs = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(ms: number): NodeJS.Timeout {
    return setTimeout(
      () => {
        const restMs = this.#lastMs + this.#timeoutMs - performance.now();
        if (restMs <= 0) this.#expired();
        else this.#timer = this.#schedule(restMs);
      },
      Math.min(ms, LONGEST_TIMER_MS),
    ).unref();
  }
}
