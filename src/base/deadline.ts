import { setTimeout as sleepTimer } from 'node:timers/promises';
import { DaemonError } from './errors.ts';

/** Node's timers take no longer time: they would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Aborts with the outer signal, or after `timeoutMs` with a DeadlineExceeded that says `what` took too long. A time longer than 24 days counts as that. */
export function withTimeout(outer: AbortSignal | undefined, timeoutMs: number, what: string): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DaemonError('DeadlineExceeded', `${what}: not finished after ${timeoutMs / 1000} s`));
  }, Math.min(timeoutMs, LONGEST_TIMER_MS));
  const follow = (): void => {
    controller.abort(outer?.reason);
  };
  if (outer?.aborted === true) follow();
  else outer?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', follow);
    },
  };
}

/**
 * Waits for `work`, but no longer than until `signal` aborts. The work itself goes on; its late failure is swallowed.
 * @throws the signal's reason.
 */
export async function waitFor<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    throw reasonOf(signal);
  }
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => {
      reject(reasonOf(signal));
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}

/** The error a signal was aborted with: a DaemonError stays, anything else is Canceled. */
export function reasonOf(signal: AbortSignal): DaemonError {
  const reason: unknown = signal.reason;
  return reason instanceof DaemonError ? reason : new DaemonError('Canceled', 'the caller gave up', { cause: reason });
}

/** Resolves after `ms` (24 days at most), or at once when the signal aborts (it does not throw). */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await sleepTimer(Math.min(ms, LONGEST_TIMER_MS), undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
