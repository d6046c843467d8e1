import { fstat, fstatSync, read as readCallback, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { promisify } from 'node:util';
import {
  AT_FDCWD,
  bind,
  bindSyscall,
  check,
  close,
  errnoError,
  lastErrno,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  open,
} from './libc.ts';

const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
const RESOLVE_CACHED = 0x20;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const EAGAIN = 11;
const EFBIG = 27;
const EISDIR = 21;
const EINVAL = 22;
/** A rename elsewhere makes openat2 give up with EAGAIN: openat2(2), RESOLVE_IN_ROOT. */
const RACE_RETRIES = 64;
const READ_CHUNK_BYTES = 64 * 1024;

const openat2Syscall = bindSyscall<(dirfd: number, path: string, how: Buffer, size: number) => number>(437, [
  'int',
  'const char *',
  'void *',
  'size_t',
]);
const flock = bind<(fd: number, operation: number) => number>('int flock(int fd, int operation)');
const readlink = bind<(path: string, buffer: Buffer, size: number) => number>('long readlink(const char *path, void *buf, size_t size)');
const read = promisify(readCallback);
const stat = promisify(fstat);

/**
 * Opens `path` as a program whose root is `root` would: symlinks, `..` and absolute targets stay inside, also while
 * something inside is being changed. Closed on exec. The caller closes it.
 * @throws the system error: ENOENT, ELOOP, ENOTDIR, ...
 */
export function openInRoot(root: string, path: string, flags: number, mode = 0): number {
  const rootFd = open(root, O_PATH | O_DIRECTORY);
  try {
    return openat2(rootFd, path, { flags, mode, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS });
  } finally {
    close(rootFd);
  }
}

/**
 * Whether a directory is there, on the file system of `/`, by what the kernel has in its cache. It never waits for a file system, which may hang:
 * false also where one would have to be asked, or have a link's time of access written. openat2(2), RESOLVE_CACHED; false before Linux 5.12.
 */
export function isDirectoryAtHand(path: string): boolean {
  try {
    // What is mounted may want to be asked even for what is in the cache (NFS: of its own root).
    const resolve = RESOLVE_CACHED | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
    close(openat2(AT_FDCWD, path, { flags: O_PATH | O_DIRECTORY, mode: 0, resolve, retries: 0 }));
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of the host at which `path` of a root is, with its symlinks followed as {@link openInRoot} does. It holds as long
 * as nobody changes what is inside. @throws the system error: ENOENT, ELOOP, ENOTDIR, ...
 */
export function pathInRoot(root: string, path: string): string {
  const fd = openInRoot(root, path, O_PATH | O_CLOEXEC);
  try {
    return linkOf(fd);
  } finally {
    close(fd);
  }
}

function openat2(dirfd: number, path: string, how: { flags: number; mode: number; resolve: number; retries?: number }): number {
  if (path.includes('\0')) throw errnoError('openat2', path, EINVAL);
  const open_how = Buffer.alloc(24);
  open_how.writeBigUInt64LE(BigInt((how.flags | O_CLOEXEC) >>> 0), 0);
  open_how.writeBigUInt64LE(BigInt(how.mode), 8);
  open_how.writeBigUInt64LE(BigInt(how.resolve), 16);
  for (let attempt = 0; ; attempt += 1) {
    const fd = openat2Syscall(dirfd, path, open_how, open_how.length);
    if (fd !== -1) return fd;
    if (lastErrno() !== EAGAIN || attempt === (how.retries ?? RACE_RETRIES)) throw errnoError('openat2', path);
  }
}

/**
 * Reads a regular file of a root that others may have filled. A FIFO or a device is never opened for reading, so nothing
 * in the image can make us wait.
 * @throws the system error: ENOENT, EISDIR, EINVAL (no regular file), EFBIG (longer than `limitBytes`).
 */
export async function readFileInRoot(root: string, path: string, limitBytes: number): Promise<Buffer> {
  const bytes = await readStartInRoot(root, path, limitBytes + 1);
  if (bytes.length > limitBytes) throw errnoError(`read more than ${limitBytes} bytes of`, path, EFBIG);
  return bytes;
}

/** As {@link readFileInRoot}, but of a longer file it reads the first `limitBytes` bytes. @throws ENOENT, EISDIR, EINVAL. */
export async function readStartInRoot(root: string, path: string, limitBytes: number): Promise<Buffer> {
  const place = openInRoot(root, path, O_PATH);
  let fd: number | undefined;
  try {
    requireFile(await stat(place), path);
    fd = open(`/proc/self/fd/${place}`, O_RDONLY);
    return await readStart(fd, limitBytes);
  } finally {
    if (fd !== undefined) close(fd);
    close(place);
  }
}

/** As {@link readStartInRoot}, on a kernel thread: libuv's pool is one for all threads, and what hangs in it is lost to all. */
export function readStartInRootSync(root: string, path: string, limitBytes: number): Buffer {
  const place = openInRoot(root, path, O_PATH);
  let fd: number | undefined;
  try {
    // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
    requireFile(fstatSync(place), path);
    fd = open(`/proc/self/fd/${place}`, O_RDONLY);
    const chunks: Buffer[] = [];
    for (let total = 0; total < limitBytes;) {
      const chunk = Buffer.alloc(Math.min(READ_CHUNK_BYTES, limitBytes - total));
      // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
      const bytesRead = readSync(fd, chunk, 0, chunk.length, null);
      if (bytesRead === 0) break;
      total += bytesRead;
      chunks.push(chunk.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks);
  } finally {
    if (fd !== undefined) close(fd);
    close(place);
  }
}

function requireFile(stats: Stats, path: string): void {
  if (stats.isDirectory()) throw errnoError('read', path, EISDIR);
  if (!stats.isFile()) throw errnoError('read (no regular file)', path, EINVAL);
}

async function readStart(fd: number, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let total = 0; total < limitBytes;) {
    const chunk = Buffer.alloc(Math.min(READ_CHUNK_BYTES, limitBytes - total));
    const { bytesRead } = await read(fd, chunk, 0, chunk.length, null);
    if (bytesRead === 0) break;
    total += bytesRead;
    chunks.push(chunk.subarray(0, bytesRead));
  }
  return Buffer.concat(chunks);
}

/** What `path` of a root is, with its symlinks followed as {@link openInRoot} does. @throws the system error: ENOENT, ELOOP, ... */
export async function statInRoot(root: string, path: string): Promise<Stats> {
  const place = openInRoot(root, path, O_PATH);
  try {
    return await stat(place);
  } finally {
    close(place);
  }
}

function linkOf(fd: number): string {
  const buffer = Buffer.alloc(4096);
  const length = check(readlink(`/proc/self/fd/${fd}`, buffer, buffer.length), 'readlink', `/proc/self/fd/${fd}`);
  return buffer.toString('utf8', 0, length);
}

/** A lock that holds until it is released or this process ends. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of a file, made if needed (0600), without waiting: flock(2). Children do not inherit it.
 * @returns false when another open of it has the lock, in this process or another.
 */
export function lockFile(path: string): FileLock | false {
  // Opened for reading: one that is there can be locked also where its file system is read-only.
  const fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0o600);
  if (flock(fd, LOCK_EX | LOCK_NB) === -1) {
    const errno = lastErrno();
    close(fd);
    if (errno === EAGAIN) return false;
    throw errnoError('flock', path, errno);
  }
  return {
    release: () => {
      flock(fd, LOCK_UN);
      close(fd);
    },
  };
}
