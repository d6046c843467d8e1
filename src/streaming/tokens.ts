import { randomBytes } from 'node:crypto';
import { fail } from '../base/errors.ts';

/** How long a token may wait for its client, milliseconds; as dockershim, cri-o and containerd. */
const TIME_TO_LIVE_MS = 60_000;
/** Most tokens that wait at one time. */
const MOST_WAITING = 1000;
const TOKEN_BYTES = 16;

export interface TokenOptions {
  readonly timeToLiveMs?: number;
  readonly mostWaiting?: number;
  /** The clock, milliseconds that never go backwards. */
  readonly now?: () => number;
}

/** Requests that wait for their client, each under a token that nobody can guess and that works once. */
export class Tokens<T> {
  readonly #timeToLiveMs: number;
  readonly #mostWaiting: number;
  readonly #now: () => number;
  /** In the order of issue, so the oldest comes first. */
  readonly #waiting = new Map<string, { readonly request: T; readonly expiresAtMs: number }>();

  constructor(options: TokenOptions = {}) {
    this.#timeToLiveMs = options.timeToLiveMs ?? TIME_TO_LIVE_MS;
    this.#mostWaiting = options.mostWaiting ?? MOST_WAITING;
    this.#now = options.now ?? (() => performance.now());
  }

  /** @throws {DaemonError} ResourceExhausted while too many wait. */
  issue(request: T): string {
    if (this.size >= this.#mostWaiting) {
      fail('ResourceExhausted', `issue a streaming token: ${this.#mostWaiting} wait for their clients, must be fewer`);
    }
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#waiting.set(token, { request, expiresAtMs: this.#now() + this.#timeToLiveMs });
    return token;
  }

  /** The request behind a token, once; undefined for a token that is unknown, used or expired. */
  redeem(token: string): T | undefined {
    const entry = this.#waiting.get(token);
    this.#waiting.delete(token);
    return entry !== undefined && entry.expiresAtMs > this.#now() ? entry.request : undefined;
  }

  /** How many tokens wait. */
  get size(): number {
    const now = this.#now();
    for (const [token, { expiresAtMs }] of this.#waiting) {
      if (expiresAtMs > now) break;
      this.#waiting.delete(token);
    }
    return this.#waiting.size;
  }
}
