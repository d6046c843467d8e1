import { readFile } from 'node:fs/promises';
import { bind, errnoError, lastErrno } from './libc.ts';
import { mount } from './mount-calls.ts';
import { isAtOrBelow, parseMountInfo } from './mountinfo.ts';
import type { MountEntry } from './mountinfo.ts';

export type { MountEntry, Propagation } from './mountinfo.ts';
export { mountOverlay, VOLATILE_MARK } from './overlay.ts';

const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const ENOENT = 2;
const ENOTDIR = 20;
const EINVAL = 22;

const umount2 = bind<(target: string, flags: number) => number>('int umount2(const char *target, int flags)');

/** All mounts of our mount namespace, in the kernel's order: what covers comes after what it covers. */
export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
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
