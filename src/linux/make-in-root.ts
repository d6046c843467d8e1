import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno } from '../base/errors.ts';
import {
  changeMode,
  changeOwner,
  makeDirectoryAt,
  openDirectory,
  openDirectoryAt,
  openDirectoryBeneath,
  readLinkAt,
  toByteString,
} from './at-calls.ts';
import type { ByteString } from './at-calls.ts';
import { close, errnoError } from './libc.ts';

/** Most symlinks in one path, as the kernel's own walks, path_resolution(7). */
const MOST_LINKS = 40;
/** Names that are walked before the event loop has a turn. */
const NAMES_BETWEEN_TURNS = 32;
const ELOOP = 40;
const ENAMETOOLONG = 36;
/** Most bytes that are left to walk: links upon links make a path of any length. */
const PATH_MAX = 4096;

/** Who owns what is made, and its mode. */
export interface NewDirectory {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes the directory `path` and what is missing above it, as `mkdir -p` would in a program whose root is `root`. There is one
 * difference: where a symlink leads to nothing, its target is made, inside the root, and the link stays. What is there already
 * stays as it is. Nothing else may change the tree meanwhile.
 * @throws the system error: ENOTDIR where a file is in the way, ELOOP, ENAMETOOLONG, EINVAL for a NUL byte.
 */
export async function makeDirectoryInRoot(root: string, path: string, made: NewDirectory): Promise<void> {
  const rootFd = openDirectory(root);
  const walk = { fd: openDirectoryBeneath(rootFd, '.'), names: [] as ByteString[] };
  const move = (fd: number): void => {
    close(walk.fd);
    walk.fd = fd;
  };
  const left = namesOf(toByteString(path)).reverse();
  let links = 0;
  try {
    for (let walked = 1; ; walked += 1) {
      const name = left.pop();
      if (name === undefined) return;
      if (walked % NAMES_BETWEEN_TURNS === 0) await nextTurn();
      if (name === '..') {
        walk.names.pop();
        move(openDirectoryBeneath(rootFd, walk.names.join('/') || '.'));
        continue;
      }
      const target = stepInto(walk.fd, name, made);
      if (typeof target === 'number') {
        walk.names.push(name);
        move(target);
        continue;
      }
      if (++links > MOST_LINKS) throw errnoError('mkdir', path, ELOOP);
      left.push(...namesOf(target).reverse());
      if (left.reduce((sum, each) => sum + each.length + 1, 0) > PATH_MAX) throw errnoError('mkdir', path, ENAMETOOLONG);
      if (!target.startsWith('/')) continue;
      walk.names = [];
      move(openDirectoryBeneath(rootFd, '.'));
    }
  } finally {
    close(walk.fd);
    close(rootFd);
  }
}

function namesOf(path: ByteString): ByteString[] {
  if (path.length > PATH_MAX) throw errnoError('mkdir', undefined, ENAMETOOLONG);
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** Opens the directory `name`, which is made where nothing is there; of a symlink it gives the target. */
function stepInto(dir: number, name: ByteString, made: NewDirectory): number | ByteString {
  try {
    return openDirectoryAt(dir, name);
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR', 'ELOOP')) return readLinkAt(dir, name) ?? fail(error);
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  makeDirectoryAt(dir, name);
  const fd = openDirectoryAt(dir, name);
  changeOwner(fd, made.uid, made.gid);
  changeMode(fd, made.mode);
  return fd;
}

function fail(error: unknown): never {
  throw error;
}
