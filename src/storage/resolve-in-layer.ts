import { hasErrno } from '../base/errors.ts';
import * as at from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import { close, errnoError } from '../linux/libc.ts';

/** path_resolution(7): most symlinks followed in one path. */
const MAX_SYMLINKS = 40;
/** Most parts looked at in one path; only links to links of thousands of parts have more. */
const MAX_PARTS = 20_000;
const ELOOP = 40;

/**
 * The path below `root`, without symlinks, that `path` stands for in a process chrooted to `root`. What is not there, and may be
 * in a layer below, stays as it is written: a symlink's target need not exist.
 *
 * It only looks. Whoever makes something at the path found opens it by calls that follow no symlink.
 * @throws ELOOP.
 */
export function resolveInLayer(root: number, path: ByteString): ByteString {
  const real: ByteString[] = [];
  /** How many of the last parts of `real` are not directories here. */
  let missing = 0;
  let links = 0;
  const rest = path.split('/').reverse();
  let current = at.openDirectoryAt(root, '.');
  const moveTo = (fd: number): void => {
    close(current);
    current = fd;
  };
  try {
    for (let looked = 0; rest.length > 0; looked += 1) {
      if (looked > MAX_PARTS) throw errnoError('resolve', at.showBytes(path), ELOOP);
      const part = rest.pop() ?? '';
      if (part === '' || part === '.') continue;
      if (part === '..') {
        // This never leads above the root. Nobody else changes what is below it, so as many steps lead up as have led down.
        if (real.pop() === undefined) continue;
        if (missing > 0) missing -= 1;
        else moveTo(at.openDirectoryAt(current, '..'));
        continue;
      }
      const target = missing > 0 ? undefined : at.readLinkAt(current, part);
      if (target === undefined) {
        real.push(part);
        const next = missing > 0 ? undefined : openIfDirectory(current, part);
        if (next === undefined) missing += 1;
        else moveTo(next);
        continue;
      }
      links += 1;
      if (links > MAX_SYMLINKS) throw errnoError('resolve', at.showBytes(path), ELOOP);
      if (target.startsWith('/')) {
        real.length = 0;
        moveTo(at.openDirectoryAt(root, '.'));
      }
      for (const linked of target.split('/').reverse()) rest.push(linked);
    }
    return real.join('/');
  } finally {
    close(current);
  }
}

function openIfDirectory(parent: number, name: ByteString): number | undefined {
  try {
    return at.openDirectoryAt(parent, name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
