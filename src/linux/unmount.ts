import { bind, errnoError, lastErrno } from './libc.ts';

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const ENOENT = 2;
const ENOTDIR = 20;
const EINVAL = 22;

const umount2 = bind<(target: string, flags: number) => number>('int umount2(const char *target, int flags)');

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
