import { write as writeCallback } from 'node:fs';
import { promisify } from 'node:util';
import { hasErrno } from '../base/errors.ts';
import { changeMode, changeOwner, changeOwnerAt, createFileAt, makeSymlinkAt, openDirectory, openDirectoryInRoot, toByteString, unlinkAt } from './at-calls.ts'; // prettier-ignore
import { close } from './libc.ts';

const write = promisify(writeCallback);

/** What comes to a place: a file with this content and mode (0644), or a symlink to this target. */
export type Replacement = { readonly content: Uint8Array; readonly mode?: number } | { readonly target: string };

/**
 * Puts a file or a symlink at `directory`/`name` of a root that others may have filled, in place of one that is there. The
 * directory is found as a program whose root is `root` would; the name is never followed.
 * @throws the system error: ENOENT without the directory, EISDIR where a directory has the name.
 */
export async function replaceInRoot(
  root: string,
  { directory, name }: { readonly directory: string; readonly name: string },
  replacement: Replacement,
  owner: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const rootFd = openDirectory(root);
  const fds = [rootFd];
  try {
    const dir = openDirectoryInRoot(rootFd, toByteString(directory));
    fds.push(dir);
    const bytes = toByteString(name);
    try {
      unlinkAt(dir, bytes);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    if ('target' in replacement) {
      makeSymlinkAt(dir, bytes, toByteString(replacement.target));
      changeOwnerAt(dir, bytes, owner.uid, owner.gid);
      return;
    }
    const file = createFileAt(dir, bytes);
    fds.push(file);
    await write(file, replacement.content);
    changeOwner(file, owner.uid, owner.gid);
    changeMode(file, replacement.mode ?? 0o644);
  } finally {
    for (const fd of fds) close(fd);
  }
}
