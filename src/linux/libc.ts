import koffi from 'koffi';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { noteActivity, noteSection, SECTION_WORTH_MS } from '../base/timed.ts';

// glibc only: posix_spawn_file_actions_addclosefrom_np and the attribute sizes are glibc's (2.34 or later).
export const lib = koffi.load('libc.so.6');

/**
 * Declares one C function. The signature in C and the one in TypeScript must say the same: a wrong one corrupts memory,
 * so a test calls each of them.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller states the type that the C text has
export function bind<F extends (...args: never[]) => unknown>(prototype: string): F {
  const name = /(\w+)\(/.exec(prototype)?.[1] ?? prototype;
  return named(name, lib.func(prototype)) as unknown as F;
}

/**
 * Declares as {@link bind} does a call that cannot take long and that a clock makes: it does not wake the watch of the event loop, which
 * would then look often at a daemon that does nothing.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller states the type that the C text has
export function bindIdle<F extends (...args: never[]) => unknown>(prototype: string): F {
  return lib.func(prototype) as unknown as F;
}

type AnyFunction = (...args: unknown[]) => unknown;

/** On the main thread, where it may hold the event loop up, a call that takes long is told by its name. */
function named(name: string, call: AnyFunction): AnyFunction {
  if (!isMainThread) return call;
  return (...args) => {
    noteActivity();
    const startedMs = performance.now();
    const result = call(...args);
    const durationMs = performance.now() - startedMs;
    if (durationMs >= SECTION_WORTH_MS) {
      const errno = koffi.errno();
      noteSection(name, startedMs, durationMs);
      koffi.errno(errno);
    }
    return result;
  };
}

/** Names of the system calls that are called by their number. */
const SYSCALL_NAMES: Readonly<Record<number, string>> = {
  424: 'pidfd_send_signal',
  428: 'open_tree',
  429: 'move_mount',
  430: 'fsopen',
  431: 'fsconfig',
  432: 'fsmount',
  434: 'pidfd_open',
  437: 'openat2',
  442: 'mount_setattr',
};

/**
 * Declares a system call that glibc may lack a wrapper for. `types` are the C types of its arguments. syscall(2) takes
 * its arguments in registers on x86-64 and on arm64, so a fixed signature fits it. Give only numbers that are the same on
 * every architecture (424 and up).
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller states the type that the C text has
export function bindSyscall<F extends (...args: never[]) => number>(number: number, types: readonly string[]): F {
  const call = lib.func('syscall', 'long', ['long', ...types]) as unknown as (...args: unknown[]) => number | bigint;
  return named(SYSCALL_NAMES[number] ?? `syscall ${number}`, (...args) => Number(call(number, ...args))) as unknown as F;
}

const strerror = bind<(errno: number) => string>('const char *strerror(int errnum)');

/** The number of the last failed C call of this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/**
 * The error of a failed C call, as Node's own system errors: `.code` (`ENOENT`), `.errno` (negative), `.syscall`, `.path`.
 * 95 is named ENOTSUP, as libuv does, not EOPNOTSUPP.
 */
export function errnoError(call: string, path?: string, errno: number = koffi.errno()): NodeJS.ErrnoException {
  const libuvName = getSystemErrorName(-errno);
  const known = !libuvName.startsWith('Unknown system error');
  const code = known ? libuvName : (Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `E${errno}`);
  const words = known ? getSystemErrorMessage(-errno) : strerror(errno);
  const where = path === undefined ? '' : ` '${path}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${words}, ${call}${where}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = call;
  if (path !== undefined) error.path = path;
  return error;
}

/** Returns what a C call returned. @throws its error when that is -1. */
export function check(result: number, call: string, path?: string): number {
  if (result === -1) throw errnoError(call, path);
  return result;
}

/** Values of <fcntl.h> that differ between architectures: arm64 and arm swap some of x86's. */
const OPEN_FLAGS =
  process.arch === 'arm64' || process.arch === 'arm'
    ? { O_DIRECTORY: 0o40000, O_NOFOLLOW: 0o100000 }
    : { O_DIRECTORY: 0o200000, O_NOFOLLOW: 0o400000 };

export const { O_DIRECTORY, O_NOFOLLOW } = OPEN_FLAGS;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const AT_FDCWD = -100;

const closeFunction = bind<(fd: number) => number>('int close(int fd)');

/** Closes a descriptor of ours. close(2) frees it also when it reports a failure, so failures are not looked at. */
export function close(fd: number): void {
  closeFunction(fd);
}

const openFunction = bind<(path: string, flags: number, mode: number) => number>('int open(const char *path, int flags, int mode)');

/** Opens a file at once, closed on exec. Only for paths that cannot block: ours, /proc, /sys, /dev. @throws its error. */
export function open(path: string, flags: number, mode = 0): number {
  return check(openFunction(path, flags | O_CLOEXEC, mode), 'open', path);
}

const fcntlFunction = bind<(fd: number, command: number, argument: number) => number>('int fcntl(int fd, int cmd, long arg)');
const F_DUPFD_CLOEXEC = 1030;
const F_GETFL = 3;
const F_SETFL = 4;

/** A copy of `fd`, numbered `least` or higher, that is closed on exec. */
export function duplicateFrom(fd: number, least: number): number {
  return check(fcntlFunction(fd, F_DUPFD_CLOEXEC, least), `fcntl F_DUPFD_CLOEXEC ${fd}`);
}

/** Makes reads and writes of an open file return EAGAIN where they would wait. */
export function setNonBlocking(fd: number): void {
  const flags = check(fcntlFunction(fd, F_GETFL, 0), `fcntl F_GETFL ${fd}`);
  check(fcntlFunction(fd, F_SETFL, flags | O_NONBLOCK), `fcntl F_SETFL ${fd}`);
}

const dup3Function = bind<(from: number, to: number, flags: number) => number>('int dup3(int oldfd, int newfd, int flags)');

/** Puts the open file of `from` under the number `to` as well, closed on exec. */
export function duplicateOver(from: number, to: number): void {
  check(dup3Function(from, to, O_CLOEXEC), `dup3 ${from} ${to}`);
}

const pipe2Function = bind<(fds: Buffer, flags: number) => number>('int pipe2(void *fds, int flags)');

/** A pipe whose both ends are blocking and closed on exec. */
export function pipe(): { readEnd: number; writeEnd: number } {
  const fds = Buffer.alloc(8);
  check(pipe2Function(fds, O_CLOEXEC), 'pipe2');
  return { readEnd: fds.readInt32LE(0), writeEnd: fds.readInt32LE(4) };
}
