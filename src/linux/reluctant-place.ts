import { DaemonError } from '../base/errors.ts';
import { PLAIN_ENVIRONMENT, runWith, spawn } from './spawn.ts';
import type { RunOptions, RunResult } from './spawn.ts';

/** Processes that may hang in one place at once before nobody is sent there any more. */
const MOST_LEFT = 4;

const left = new Map<string, number>();

/**
 * Runs a program that touches `place`, a file system that may not answer: FUSE whose process hangs, NFS without its server. A thread that
 * hangs there would be lost to us, and would keep us from ending. A process that hangs is left behind after its time; when some
 * are, nothing is tried until one of them has come back.
 * @throws DaemonError Unavailable where some hang there; else as run().
 */
export async function runAt(place: string, file: string, options: Omit<RunOptions, 'env'>): Promise<RunResult> {
  if ((left.get(place) ?? 0) >= MOST_LEFT)
    throw new DaemonError('Unavailable', `${MOST_LEFT} processes that looked at ${place} still hang in it`);
  const state = { hasEnded: false, isLeft: false };
  const count = (by: number): void => {
    const now = (left.get(place) ?? 0) + by;
    if (now === 0) left.delete(place);
    else left.set(place, now);
  };
  const spawnCounted: typeof spawn = (program, spawnOptions) => {
    const child = spawn(program, spawnOptions);
    const ended = (): void => {
      state.hasEnded = true;
      if (state.isLeft) count(-1);
    };
    child.exit.then(ended, ended);
    return child;
  };
  try {
    return await runWith(spawnCounted, file, { ...options, env: PLAIN_ENVIRONMENT });
  } catch (error) {
    state.isLeft = !state.hasEnded;
    if (state.isLeft) count(1);
    throw error;
  }
}
