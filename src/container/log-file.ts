import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { sleep } from '../base/deadline.ts';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Bundle } from './bundle.ts';

/** conmon's control line for "reopen the log" (conmon src/ctrl.c, REOPEN_LOGS_EVENT). */
const REOPEN_LOG = '2 0 0\n';
const NEW_FILE_POLL_MS = 10;

/**
 * Makes conmon begin a new log file after the kubelet has renamed the old one; returns when the new file is there. Where the
 * path still exists there was no rotation, and a reopen would lose lines.
 * @throws FailedPrecondition where the monitor is dead, DeadlineExceeded where no file appears.
 */
export async function reopenLog(bundle: Bundle, logPath: string, timeoutMs: number): Promise<void> {
  // One at a time: a second reopen of the same rotation would lose lines.
  await reopening.run(logPath, async () => reopen(bundle, logPath, timeoutMs));
}

const reopening = new KeyedMutex<string>();

async function reopen(bundle: Bundle, logPath: string, timeoutMs: number): Promise<void> {
  if (await exists(logPath)) return;
  let control;
  try {
    // Without O_NONBLOCK the open would wait for a reader for ever (fifo(7)); with it a dead monitor is ENXIO.
    control = await open(bundle.controlFifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (!hasErrno(error, 'ENXIO', 'ENOENT')) throw error;
    throw new DaemonError('FailedPrecondition', `reopen log ${logPath}: the container's monitor is gone`, { cause: error });
  }
  try {
    await control.writeFile(REOPEN_LOG);
  } finally {
    await control.close();
  }
  const deadline = Date.now() + timeoutMs;
  while (!(await exists(logPath))) {
    if (Date.now() > deadline)
      throw new DaemonError('DeadlineExceeded', `reopen log ${logPath}: conmon made no new file within ${timeoutMs / 1000} s`);
    await sleep(NEW_FILE_POLL_MS);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await unlessMissing(stat(path), undefined)) !== undefined;
}
