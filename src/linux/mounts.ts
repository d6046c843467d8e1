import { readFile } from 'node:fs/promises';
import { bind, bindSyscall, check, close, errnoError, lastErrno, AT_FDCWD } from './libc.ts';
import { attachTree, mount } from './mount-calls.ts';
import { isAtOrBelow, mountOf, parseMountInfo } from './mountinfo.ts';
import type { MountEntry, Propagation } from './mountinfo.ts';

export type { MountEntry, Propagation } from './mountinfo.ts';
export { mountOverlay, VOLATILE_MARK } from './overlay.ts';

const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MS_REC = 0x4000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const MOUNT_ATTR_RDONLY = 0x1;
const ENOENT = 2;
const ENOTDIR = 20;
const EINVAL = 22;

const umount2 = bind<(target: string, flags: number) => number>('int umount2(const char *target, int flags)');
// glibc has wrappers for these from 2.36 on only.
const openTree = bindSyscall<(dirfd: number, path: string, flags: number) => number>(428, ['int', 'const char *', 'uint']);
const mountSetattr = bindSyscall<(dirfd: number, path: string, flags: number, attr: Buffer, size: number) => number>(442, [
  'int',
  'const char *',
  'uint',
  'void *',
  'size_t',
]);

/** All mounts of our mount namespace, in the kernel's order: what covers comes after what it covers. */
export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

export interface BindOptions {
  /** Bring what is mounted below the source too. Default false. */
  readonly recursive?: boolean;
  /** Read-only from the first moment on; with `recursive`, everything below too. Default false. */
  readonly readOnly?: boolean;
  /**
   * How mounts below it spread afterwards. Default private. The new mount itself still shows at the peers of the mount that
   * `target` lies on.
   */
  readonly propagation?: Propagation;
}

/**
 * Shows `source` at `target`, both existing. Touches both paths on the calling thread: only for paths of ours.
 * @throws the system error.
 */
export function bindMount(source: string, target: string, options: BindOptions = {}): void {
  const recursive = options.recursive === true ? AT_RECURSIVE : 0;
  const tree = check(openTree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive), 'open_tree', source);
  try {
    if (options.readOnly === true) setAttributes(tree, recursive, MOUNT_ATTR_RDONLY, 0);
    attachTree(tree, target);
    // After it is in place, since a shared mount makes what is attached to it shared.
    setAttributes(tree, recursive, 0, PROPAGATION_FLAGS[options.propagation ?? 'private']);
  } finally {
    close(tree);
  }
}

/** Values of struct mount_attr's `propagation`: mount_setattr(2). */
const PROPAGATION_FLAGS = { unbindable: 1 << 17, private: 1 << 18, slave: 1 << 19, shared: 1 << 20 } as const satisfies Record<
  Propagation,
  number
>;

function setAttributes(fd: number, recursive: number, attributes: number, propagation: number): void {
  const attr = Buffer.alloc(32); // attr_set, attr_clr, propagation, userns_fd
  attr.writeBigUInt64LE(BigInt(attributes), 0);
  attr.writeBigUInt64LE(BigInt(propagation), 16);
  check(mountSetattr(fd, '', AT_EMPTY_PATH | recursive, attr, attr.length), 'mount_setattr');
}

/** Changes how the mount at `path` spreads, with all below where `recursive`. mount_namespaces(7). */
export function setPropagation(path: string, propagation: Propagation, recursive = false): void {
  const flags = PROPAGATION_FLAGS[propagation] | (recursive ? MS_REC : 0);
  mount('none', path, { flags });
}

export interface TmpfsOptions {
  readonly sizeBytes: number;
  /** Permission bits of its root directory: 0o1777. */
  readonly mode: number;
  /** What mountinfo names as source. Default tmpfs. */
  readonly source?: string;
}

/** Mounts a fresh tmpfs, nosuid, nodev and noexec. @throws the system error. */
export function mountTmpfs(target: string, options: TmpfsOptions): void {
  const data = `size=${options.sizeBytes},mode=${options.mode.toString(8)}`;
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mount(options.source ?? 'tmpfs', target, { type: 'tmpfs', flags, data });
}

/**
 * Unmounts everything at `path`, lazily: it is gone from the tree at once, busy or not. Nothing mounted there, or no such
 * path, is fine. A symlink at the end is not followed.
 * @throws the system error of anything else.
 */
export function unmount(path: string): void {
  while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) === 0);
  const errno = lastErrno();
  if (errno !== EINVAL && errno !== ENOENT && errno !== ENOTDIR) throw errnoError('umount2', path, errno);
}

/** Unmounts, newest first, what is mounted at `prefix` or below. Returns the paths. */
export async function unmountAllBelow(prefix: string): Promise<string[]> {
  const targets = (await readMounts()).map((entry) => entry.target).filter((target) => isAtOrBelow(target, prefix));
  for (const target of targets.toReversed()) unmount(target);
  return targets;
}

/**
 * How mounts below `path` spread, by the mount it lies on. The path is not touched, so one with symlinks must be resolved
 * before. undefined when no mount holds it.
 */
export async function propagationOf(path: string): Promise<Propagation | undefined> {
  return mountOf(await readMounts(), path)?.propagation;
}
