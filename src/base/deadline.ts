import { setImmediate as nextCheck } from 'node:timers/promises';
import { DaemonError } from './errors.ts';

/** The longest time that Node's timers take; with more they fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Resolves when the event loop has handed on all that could be read when this was called. A timer cannot say so: a loop that was
 * held up runs its timers before it reads. Immediates run just after a poll (libuv, design overview), so a whole poll lies
 * between two of them. One poll brings what is in a pipe, the next its end of file.
 */
async function polled(): Promise<void> {
  for (let immediates = 0; immediates < 3; immediates += 1) await nextCheck();
}

/**
 * Waits up to `ms` for `work`, which I/O brings to its end. What has come by then counts, also where the loop was held up and
 * has not read it yet.
 * @returns whether `work` has settled.
 */
export async function settledWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = work.then(
    () => true,
    () => true,
  );
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(late.resolve, Math.min(ms, LONGEST_TIMER_MS), false);
  try {
    if (await Promise.race([settled, late.promise])) return true;
  } finally {
    clearTimeout(timer);
  }
  await polled();
  return Promise.race([settled, Promise.resolve(false)]);
}

/**
 * Aborts with the outer signal, or after `timeoutMs` with a DeadlineExceeded that says `what` took too long. More than 24 days
 * count as 24 days. What has come within the time is handed on first, see {@link polled}.
 */
export function withTimeout(outer: AbortSignal | undefined, timeoutMs: number, what: string): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController();
  let isCleared = false;
  const expire = async (): Promise<void> => {
    await polled();
    if (!isCleared) controller.abort(new DaemonError('DeadlineExceeded', `${what}: not finished after ${timeoutMs / 1000} s`));
  };
  const timer = setTimeout(() => void expire(), Math.min(timeoutMs, LONGEST_TIMER_MS));
  const follow = (): void => {
    controller.abort(outer?.reason);
  };
  if (outer?.aborted === true) follow();
  else outer?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      isCleared = true;
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

/**
 * As {@link waitFor}, for work whose result must not be left over: one that comes after the signal is given to `discard`, whose failure, as
 * that of something that is gone already, is swallowed.
 */
export async function waitOrDiscard<T>(work: Promise<T>, signal: AbortSignal, discard: (late: T) => void): Promise<T> {
  try {
    return await waitFor(work, signal);
  } catch (error) {
    work.then(discard).catch(() => undefined);
    throw error;
  }
}

/** The error a signal was aborted with: a DaemonError stays, anything else is Canceled. */
export function reasonOf(signal: AbortSignal): DaemonError {
  const reason: unknown = signal.reason;
  return reason instanceof DaemonError ? reason : new DaemonError('Canceled', 'the caller gave up', { cause: reason });
}

/** Resolves after `ms` (24 days at most), or at once when the signal aborts (it does not throw). */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  // Node's own promise makes two errors for each signal, with the stack.
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const wake = (): void => {
    resolve(undefined);
  };
  const timer = setTimeout(wake, Math.min(ms, LONGEST_TIMER_MS));
  signal?.addEventListener('abort', wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', wake);
}
