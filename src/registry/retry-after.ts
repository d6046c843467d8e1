import { DaemonError } from '../base/errors.ts';

/** Longest that is waited because a registry asks for it, milliseconds. The kubelet asks again anyway. */
export const MAX_RETRY_AFTER_MS = 30_000;

/** IMF-fixdate, which all servers must send: RFC 9110, 5.6.7. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long a Retry-After asks to wait, at most {@link MAX_RETRY_AFTER_MS}: seconds or a date (RFC 9110, 10.2.3).
 * Undefined where it is neither.
 */
export function retryAfterMs(value: string | readonly string[] | undefined, nowMs: number): number | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^[0-9]+$/.test(text)) return Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS);
  if (!HTTP_DATE.test(text)) return undefined;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(atMs - nowMs, 0), MAX_RETRY_AFTER_MS);
}

/** A failure of something that says when to ask it again. */
export class AskedToWait extends DaemonError {
  readonly waitMs: number;

  constructor(message: string, waitMs: number) {
    super('RegistryUnavailable', message);
    this.waitMs = waitMs;
  }
}
