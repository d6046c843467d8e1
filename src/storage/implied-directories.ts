/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { fstatSync } from 'node:fs';
import { hasErrno } from '../base/errors.ts';
import * as at from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import { close } from '../linux/libc.ts';
import { hostId, type UserMapping } from '../linux/user-namespace.ts';
import { changed } from './tree-sum.ts';
import type { TreeSum } from './tree-sum.ts';
import { directoryDigest, isDeep } from './written-tree.ts';

/** The layers, topmost first, whose directories make up one directory of the merged tree. */
type Merged = readonly number[];

/**
 * A layer may have directories that it does not describe (a tar with `a/b` but no `a/`). Gives them the owner, mode, attributes
 * and times that they have in the layers below, so that the layer does not change them. Looks as overlayfs does: a file, a
 * whiteout or an opaque directory ends the search.
 *
 * @param layer the layer's directory; `implied` its undescribed directories, parents first; `lower` topmost first.
 * @param tree of the layer as it is.
 * @returns that of the layer as it is now.
 */
export function inheritImplied(
  layer: string,
  implied: readonly ByteString[],
  lower: readonly string[],
  tree?: TreeSum,
): TreeSum | undefined {
  if (implied.length === 0 || lower.length === 0) return tree;
  const opened: number[] = [];
  const open = (path: string): number => {
    const fd = at.openDirectory(path);
    opened.push(fd);
    return fd;
  };
  try {
    const root = open(layer);
    const search = new LowerSearch(lower.map(open));
    let sum = tree;
    for (const path of implied) {
      const [source] = search.layersOf(path);
      if (source !== undefined) sum = copyDescription(source, root, path, sum);
    }
    return sum;
  } finally {
    opened.forEach(close);
  }
}

class LowerSearch {
  readonly #known = new Map<ByteString, Merged>();

  constructor(lower: Merged) {
    this.#known.set('', lower);
  }

  /** The layers that hold the directory at `path` of the merged tree, topmost first; none where it is no directory there. */
  layersOf(path: ByteString): Merged {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const found: number[] = [];
    for (const layer of this.layersOf(slash === -1 ? '' : path.slice(0, slash))) {
      const kind = kindAt(layer, path);
      if (kind === 'missing') continue;
      if (kind === 'other') break;
      found.push(layer);
      if (kind === 'opaque') break;
    }
    this.#known.set(path, found);
    return found;
  }
}

function kindAt(layer: number, path: ByteString): 'missing' | 'other' | 'directory' | 'opaque' {
  let fd: number;
  try {
    fd = at.openDirectoryBeneath(layer, path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 'missing';
    if (hasErrno(error, 'ENOTDIR', 'ELOOP')) return 'other';
    throw error;
  }
  try {
    return at.attributeOf(fd, 'trusted.overlay.opaque')?.toString('latin1') === 'y' ? 'opaque' : 'directory';
  } finally {
    close(fd);
  }
}

function copyDescription(sourceLayer: number, targetLayer: number, path: ByteString, tree: TreeSum | undefined): TreeSum | undefined {
  const source = at.openDirectoryBeneath(sourceLayer, path);
  try {
    let target: number;
    try {
      target = at.openDirectoryBeneath(targetLayer, path);
    } catch (error) {
      // The name leads through a symlink of this layer: the directory has entries of its own, or a name of its own here.
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return tree;
      throw error;
    }
    try {
      const before = tree === undefined || isDeep(path) ? undefined : directoryDigest(path, target);
      copyDirectoryDescription(source, target);
      return tree === undefined || before === undefined ? undefined : changed(tree, before, directoryDigest(path, target));
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}

/**
 * Makes the directory `target` look like `source` from outside: see {@link copyDirectoryDescription}. Both are paths of ours.
 * @param user the target is for a user namespace: its owner is who has the number of the source's owner there.
 */
export function describeLike(source: string, target: string, user?: UserMapping): void {
  const from = at.openDirectory(source);
  try {
    const to = at.openDirectory(target);
    try {
      copyDirectoryDescription(from, to, user);
    } finally {
      close(to);
    }
  } finally {
    close(from);
  }
}

/** Copies owner, mode, extended attributes (not overlayfs's own) and modification time from one open directory to another. */
function copyDirectoryDescription(source: number, target: number, user?: UserMapping): void {
  const status = fstatSync(source, { bigint: true });
  at.changeOwner(target, hostId(Number(status.uid), user?.uids), hostId(Number(status.gid), user?.gids));
  at.changeMode(target, Number(status.mode) & 0o7777);
  for (const [name, value] of at.attributesOf(source)) {
    if (!name.startsWith('trusted.overlay.')) at.setAttribute(target, name, value);
  }
  const second = 1_000_000_000n;
  const nanoseconds = ((status.mtimeNs % second) + second) % second;
  at.changeTimes(target, { seconds: Number((status.mtimeNs - nanoseconds) / second), nanoseconds: Number(nanoseconds) });
}
