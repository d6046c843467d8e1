import type { Socket } from 'node:net';
import { settledWithin, waitFor, waitOrDiscard, withTimeout } from '../base/deadline.ts';
import { BoundedMap } from '../base/bounded-map.ts';
import { DaemonError } from '../base/errors.ts';
import { operation, operationHas, step, stepIs } from '../base/steps.ts';
import { exitCodeOf, type ExitStatus } from '../linux/children.ts';
import { ended } from '../linux/pipes.ts';
import { tellGivenUp, timeProgram } from '../linux/slow-programs.ts';
import { killGroup } from '../linux/spawn.ts';
import type { ContainerRecord } from './container.ts';
import type { Containers } from './containers.ts';
import { requireExecutable, startExec, type ExecProcess } from './exec-process.ts';

/**
 * Most that stdout and stderr together may carry, bytes; more is read and dropped. The kubelet refuses answers over 16 MiB
 * (CVE-2022-1708 is the daemon that had no limit).
 */
export const EXEC_SYNC_LIMIT_BYTES = 16 * 1024 * 1024 - 64 * 1024;
/** How long output is still read after the exit, while a background child holds it open, milliseconds (GHSA-7jxh-36q5-gcqv). */
const DRAIN_MS = 500;
/** For a request without a timeout: timers take no longer one. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

export interface ExecSyncResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

/**
 * Runs a command in a container and gives its output.
 * @param timeoutMs 0 is no timeout; when it passes, the process group is killed.
 * @throws DeadlineExceeded at the timeout; FailedPrecondition where the command cannot start.
 */
export async function execSync(
  containers: Containers,
  id: string,
  command: readonly string[],
  timeoutMs: number,
  call: AbortSignal,
): Promise<ExecSyncResult> {
  const record = requireExecutable(containers, id, command);
  return operation('exec', containers.subjectOf(record.id), async () => runCommand(containers, record, command, timeoutMs, call));
}

async function runCommand(
  containers: Containers,
  record: ContainerRecord,
  command: readonly string[],
  timeoutMs: number,
  call: AbortSignal,
): Promise<ExecSyncResult> {
  const what = `exec ${JSON.stringify(command[0])} in container ${record.id}`;
  const deadline = withTimeout(call, timeoutMs === 0 ? NO_TIMEOUT_MS : timeoutMs, what);
  try {
    const startedMs = performance.now();
    const process = await waitOrDiscard(startExec(containers, record, command, false), deadline.signal, discard);
    const stopTiming = timeoutMs === 0 ? timeProgram(process.pid, 'exec', () => what) : undefined;
    const budget = { left: EXEC_SYNC_LIMIT_BYTES };
    const stdout = collect(process.stdout, budget);
    const stderr = collect(process.stderr, budget);
    try {
      const exit = await commandEnd(process, command, deadline.signal);
      await settledWithin(Promise.all([stdout.ended, stderr.ended]), DRAIN_MS);
      told.delete(what);
      return { exitCode: exitCodeOf(exit), stdout: stdout.bytes(), stderr: stderr.bytes() };
    } catch (error) {
      if (error instanceof DaemonError && error.kind === 'DeadlineExceeded') await tellWaits(process.pid, what, startedMs);
      killGroup(process.pid);
      throw error instanceof DaemonError && error.kind === 'DeadlineExceeded'
        ? new DaemonError('DeadlineExceeded', `${what}: command timed out, and was killed: ${error.message}`, { cause: error })
        : error;
    } finally {
      stopTiming?.();
      process.stdout.destroy();
      process.stderr.destroy();
    }
  } finally {
    deadline.clear();
  }
}

/** The command's end, as a step of the exec. Of its words the program alone is told: the others may be secret. */
export async function commandEnd(
  { pid, exit }: Pick<ExecProcess, 'pid' | 'exit'>,
  command: readonly string[],
  signal: AbortSignal,
): Promise<ExitStatus> {
  const run = async (): Promise<ExitStatus> => {
    stepIs({ pid });
    return waitFor(exit, signal);
  };
  const status = await step('run command', run, command[0] ?? '');
  operationHas({ exitCode: exitCodeOf(status) });
  return status;
}

/** Commands whose time was over are told once until they end in time: a probe comes again every few seconds. */
const MOST_TOLD = 1_000;
const told = new BoundedMap<string, true>(MOST_TOLD);
/** How long the kill of a command may be held up to find out what it waits for, which takes a millisecond or two; milliseconds. */
const LOOK_MS = 200;

async function tellWaits(pid: number, what: string, startedMs: number): Promise<void> {
  if (told.get(what) === true) return;
  told.set(what, true);
  await settledWithin(tellGivenUp(pid, 'exec', what, startedMs), LOOK_MS);
}

/** Of a process that is there only when nobody waits for it any more. */
function discard(process: ExecProcess): void {
  killGroup(process.pid);
  process.stdout.destroy();
  process.stderr.destroy();
}

function collect(socket: Socket, budget: { left: number }): { ended: Promise<void>; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, budget.left);
    budget.left -= kept.length;
    if (kept.length > 0) chunks.push(kept);
  });
  return { ended: ended(socket), bytes: () => Buffer.concat(chunks) };
}
