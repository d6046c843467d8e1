import { readFile } from 'node:fs/promises';
import { bindSyscall, close, errnoError, lastErrno } from './libc.ts';
import { onThread } from './kernel-threads.ts';
import { statOfProcess } from './proc-stat.ts';
import { reasonOf, settledWithin, sleep } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { ProcessStat } from './proc-stat.ts';

/** The signal that no process can catch, by its number; signal(7). */
export const SIGKILL = 9;

/** Names one process for good: a pid alone is given again, and a reboot starts over. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as text: field 22 of /proc/PID/stat. */
  readonly startTime: string;
  readonly bootId: string;
}

const ESRCH = 3;
const EINVAL = 22;
/** How often a process that is no child is looked at: at once, then ever less often, milliseconds. */
const EXIT_POLL_FIRST_MS = 2;
const EXIT_POLL_MOST_MS = 100;
/** Reading another's environment waits while that process is stuck in the kernel with its memory locked; looked at twice. */
const ENVIRON_READ_MS = 500;

const pidfdOpen = bindSyscall<(pid: number, flags: number) => number>(434, ['int', 'uint']);
const pidfdSendSignal = bindSyscall<(pidfd: number, signal: number, info: null, flags: number) => number>(424, [
  'int',
  'int',
  'void *',
  'uint',
]);

let bootIdRead: Promise<string> | undefined;

/** The id of this boot; records of an earlier one name processes that are gone. */
export function bootId(): Promise<string> {
  bootIdRead ??= readFile('/proc/sys/kernel/random/boot_id', 'utf8').then((text) => text.trim());
  return bootIdRead;
}

/** The identity of the process that has `pid` now; undefined when there is none, or only a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await statOfProcess(pid);
  if (stat === undefined || isDead(stat)) return undefined;
  return { pid, startTime: stat.startTime, bootId: await bootId() };
}

/** Whether the process still runs. A zombie is dead: it waits for its parent only. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.bootId !== (await bootId())) return false;
  const stat = await statOfProcess(identity.pid);
  return stat?.startTime === identity.startTime && !isDead(stat);
}

function isDead(stat: ProcessStat): boolean {
  return stat.state === 'Z' || stat.state === 'X' || stat.state === 'x';
}

/**
 * Sends a signal to exactly this process, never to a later one of the same pid (pidfd_open(2)).
 * @returns false when it is gone.
 */
export async function signalProcess(identity: ProcessIdentity, signal: number): Promise<boolean> {
  if (identity.pid === 0) return false; // none was there yet
  const pidfd = pidfdOpen(identity.pid, 0);
  if (pidfd === -1) {
    // EINVAL: nothing but a process group or a session has the pid any more (pidfd_open(2), kernel/pid.c); newer kernels say ESRCH for that too.
    if ([ESRCH, EINVAL].includes(lastErrno())) return false;
    throw errnoError(`pidfd_open ${identity.pid}`);
  }
  try {
    // Looked at after the pidfd is open, so it is this one's start time.
    if (!(await isAlive(identity))) return false;
    if (pidfdSendSignal(pidfd, signal, null, 0) === 0) return true;
    if (lastErrno() === ESRCH) return false;
    throw errnoError(`pidfd_send_signal ${identity.pid} ${signal}`);
  } finally {
    close(pidfd);
  }
}

/**
 * Resolves when a process that is no child of ours is gone or a zombie; looks at last every 100 ms. Its exit status cannot
 * be had.
 * @throws the signal's reason when it aborts first.
 */
export async function exitOf(identity: ProcessIdentity, signal?: AbortSignal): Promise<void> {
  for (let pauseMs = EXIT_POLL_FIRST_MS; await isAlive(identity); pauseMs = Math.min(pauseMs * 2, EXIT_POLL_MOST_MS)) {
    if (signal?.aborted === true) throw reasonOf(signal);
    await sleep(pauseMs, signal);
  }
}

/** The process whose environment a search hangs at, as long as it does: a second search would lose a second thread. */
let hangsAt: number | undefined;

/**
 * The processes that were started with `name` in their environment and one of `values` as its value, and with all of `also`;
 * ours left out. Reads /proc/PID/environ of all, once.
 * @throws {DaemonError} Unavailable when a process does not let its environment be read in time.
 */
export async function findProcessesByEnvironment(
  name: string,
  values: string | readonly string[],
  also: Readonly<Record<string, string>> = {},
): Promise<ProcessIdentity[]> {
  if (hangsAt !== undefined) throw hanging(hangsAt);
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const wanted = [[values].flat().map((value) => `${name}=${value}`), ...Object.entries(also).map(([key, value]) => [`${key}=${value}`])];
  const search = onThread('pidsByEnvironment', { wanted, progress });
  const pids = await withProgress(search, progress);
  const found = await Promise.all(pids.map(identify));
  return found.filter((identity) => identity !== undefined);
}

/** What the search finds. @throws Unavailable once it is at the same process for too long; it goes on, and nobody waits. */
async function withProgress(search: Promise<number[]>, progress: Int32Array): Promise<number[]> {
  for (let last = 0; !(await settledWithin(search, ENVIRON_READ_MS));) {
    const pid = Atomics.load(progress, 0);
    if (pid === last && pid !== 0) {
      hangsAt = pid;
      const goesOn = (): void => {
        hangsAt = undefined;
      };
      search.then(goesOn, goesOn);
      throw hanging(pid);
    }
    last = pid;
  }
  return await search;
}

function hanging(pid: number): DaemonError {
  return new DaemonError('Unavailable', `look for processes: reading the environment of ${pid} hangs`);
}
