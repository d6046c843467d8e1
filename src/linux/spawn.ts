import { accessSync, constants } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { lookForEnd } from './children.ts';
import { errnoError } from './libc.ts';
import { ended } from './pipes.ts';
import { timeProgram } from './slow-programs.ts';
import { spawnPosixBeside } from './spawn-beside.ts';
import { spawnPosix } from './spawn-posix.ts';
import { DaemonError, hasErrno } from '../base/errors.ts';
import { reasonOf, settledWithin, sleep, withTimeout } from '../base/deadline.ts';
import { stepIs } from '../base/steps.ts';
import { constants as osConstants } from 'node:os';
import type { Socket } from 'node:net';
import type { ExitStatus } from './children.ts';
import type { Child, SpawnOptions, Stdio } from './spawn-stdio.ts';

export type { ExitStatus } from './children.ts';
export type { Child, SpawnOptions, Stdio } from './spawn-stdio.ts';

export interface RunOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What the program reads from its stdin; /dev/null where left out. */
  readonly input?: string | Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Most that is kept of each of stdout and stderr, bytes; more is read and dropped. Default 1 MiB. */
  readonly outputLimitBytes?: number;
  /** Whether a stdout over the limit is given as far as it goes, and `cut`. Else run() fails: a part is not to be taken for the whole. */
  readonly mayBeCut?: boolean;
  /** How long to read on after the exit while something else holds the output open, milliseconds. Default 500. */
  readonly drainMs?: number;
  /** What it is run for, in words for a log line about one that takes long; the program and its arguments where left out. */
  readonly what?: string;
}

export interface RunResult {
  readonly exit: ExitStatus;
  /** All that the program itself wrote. */
  readonly stdout: Buffer;
  /** For people: where it is over the limit, its end. */
  readonly stderr: Buffer;
  /** Whether stdout was over the limit; it is then the beginning only. */
  readonly cut: boolean;
  /** Whether something that the program left behind still held its stdout or stderr when the drain time was over. */
  readonly heldOpen: boolean;
}

/**
 * For Go programs that live for milliseconds: their garbage collector took a fifth of that at its usual setting. The number says by
 * how many per cent the heap may grow, from 4 MiB on, before it is collected (Go, package runtime).
 */
export const SHORT_LIVED_GO = { GOGC: '400' } as const;

/** Where programs are looked for, whatever the environment of the daemon. */
export const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** For programs whose words are read: plain ones, whatever the language of the node. */
export const PLAIN_ENVIRONMENT = { LC_ALL: 'C', PATH: STANDARD_PATH } as const;

const OUTPUT_LIMIT_BYTES = 1024 * 1024;
const DRAIN_MS = 500;
/** How long a killed process may take to die (it may hang in the kernel) before run() gives up waiting for it. */
const KILL_WAIT_MS = 2000;

/**
 * Starts a program; `file` without a slash is looked for in our PATH. The child has default signal handling, an empty
 * signal mask and exactly the descriptors of `stdio`; it inherits our soft limit of open files, which Node raised to the
 * hard one at its start.
 * Blocks until the child has called execve: what is started for a request is started by {@link spawnBeside}.
 * @throws the system error: ENOENT (file, its interpreter or cwd), EACCES, E2BIG, ...
 */
export function spawn(file: string, options: SpawnOptions): Child {
  const child = spawnPosix(findProgram(file), options);
  stepIs({ pid: child.pid });
  return child;
}

/**
 * As {@link spawn}, beside the event loop. The child may have ended when it is told of, and its end is not missed.
 * @throws the reason of `signal`, also while the kernel does not answer; a child that is there later is killed.
 */
export async function spawnBeside(file: string, options: SpawnOptions, signal?: AbortSignal): Promise<Child> {
  const child = await spawnPosixBeside(findProgram(file), options, signal);
  stepIs({ pid: child.pid });
  return child;
}

/** Where a program is: `file` itself when it has a slash, else the first executable of that name in our PATH. */
export function findProgram(file: string): string {
  if (file.includes('/')) return file;
  for (const directory of (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(delimiter)) {
    const path = join(directory, file);
    try {
      // eslint-disable-next-line no-restricted-syntax -- spawn() is synchronous: an end of the child must not be missed, and its error is thrown
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    }
  }
  throw errnoError('spawn', file, osConstants.errno.ENOENT);
}

/**
 * Runs a program to its end and gives its output. It leads a process group and session of its own; at the timeout or
 * abort the whole group is killed (a child that called setsid itself escapes). A non-zero exit is not thrown.
 * @throws {DaemonError} DeadlineExceeded after `timeoutMs`; the signal's reason, or Canceled, when it aborts; Internal where its
 * stdout is over the limit and must not be cut.
 * @throws the system error when it could not be started, as {@link spawn}.
 */
export async function run(file: string, options: RunOptions): Promise<RunResult> {
  return runWith(spawnBeside, file, options);
}

/** As {@link run}, with a given way to spawn. */
export async function runWith(
  spawnProgram: (file: string, options: SpawnOptions, signal: AbortSignal) => Child | Promise<Child>,
  file: string,
  options: RunOptions,
): Promise<RunResult> {
  if (options.signal?.aborted === true) throw reasonOf(options.signal);
  const deadline = withTimeout(options.signal, options.timeoutMs, describe(file, options.args));
  try {
    return await resultOf(await spawnProgram(file, spawnOptions(options), deadline.signal), file, options, deadline.signal);
  } finally {
    deadline.clear();
  }
}

async function resultOf(child: Child, file: string, options: RunOptions, signal: AbortSignal): Promise<RunResult> {
  const stopTiming = timeProgram(child.pid, basename(file), () => options.what ?? shown(file, options.args));
  const limit = options.outputLimitBytes ?? OUTPUT_LIMIT_BYTES;
  const stdout = new CollectedOutput(child.pipes[1], limit, 'start');
  const stderr = new CollectedOutput(child.pipes[2], limit, 'end');
  const stdin = child.pipes[0];
  stdin?.end(options.input ?? '');
  try {
    const exit = await exitOrKill(child, signal, stderr);
    const hasEnded = await settledWithin(Promise.all([stdout.ended, stderr.ended]), options.drainMs ?? DRAIN_MS);
    if (stdout.isOver && options.mayBeCut !== true)
      throw new DaemonError('Internal', `${describe(file, options.args)}: its output is over ${limit} bytes, must be less`);
    return { exit, stdout: stdout.bytes(), stderr: stderr.bytes(), cut: stdout.isOver, heldOpen: !hasEnded };
  } finally {
    stopTiming();
    stdin?.destroy();
    stdout.close();
    stderr.close();
  }
}

function spawnOptions(options: RunOptions): SpawnOptions {
  const stdio: Stdio[] = [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
  return {
    args: options.args,
    stdio,
    newSession: true,
    ...(options.env === undefined ? {} : { env: options.env }),
  };
}

function describe(file: string, args: readonly string[]): string {
  return `run ${shown(file, args)}`;
}

/** A program and the first of its arguments. */
function shown(file: string, args: readonly string[]): string {
  const first = args.slice(0, 6).join(' ');
  return `${basename(file)}${first === '' ? '' : ` ${first.slice(0, 200)}`}`;
}

/** The child's end; when `signal` aborts first, kills its group and throws why. */
async function exitOrKill(child: Child, signal: AbortSignal, stderr: CollectedOutput): Promise<ExitStatus> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = (): void => {
    resolve(undefined);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const exit = await Promise.race([child.exit, aborted]);
  signal.removeEventListener('abort', onAbort);
  if (exit !== undefined) return exit;
  // It may have ended by itself before, and the loop was too late to see that: then it has its result.
  lookForEnd(child.pid);
  const last = await Promise.race([child.exit, Promise.resolve(undefined)]);
  if (last !== undefined) return last;
  // It is not reaped yet, so the group is still its own.
  killGroup(child.pid);
  await Promise.race([child.exit, sleep(KILL_WAIT_MS)]);
  const reason = reasonOf(signal);
  const words = stderr.bytes().toString().trimEnd().split('\n').at(-1) ?? '';
  throw words === '' ? reason : new DaemonError(reason.kind, `${reason.message}; it said: ${words.slice(0, 500)}`, { cause: reason });
}

/** Kills the process group that `pid` leads, at once. A group that is gone is fine. */
export function killGroup(pid: number): void {
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`kill process group: pid is ${pid}, must be 2 or more`);
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** Collects what comes out of a pipe, up to a limit; what is over is read and dropped, so that the writer goes on. */
class CollectedOutput {
  /** Resolves at the end of file. */
  readonly ended: Promise<void>;
  readonly #socket: Socket | undefined;
  readonly #limit: number;
  readonly #keep: 'start' | 'end';
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #isOver = false;

  constructor(socket: Socket | undefined, limitBytes: number, keep: 'start' | 'end') {
    this.#socket = socket;
    this.#limit = limitBytes;
    this.#keep = keep;
    this.ended = socket === undefined ? Promise.resolve() : ended(socket);
    socket?.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    return this.#keep === 'start' ? all.subarray(0, this.#limit) : all.subarray(Math.max(0, all.length - this.#limit));
  }

  close(): void {
    this.#socket?.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#size + chunk.length > this.#limit) this.#isOver = true;
    if (this.#keep === 'start' && this.#size >= this.#limit) return;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#keep === 'end' && this.#size - (this.#chunks[0]?.length ?? 0) >= this.#limit)
      this.#size -= this.#chunks.shift()?.length ?? 0;
  }
}
