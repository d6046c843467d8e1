import type { ByteString } from './at-calls.ts';
import { bind, check, errnoError, lastErrno } from './libc.ts';

/** Reading directories and what is in them, as at-calls.ts: by open directories and byte strings, synchronously. */

/** An entry of a directory. */
export interface DirectoryEntry {
  readonly name: ByteString;
  /** Undefined where the file system does not tell it here. */
  readonly isDirectory: boolean | undefined;
  /** Where the directory is read on behind it, for {@link seekDirectory}. */
  readonly next: bigint;
}

/** What the kernel says of a file, statx(2). */
export interface FileStatus {
  readonly isDirectory: boolean;
  readonly links: number;
  /** Exact up to 2^53, where the file systems that we know end. */
  readonly inode: number;
  /** The file system. */
  readonly device: number;
  readonly usedBytes: number;
  /** Kind and permissions, as in stat(2). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Of a device: its number as `major:minor`. */
  readonly deviceNumber: string;
  /** Seconds and nanoseconds since 1970. */
  readonly modified: string;
}

type Bytes = Uint8Array;
const getdents64 = bind<(fd: number, entries: Bytes, size: number) => number>('long getdents64(int fd, void *dirp, size_t length)');
const lseek = bind<(fd: number, offset: bigint, whence: number) => number | bigint>('int64_t lseek(int fd, int64_t offset, int whence)');
const statx = bind<(dir: number, path: Bytes, flags: number, mask: number, status: Bytes) => number>(
  'int statx(int dir, const uint8_t *path, int flags, unsigned int mask, void *status)',
);

/** As many entries as cost about a millisecond. */
const entries = Buffer.alloc(32 * 1024);
const path = Buffer.alloc(257); // NAME_MAX is 255
const status = Buffer.alloc(256); // struct statx

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
/** By d_type, getdents(2): whether that is a directory (DT_DIR); undefined for DT_UNKNOWN. */
const KINDS: readonly (boolean | undefined)[] = [undefined, ...Array.from({ length: 15 }, (_, at) => at + 1 === 4)];
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const ENOENT = 2;
/** Most minor numbers that a major one has. */
const MINORS = 2 ** 20;

/** The next entries of an open directory, in its own order and without `.` and `..`; none at its end. */
export function readEntries(fd: number): DirectoryEntry[] {
  for (;;) {
    const length = check(getdents64(fd, entries, entries.length), 'getdents64');
    if (length === 0) return [];
    const found: DirectoryEntry[] = [];
    // struct linux_dirent64: inode (8), position behind it (8), length of this record (2), type (1), name with a NUL.
    for (let at = 0; at < length; at += entries.readUInt16LE(at + 16)) {
      const name = entries.toString('latin1', at + 19, entries.indexOf(0, at + 19));
      if (name !== '.' && name !== '..')
        found.push({ name, isDirectory: KINDS[entries.readUInt8(at + 18)], next: entries.readBigInt64LE(at + 8) });
    }
    if (found.length > 0) return found;
  }
}

/** Has an open directory read on from a place that one of its entries named. */
export function seekDirectory(fd: number, place: bigint): void {
  if (Number(lseek(fd, place, 0)) === -1) throw errnoError('lseek');
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const ENXIO = 6;

/** Where data begins in an open file, at `from` or behind it; undefined where nothing but a hole follows. lseek(2). */
export function seekData(fd: number, from: number): number | undefined {
  const at = Number(lseek(fd, BigInt(from), SEEK_DATA));
  if (at !== -1) return at;
  if (lastErrno() === ENXIO) return undefined;
  throw errnoError('lseek');
}

/** Where the next hole of an open file begins, its end at the latest. */
export function seekHole(fd: number, from: number): number {
  const at = Number(lseek(fd, BigInt(from), SEEK_HOLE));
  if (at === -1) throw errnoError('lseek');
  return at;
}

/** The status of a name, of a symlink its own; of the open directory itself for ''. undefined where it is gone. */
export function statusAt(dir: number, name: ByteString): FileStatus | undefined {
  if (name.length >= path.length) throw errnoError('statx', undefined, 36); // ENAMETOOLONG
  path.write(name, 0, 'latin1');
  path[name.length] = 0;
  if (statx(dir, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH, STATX_BASIC_STATS, status) === -1) {
    if (lastErrno() === ENOENT) return undefined;
    throw errnoError('statx');
  }
  return {
    links: status.readUInt32LE(16),
    isDirectory: (status.readUInt16LE(28) & S_IFMT) === S_IFDIR,
    inode: Number(status.readBigUInt64LE(32)),
    usedBytes: Number(status.readBigUInt64LE(48)) * 512,
    device: status.readUInt32LE(136) * MINORS + status.readUInt32LE(140),
    mode: status.readUInt16LE(28),
    uid: status.readUInt32LE(20),
    gid: status.readUInt32LE(24),
    sizeBytes: Number(status.readBigUInt64LE(40)),
    deviceNumber: `${status.readUInt32LE(128)}:${status.readUInt32LE(132)}`,
    modified: `${status.readBigInt64LE(112)}.${status.readUInt32LE(120)}`,
  };
}
