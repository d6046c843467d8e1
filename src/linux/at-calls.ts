import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } from './libc.ts';
import { bind, bindSyscall, check, errnoError, lastErrno } from './libc.ts';
import { joinDeviceNumber } from './device-number.ts';

/**
 * System calls relative to an open directory, for trees whose names are not ours (image layers, writable layers).
 *
 * Names are *byte strings*: one character per byte (latin1), because names in a tar or on disk need not be UTF-8. All calls
 * are synchronous and belong into a worker thread, or to places where a call cannot block.
 */
export type ByteString = string;

/** `text` as the byte string of its UTF-8 form. */
export function toByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

const SHOWN_CHARACTERS = 200;

/** The text of a byte string, for messages: long ones are cut, and what is not UTF-8 or not printable shows as U+FFFD. */
export function showBytes(name: ByteString): string {
  const text = Buffer.from(name, 'latin1').toString('utf8').replaceAll(/\p{C}/gu, '\ufffd');
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}...`;
}

const PATH_MAX = 4096;
// The kernel copies a name during the call, so that one buffer serves every call of this thread.
const first = Buffer.alloc(PATH_MAX);
const second = Buffer.alloc(PATH_MAX);

function pack(buffer: Buffer, name: ByteString, call: string): Buffer {
  if (name.length >= PATH_MAX) throw errnoError(call, showBytes(name), 36); // ENAMETOOLONG
  if (name.includes('\0')) throw errnoError(call, showBytes(name), 22); // EINVAL
  buffer.write(name, 0, 'latin1');
  buffer[name.length] = 0;
  return buffer;
}

/** Returns what a call on `name` returned. @throws its error when that is -1. */
function checkAt(result: number, call: string, name: ByteString): number {
  if (result === -1) throw errnoError(call, showBytes(name));
  return result;
}

type Bytes = Uint8Array;
const openat = bind<(dir: number, path: Bytes, flags: number, mode: number) => number>(
  'int openat(int dir, const uint8_t *path, int flags, uint32_t mode)',
);
const openat2 = bindSyscall<(dir: number, path: Bytes, how: Bytes, size: number) => number>(437, [
  'int',
  'const uint8_t *',
  'const void *',
  'size_t',
]);
const mkdirat = bind<(dir: number, path: Bytes, mode: number) => number>('int mkdirat(int dir, const uint8_t *path, uint32_t mode)');
const mknodat = bind<(dir: number, path: Bytes, mode: number, device: bigint) => number>(
  'int mknodat(int dir, const uint8_t *path, uint32_t mode, uint64_t dev)',
);
const symlinkat = bind<(target: Bytes, dir: number, path: Bytes) => number>(
  'int symlinkat(const uint8_t *target, int dir, const uint8_t *path)',
);
const readlinkat = bind<(dir: number, path: Bytes, buffer: Bytes, size: number) => number>(
  'long readlinkat(int dir, const uint8_t *path, uint8_t *buffer, size_t size)',
);
const linkat = bind<(fromDir: number, from: Bytes, toDir: number, to: Bytes, flags: number) => number>(
  'int linkat(int fromDir, const uint8_t *from, int toDir, const uint8_t *to, int flags)',
);
const unlinkat = bind<(dir: number, path: Bytes, flags: number) => number>('int unlinkat(int dir, const uint8_t *path, int flags)');
const renameat = bind<(fromDir: number, from: Bytes, toDir: number, to: Bytes) => number>(
  'int renameat(int fromDir, const uint8_t *from, int toDir, const uint8_t *to)',
);
const fchownat = bind<(dir: number, path: Bytes, uid: number, gid: number, flags: number) => number>(
  'int fchownat(int dir, const uint8_t *path, uint32_t uid, uint32_t gid, int flags)',
);
const fchown = bind<(fd: number, uid: number, gid: number) => number>('int fchown(int fd, uint32_t uid, uint32_t gid)');
const fchmod = bind<(fd: number, mode: number) => number>('int fchmod(int fd, uint32_t mode)');
const fchmodat = bind<(dir: number, path: Bytes, mode: number, flags: number) => number>(
  'int fchmodat(int dir, const uint8_t *path, uint32_t mode, int flags)',
);
const utimensat = bind<(dir: number, path: Bytes, times: Bytes, flags: number) => number>(
  'int utimensat(int dir, const uint8_t *path, const void *times, int flags)',
);
const futimens = bind<(fd: number, times: Bytes) => number>('int futimens(int fd, const void *times)');
const fsetxattr = bind<(fd: number, name: Bytes, value: Bytes, size: number, flags: number) => number>(
  'int fsetxattr(int fd, const uint8_t *name, const void *value, size_t size, int flags)',
);
const lsetxattr = bind<(path: Bytes, name: Bytes, value: Bytes, size: number, flags: number) => number>(
  'int lsetxattr(const uint8_t *path, const uint8_t *name, const void *value, size_t size, int flags)',
);
const fgetxattr = bind<(fd: number, name: Bytes, value: Bytes, size: number) => number>(
  'long fgetxattr(int fd, const uint8_t *name, void *value, size_t size)',
);
const flistxattr = bind<(fd: number, list: Bytes, size: number) => number>('long flistxattr(int fd, void *list, size_t size)');
const syncfsFunction = bind<(fd: number) => number>('int syncfs(int fd)');

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
/** openat2(2): no magic links of /proc; no way out of the directory given. */
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;

const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** A moment as the kernel keeps it. */
export interface Timestamp {
  /** Seconds since 1970; may be negative. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

const times = Buffer.alloc(32); // struct timespec[2]: access, modification
function packTimes(at: Timestamp): Buffer {
  times.writeBigInt64LE(BigInt(at.seconds), 0);
  times.writeBigInt64LE(BigInt(at.nanoseconds), 8);
  times.copy(times, 16, 0, 16);
  return times;
}

const how = Buffer.alloc(24); // struct open_how: flags, mode, resolve
function resolveAndOpen(root: number, path: ByteString, flags: number, resolve: number): number {
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(0n, 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const bytes = pack(first, path === '' ? '.' : path, 'openat2');
  for (let attempt = 0; ; attempt += 1) {
    const fd = openat2(root, bytes, how, how.length);
    if (fd !== -1) return fd;
    // EAGAIN: a rename or mount somewhere on the system raced with the walk, openat2(2).
    if (lastErrno() !== 11 || attempt === 100) throw errnoError('openat2', showBytes(path));
  }
}

/** Opens a directory by a path of ours (UTF-8), following symlinks. */
export function openDirectory(path: string): number {
  return check(openat(AT_FDCWD, pack(first, toByteString(path), 'open'), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), 'open', path);
}

/**
 * Opens the directory `path` below `root` as a process chrooted to `root` would: symlinks are followed, but `..`, absolute
 * targets and magic links never lead out of it. @throws ENOENT, ENOTDIR, ELOOP.
 */
export function openDirectoryInRoot(root: number, path: ByteString): number {
  return resolveAndOpen(root, path, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/** Opens the directory `path` below `root`. @throws ELOOP where a symlink is anywhere on the way. */
export function openDirectoryBeneath(root: number, path: ByteString): number {
  return resolveAndOpen(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/** Opens what is known to be a regular file for reading. */
export function openFileAt(dir: number, name: ByteString): number {
  return checkAt(openat(dir, pack(first, name, 'openat'), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0), 'openat', name);
}

/** Makes a regular file (0600) for writing. @throws EEXIST also where the name is a symlink. */
export function createFileAt(dir: number, name: ByteString): number {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  return checkAt(openat(dir, pack(first, name, 'openat'), flags, 0o600), 'openat', name);
}

/** Opens the directory `name` itself, not through a symlink. */
export function openDirectoryAt(dir: number, name: ByteString): number {
  return checkAt(openat(dir, pack(first, name, 'openat'), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), 'openat', name);
}

/** Makes a directory (0700). */
export function makeDirectoryAt(dir: number, name: ByteString): void {
  checkAt(mkdirat(dir, pack(first, name, 'mkdirat'), 0o700), 'mkdirat', name);
}

/** Makes a character or block device or a FIFO (0600). mknod(2). */
export function makeNodeAt(dir: number, name: ByteString, type: 'char' | 'block' | 'fifo', major = 0, minor = 0): void {
  const mode = { char: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO }[type] | 0o600;
  checkAt(mknodat(dir, pack(first, name, 'mknodat'), mode, joinDeviceNumber(major, minor)), 'mknodat', name);
}

/** Makes a symlink with any target: it is only text here. */
export function makeSymlinkAt(dir: number, name: ByteString, target: ByteString): void {
  checkAt(symlinkat(pack(first, target, 'symlinkat'), dir, pack(second, name, 'symlinkat')), 'symlinkat', name);
}

/** The target of the symlink `name`; undefined where there is none of that name, or something else. */
export function readLinkAt(dir: number, name: ByteString): ByteString | undefined {
  const length = readlinkat(dir, pack(first, name, 'readlinkat'), second, second.length);
  if (length !== -1) return second.toString('latin1', 0, length);
  if (lastErrno() === 2 || lastErrno() === 22) return undefined; // ENOENT, EINVAL: no symlink
  throw errnoError('readlinkat', showBytes(name));
}

/** Makes `name` a further name of `fromName`; a symlink there is linked itself, never followed. */
export function makeLinkAt(fromDir: number, fromName: ByteString, dir: number, name: ByteString): void {
  checkAt(linkat(fromDir, pack(first, fromName, 'linkat'), dir, pack(second, name, 'linkat'), 0), 'linkat', fromName);
}

/** Removes a name that is not a directory. */
export function unlinkAt(dir: number, name: ByteString): void {
  checkAt(unlinkat(dir, pack(first, name, 'unlinkat'), 0), 'unlinkat', name);
}

/** Removes an empty directory. */
export function removeDirectoryAt(dir: number, name: ByteString): void {
  checkAt(unlinkat(dir, pack(first, name, 'unlinkat'), AT_REMOVEDIR), 'unlinkat', name);
}

export function renameAt(fromDir: number, fromName: ByteString, dir: number, name: ByteString): void {
  checkAt(renameat(fromDir, pack(first, fromName, 'renameat'), dir, pack(second, name, 'renameat')), 'renameat', fromName);
}

/** Changes owner and group of a name, of a symlink its own. It clears set-id bits and capabilities: comes before both. */
export function changeOwnerAt(dir: number, name: ByteString, uid: number, gid: number): void {
  checkAt(fchownat(dir, pack(first, name, 'fchownat'), uid, gid, AT_SYMLINK_NOFOLLOW), 'fchownat', name);
}

export function changeOwner(fd: number, uid: number, gid: number): void {
  check(fchown(fd, uid, gid), 'fchown');
}

/** Changes the mode of a device or FIFO that we have just made; it follows symlinks, so the name must be known to be none. */
export function changeModeAt(dir: number, name: ByteString, mode: number): void {
  checkAt(fchmodat(dir, pack(first, name, 'fchmodat'), mode, 0), 'fchmodat', name);
}

export function changeMode(fd: number, mode: number): void {
  check(fchmod(fd, mode), 'fchmod');
}

/** Sets access and modification time of a name, of a symlink its own. */
export function changeTimesAt(dir: number, name: ByteString, at: Timestamp): void {
  checkAt(utimensat(dir, pack(first, name, 'utimensat'), packTimes(at), AT_SYMLINK_NOFOLLOW), 'utimensat', name);
}

export function changeTimes(fd: number, at: Timestamp): void {
  check(futimens(fd, packTimes(at)), 'futimens');
}

/** Sets an extended attribute of an open file. @throws ENOTSUP where the file system has none of this kind. */
export function setAttribute(fd: number, name: ByteString, value: Uint8Array): void {
  checkAt(fsetxattr(fd, pack(first, name, 'fsetxattr'), value, value.length, 0), 'fsetxattr', name);
}

/** Sets an extended attribute of a name, of a symlink its own. The directory's path goes by /proc/self/fd, for want of a *at call. */
export function setAttributeAt(dir: number, file: ByteString, name: ByteString, value: Uint8Array): void {
  const path = pack(second, `/proc/self/fd/${dir}/${file}`, 'lsetxattr');
  checkAt(lsetxattr(path, pack(first, name, 'lsetxattr'), value, value.length, 0), 'lsetxattr', file);
}

/** For one call at a time; a layer may have a hundred thousand files with attributes. XATTR_LIST_MAX, XATTR_SIZE_MAX. */
const attributeNames = Buffer.alloc(64 * 1024);
const attributeValue = Buffer.alloc(64 * 1024);

/** The extended attributes of an open file; none where the file system has no such thing. */
export function attributesOf(fd: number): Map<ByteString, Buffer> {
  const found = new Map<ByteString, Buffer>();
  if (flistxattr(fd, first, 0) === 0) return found; // most files
  const listBytes = flistxattr(fd, attributeNames, attributeNames.length);
  if (listBytes === -1) {
    if (lastErrno() === 95) return found; // ENOTSUP
    throw errnoError('flistxattr');
  }
  for (const name of attributeNames.toString('latin1', 0, listBytes).split('\0')) {
    if (name === '') continue;
    const length = fgetxattr(fd, pack(first, name, 'fgetxattr'), attributeValue, attributeValue.length);
    if (length !== -1) found.set(name, Buffer.from(attributeValue.subarray(0, length)));
  }
  return found;
}

/** The value of one extended attribute of an open file; undefined where it has none of that name. */
export function attributeOf(fd: number, name: ByteString): Buffer | undefined {
  const length = fgetxattr(fd, pack(first, name, 'fgetxattr'), attributeValue, attributeValue.length);
  if (length !== -1) return Buffer.from(attributeValue.subarray(0, length));
  if (lastErrno() === 61 || lastErrno() === 95) return undefined; // ENODATA, ENOTSUP
  throw errnoError('fgetxattr', name);
}

/** Writes everything that is dirty on the file system of an open file to its disk. It takes as long as the disk does. */
export function syncFileSystem(fd: number): void {
  check(syncfsFunction(fd), 'syncfs');
}
