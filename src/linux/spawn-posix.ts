import { bind, errnoError } from './libc.ts';
import { watchSpawned } from './children.ts';
import { schedStatOf } from './schedstat.ts';
import { PreparedStdio } from './spawn-stdio.ts';
import { noteSection, SECTION_WORTH_MS } from '../base/timed.ts';
import type { Child, SpawnOptions } from './spawn-stdio.ts';

// The attribute and action objects are opaque; 336 and 80 bytes in glibc on 64 bits. posix_spawn(3).
const OPAQUE_BYTES = 1024;
// The kernel's 64 signals as a full glibc sigset_t. Not sigfillset: it leaves 32 and 33 out, which the child would ignore.
const ALL_SIGNALS = Buffer.alloc(128, 0xff);
const NO_SIGNALS = Buffer.alloc(128, 0);
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

type OnObject = (object: Buffer) => number;
const attrInit = bind<OnObject>('int posix_spawnattr_init(void *attr)');
const attrDestroy = bind<OnObject>('int posix_spawnattr_destroy(void *attr)');
const attrSetFlags = bind<(object: Buffer, flags: number) => number>('int posix_spawnattr_setflags(void *attr, short flags)');
const attrSetSigDefault = bind<(object: Buffer, set: Buffer) => number>('int posix_spawnattr_setsigdefault(void *attr, void *set)');
const attrSetSigMask = bind<(object: Buffer, set: Buffer) => number>('int posix_spawnattr_setsigmask(void *attr, void *set)');
const actionsInit = bind<OnObject>('int posix_spawn_file_actions_init(void *actions)');
const actionsDestroy = bind<OnObject>('int posix_spawn_file_actions_destroy(void *actions)');
const addDup2 = bind<(object: Buffer, from: number, to: number) => number>(
  'int posix_spawn_file_actions_adddup2(void *actions, int fd, int newfd)',
);
const addClose = bind<(object: Buffer, fd: number) => number>('int posix_spawn_file_actions_addclose(void *actions, int fd)');
const addCloseFrom = bind<(object: Buffer, fd: number) => number>('int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)');
const addChdir = bind<(object: Buffer, path: string) => number>(
  'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
);
export type PosixSpawnArguments = [
  pid: Buffer,
  path: string,
  actions: Buffer,
  attr: Buffer,
  argv: (string | null)[],
  envp: (string | null)[],
];
export const POSIX_SPAWN = 'int posix_spawn(void *pid, const char *path, void *actions, void *attr, const char **argv, const char **envp)';
const posixSpawn = bind<(...args: PosixSpawnArguments) => number>(POSIX_SPAWN);

let observer: (path: string, ok: boolean) => void = () => undefined;

/** Has `observe` hear of every program that is started, or could not be. It must be quick and must not throw. */
export function observeSpawns(observe: (path: string, ok: boolean) => void): void {
  observer = observe;
}

/** The posix_spawn calls return their error number instead of setting errno. */
function checkReturned(errno: number, call: string, path?: string): void {
  if (errno !== 0) throw errnoError(call, path, errno);
}

/**
 * Starts a program by glibc's posix_spawn, whose cost does not grow with our memory as fork's does (child_process forks).
 * `path` must have a slash. Blocks until the child has called execve.
 */
export function spawnPosix(path: string, options: SpawnOptions): Child {
  const stdio = new PreparedStdio(options.stdio ?? []);
  let pid: number;
  try {
    pid = startProgram(path, options, stdio.childFds);
  } catch (error) {
    stdio.closeOurs();
    throw error;
  } finally {
    stdio.closeChilds();
  }
  // In the same turn as the spawn, so that an exit in between is not missed.
  const exit = watchSpawned(pid);
  return { pid, exit, pipes: stdio.open() };
}

/**
 * The bare spawn: nobody waits for the child yet. Each descriptor of `childFds` is the child's by its index; none may be a number
 * below their count.
 */
export function startProgram(path: string, options: SpawnOptions, childFds: readonly (number | undefined)[]): number {
  const call = new PreparedCall(path, options, childFds);
  try {
    const startedMs = performance.now();
    const pid = call.pidAfter(posixSpawn(...call.arguments));
    noteChildsDelay(pid, startedMs);
    return pid;
  } finally {
    call.destroy();
  }
}

/** What posix_spawn is given. */
export class PreparedCall {
  readonly arguments: PosixSpawnArguments;
  readonly #pid = Buffer.alloc(4);
  readonly #attr = Buffer.alloc(OPAQUE_BYTES);
  readonly #actions = Buffer.alloc(OPAQUE_BYTES);
  readonly #path: string;
  readonly #where: string;

  constructor(path: string, options: SpawnOptions, childFds: readonly (number | undefined)[]) {
    const env = Object.entries(options.env ?? process.env).map(([name, value]) => `${name}=${value ?? ''}`);
    refuseNul([path, ...options.args, ...env, options.cwd ?? '']);
    this.#path = path;
    this.#where = options.cwd === undefined ? '' : ` (in ${options.cwd})`; // ENOENT may mean either
    this.arguments = [this.#pid, path, this.#actions, this.#attr, [path, ...options.args, null], [...env, null]];
    checkReturned(attrInit(this.#attr), 'posix_spawnattr_init');
    checkReturned(actionsInit(this.#actions), 'posix_spawn_file_actions_init');
    try {
      prepareAttributes(this.#attr, options);
      prepareActions(this.#actions, options, childFds);
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** @throws the system error where the call has returned one. */
  pidAfter(errno: number): number {
    observer(this.#path, errno === 0);
    checkReturned(errno, `spawn${this.#where}`, this.#path);
    return this.#pid.readInt32LE(0);
  }

  destroy(): void {
    actionsDestroy(this.#actions);
    attrDestroy(this.#attr);
  }
}

/** The call waits until the child has called execve: that it had no processor to do so is the machine's time. */
function noteChildsDelay(pid: number, startedMs: number): void {
  const durationMs = performance.now() - startedMs;
  if (durationMs < SECTION_WORTH_MS) return;
  noteSection('no processor for a child', startedMs, Math.min(schedStatOf(pid).delayedMs, durationMs), true);
}

function prepareAttributes(attr: Buffer, options: SpawnOptions): void {
  // Node ignores SIGPIPE, and ignored signals stay ignored over execve: the child starts with all of them at default.
  checkReturned(attrSetSigDefault(attr, ALL_SIGNALS), 'posix_spawnattr_setsigdefault');
  checkReturned(attrSetSigMask(attr, NO_SIGNALS), 'posix_spawnattr_setsigmask');
  const session = options.newSession === true ? POSIX_SPAWN_SETSID : 0;
  checkReturned(attrSetFlags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | session), 'posix_spawnattr_setflags');
}

function prepareActions(actions: Buffer, options: SpawnOptions, childFds: readonly (number | undefined)[]): void {
  if (options.cwd !== undefined) checkReturned(addChdir(actions, options.cwd), 'posix_spawn_file_actions_addchdir_np');
  for (const [target, source] of childFds.entries()) {
    if (source === undefined) checkReturned(addClose(actions, target), 'posix_spawn_file_actions_addclose');
    else checkReturned(addDup2(actions, source, target), 'posix_spawn_file_actions_adddup2');
  }
  checkReturned(addCloseFrom(actions, childFds.length), 'posix_spawn_file_actions_addclosefrom_np');
}

/** C would cut the string at the NUL; Node's child_process refuses it too. */
function refuseNul(strings: readonly string[]): void {
  if (strings.some((text) => text.includes('\0'))) {
    const error: NodeJS.ErrnoException = new Error('spawn: an argument, a variable or the directory holds a NUL byte');
    error.code = 'ERR_INVALID_ARG_VALUE';
    throw error;
  }
}
