import { waitFor, withTimeout } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import { countThread } from './kernel-threads.ts';
import { PLAIN_ENVIRONMENT, runWith, spawnBeside } from './spawn.ts';
import type { RunOptions, RunResult } from './spawn.ts';

/** Processes and threads that may hang in one place at once before nobody is sent there any more. */
const MOST_LEFT = 4;

const left = new Map<string, number>();

/**
 * Runs a program that touches `place`, a file system that may not answer: FUSE whose process hangs, NFS without its server. A thread that
 * hangs there would be lost to us, and would keep us from ending. A process that hangs is left behind after its time; when some
 * are, nothing is tried until one of them has come back.
 * @throws DaemonError Unavailable where some hang there; else as run().
 */
export async function runAt(place: string, file: string, options: Omit<RunOptions, 'env'>): Promise<RunResult> {
  checkLeft(place);
  const state = { isThere: false, isLeft: false };
  const spawnCounted: typeof spawnBeside = async (program, spawnOptions, signal) => {
    const child = await spawnBeside(program, spawnOptions, signal);
    state.isThere = true;
    const ended = (): void => {
      state.isThere = false;
      if (state.isLeft) count(place, -1);
    };
    child.exit.then(ended, ended);
    return child;
  };
  try {
    return await runWith(spawnCounted, file, { ...options, env: PLAIN_ENVIRONMENT });
  } catch (error) {
    state.isLeft = state.isThere;
    if (state.isLeft) count(place, 1);
    throw error;
  }
}

/** A thread that has one job and is for nothing else. */
export interface LoneThread<T> {
  readonly result: Promise<T>;
  /** Resolves when it has ended: one that hangs may never. */
  readonly end: () => Promise<unknown>;
}

/**
 * Has a thread work in `place`, as {@link runAt} a program, for what a program of its own is too slow for. One that hangs is left behind
 * too, with its memory, and does not keep the process from ending (exitProcess).
 * @throws DaemonError Unavailable where some hang there, DeadlineExceeded; else what the job throws.
 */
export async function runThreadAt<T>(place: string, timeoutMs: number, start: () => LoneThread<T>): Promise<T> {
  checkLeft(place);
  const { result, end } = start();
  const thread = Promise.withResolvers<undefined>();
  countThread(thread.promise);
  const { signal, clear } = withTimeout(undefined, timeoutMs, `work in ${place}`);
  try {
    return await waitFor(result, signal);
  } finally {
    clear();
    const isLeft = signal.aborted;
    if (isLeft) count(place, 1);
    void end().finally(() => {
      thread.resolve(undefined);
      if (isLeft) count(place, -1);
    });
  }
}

function checkLeft(place: string): void {
  if ((left.get(place) ?? 0) >= MOST_LEFT)
    throw new DaemonError('Unavailable', `${MOST_LEFT} processes or threads that looked at ${place} still hang in it`);
}

function count(place: string, by: number): void {
  const now = (left.get(place) ?? 0) + by;
  if (now === 0) left.delete(place);
  else left.set(place, now);
}
