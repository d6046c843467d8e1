import { readdir, readFile } from 'node:fs/promises';
import { bind, bindIdle, check, errnoError, lastErrno, lib } from './libc.ts';
import { statOfProcess } from './proc-stat.ts';
import { unlessMissing } from '../base/errors.ts';

/** How a process ended: with an exit code, or by a signal. */
export type ExitStatus = { readonly code: number; readonly signal?: undefined } | { readonly signal: number; readonly code?: undefined };

interface Watch {
  readonly resolve: (status: ExitStatus) => void;
  readonly reject: (error: Error) => void;
  readonly exit: Promise<ExitStatus>;
  /** Whether the program stays alive for it. */
  readonly keepsAlive: boolean;
}

const WNOHANG = 1;
const WEXITED = 4;
/** The process stays a zombie, so its pid is not used again. */
const WNOWAIT = 0x01000000;
const P_ALL = 0;
const P_PID = 1;
const CLD_EXITED = 1;
/** siginfo_t of a child, the same on x86-64 and arm64. */
const SIGINFO = { size: 128, code: 8, pid: 16, status: 24 } as const;
const PR_SET_CHILD_SUBREAPER = 36;
/** How often children are looked at without a SIGCHLD, and how long the program stays alive for them meanwhile. */
const RECHECK_MS = 1000;

const waitid = bind<(type: number, id: number, info: Buffer, options: number) => number>(
  'int waitid(int type, uint32_t id, void *info, int options)',
);
const lookAtChildren = bindIdle<typeof waitid>('int waitid(int type, uint32_t id, void *info, int options)');
const waitpid = lib.func('int waitpid(int pid, void *status, int options)') as unknown as {
  async(pid: number, status: null, options: number, done: () => void): void;
};
const prctl = bind<(option: number, a: number, b: number, c: number, d: number) => number>(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);

const watched = new Map<number, Watch>();
/** Those whose end is known, and which the kernel has not let go of yet. */
const releasing = new Set<number>();
const infoBuffer = Buffer.alloc(SIGINFO.size);
let listening = false;
let keepAlive: NodeJS.Timeout | undefined;
let spawnedAlive = 0;

/**
 * Makes orphans below this process its children instead of process 1's, so that {@link adopt} can wait for what the
 * runtime left detached. prctl(2) PR_SET_CHILD_SUBREAPER; not inherited by children, kept over threads.
 */
export function becomeSubreaper(): void {
  check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl PR_SET_CHILD_SUBREAPER');
}

/** The exit code as shells and conmon have it: 128 and the signal's number where a signal ended the process. */
export function exitCodeOf(status: ExitStatus): number {
  return status.code ?? 128 + status.signal;
}

/**
 * Waits for the end of a child, or of an orphan that came to us as the subreaper. It may have ended already. Who asks twice
 * gets the same promise. No other pids are ever waited for, so libuv's own children stay libuv's.
 * @throws (rejects) ECHILD when the process is not a child of ours (any more): then poll, see `exitOf`.
 */
export function adopt(pid: number): Promise<ExitStatus> {
  return watch(pid, false);
}

/**
 * Waits for the end of an orphan that has come to us. It may have ended already. Since the kernel uses a pid again, the start
 * time (field 22 of /proc/PID/stat) says which process is meant.
 * @returns undefined when it is no child of ours.
 */
export async function adoptOrphan({
  pid,
  startTime,
}: {
  readonly pid: number;
  readonly startTime: string;
}): Promise<{ readonly exit: Promise<ExitStatus> } | undefined> {
  const stat = await statOfProcess(pid);
  return stat?.startTime === startTime && stat.parentPid === process.pid ? { exit: adopt(pid) } : undefined;
}

/** As {@link adopt}, and the program does not end while the child lives. For spawn, in the same turn as the spawn. */
export function watchSpawned(pid: number): Promise<ExitStatus> {
  return watch(pid, true);
}

/** Programs that are being started on another thread, and have no watch yet. */
let spawning = 0;

/** Says that a child is about to be there, which is watched as soon as the event loop knows its pid. @returns what ends that. */
export function noteSpawning(): () => void {
  spawning += 1;
  return () => {
    spawning -= 1;
  };
}

function watch(pid: number, keepsAlive: boolean): Promise<ExitStatus> {
  const existing = watched.get(pid);
  if (existing !== undefined) return existing.exit;
  if (!listening) {
    process.on('SIGCHLD', reapAll);
    listening = true;
  }
  const { promise, resolve, reject } = Promise.withResolvers<ExitStatus>();
  watched.set(pid, { resolve, reject, exit: promise, keepsAlive });
  if (keepsAlive) {
    spawnedAlive += 1;
    keepAlive ??= setInterval(reapIfAny, RECHECK_MS);
  }
  reap(pid);
  return promise;
}

/** Looks now whether a watched process has ended, before the event loop gets to its SIGCHLD; its promise is then resolved. */
export function lookForEnd(pid: number): void {
  reap(pid);
}

function reapAll(): void {
  for (const pid of [...watched.keys()]) reap(pid);
}

/** At each look without a SIGCHLD, which finds nothing as a rule: one call, not one for each conmon. */
function reapIfAny(): void {
  if (hasZombie()) reapAll();
}

function reap(pid: number): void {
  const entry = watched.get(pid);
  if (entry === undefined) return;
  infoBuffer.fill(0);
  const result = waitid(P_PID, pid, infoBuffer, WEXITED | WNOHANG | WNOWAIT);
  const errno = lastErrno();
  if (result === 0 && infoBuffer.readInt32LE(SIGINFO.pid) === 0) return;
  watched.delete(pid);
  if (entry.keepsAlive) spawnedAlive -= 1;
  if (spawnedAlive === 0) {
    clearInterval(keepAlive);
    keepAlive = undefined;
  }
  if (result !== 0) {
    entry.reject(errnoError(`waitid ${pid}`, undefined, errno));
    return;
  }
  const status = infoBuffer.readInt32LE(SIGINFO.status);
  entry.resolve(infoBuffer.readInt32LE(SIGINFO.code) === CLD_EXITED ? { code: status } : { signal: status });
  release(pid);
}

/**
 * Lets a zombie go, beside the event loop: the kernel takes the process's entries out of /proc then, and where others read there it may
 * wait for them, half a second at a load of 20. Until then the pid is not used again.
 */
function release(pid: number): void {
  // A child that has its pid already and has ended too is left to the sweep.
  if (releasing.has(pid)) return;
  releasing.add(pid);
  waitpid.async(pid, null, WNOHANG, () => {
    releasing.delete(pid);
  });
}

/**
 * Reaps zombies among our children that nobody waits for, such as orphans of a killed plugin. Only those are reaped that the
 * sweep before has seen as well. In between libuv, or a caller that is about to adopt one, has time to take its own.
 * @param before what the last sweep returned
 * @returns the zombies that are left for the next sweep.
 */
export async function sweepZombies(before: ReadonlySet<number>): Promise<Set<number>> {
  const found = new Set<number>();
  if (!hasZombie()) return found;
  for (const pid of await mayBeChildrenOf(process.pid)) {
    if (watched.has(pid) || releasing.has(pid)) continue;
    const stat = await statOfProcess(pid);
    if (stat?.parentPid !== process.pid || stat.state !== 'Z' || watched.has(pid) || releasing.has(pid)) continue;
    // One that has just been started may have ended, and its caller has not heard of it.
    if (before.has(pid) && spawning === 0) release(pid);
    else found.add(pid);
  }
  return found;
}

/** Whether any child of ours has ended and is not waited for. */
function hasZombie(): boolean {
  infoBuffer.fill(0);
  return lookAtChildren(P_ALL, 0, infoBuffer, WEXITED | WNOHANG | WNOWAIT) === 0 && infoBuffer.readInt32LE(SIGINFO.pid) !== 0;
}

/**
 * The pids of a process's children; where the kernel does not list them (CONFIG_PROC_CHILDREN), all pids. It lists them by the
 * thread that has started them, proc(5).
 */
export async function mayBeChildrenOf(pid: number): Promise<number[]> {
  const listOf = async (thread: string): Promise<string | undefined> =>
    unlessMissing(readFile(`/proc/${pid}/task/${thread}/children`, 'utf8'), undefined);
  const first = await listOf(String(pid));
  if (first === undefined) return pidsIn(await readdir('/proc'));
  const others = (await unlessMissing(readdir(`/proc/${pid}/task`), [])).filter((thread) => thread !== String(pid));
  const lists = [first, ...(await Promise.all(others.map(listOf)))];
  return pidsIn(lists.flatMap((list) => list?.split(' ') ?? []));
}

function pidsIn(names: readonly string[]): number[] {
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Sweeps every `intervalMs` until `stop` is called; does not keep the program alive. */
export function startZombieSweep(intervalMs = 1_000): { stop: () => void } {
  let before: ReadonlySet<number> = new Set();
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    sweepZombies(before)
      .then((left) => {
        before = left;
      })
      .catch(() => undefined)
      .finally(() => {
        running = false;
      });
  }, intervalMs);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}
