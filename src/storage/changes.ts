import { lstat, readdir } from 'node:fs/promises';
import { hasErrno } from '../base/errors.ts';

/** What a container has changed of its image. Paths are relative, and bytes as latin1: names need not be text. */
export interface RootfsChanges {
  /** What is new or changed, a directory before what is in it. */
  readonly changed: readonly string[];
  /** What of the image is not to be seen any more. */
  readonly deleted: readonly string[];
}

export interface ChangedRootfs {
  /** The writable layer. */
  readonly upper: string;
  /** The directories below it, topmost first. */
  readonly lower: readonly string[];
  /** Where all of it is mounted; nobody changes it meanwhile. */
  readonly merged: string;
  /** Paths that are left out, with what is in them. */
  readonly skip: ReadonlySet<string>;
}

/**
 * Compares the writable layer of a container with its image. Its directories are those that the image's were copied up to, so
 * what the image has in them and the mount does not show was deleted.
 */
export async function listChanges(rootfs: ChangedRootfs): Promise<RootfsChanges> {
  const changed: string[] = [];
  const deleted: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for (const path of await deletedIn(rootfs, directory)) deleted.push(path);
    for (const name of await namesIn(rootfs.upper, directory)) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (rootfs.skip.has(path)) continue;
      const found = await lstat(at(rootfs.upper, path));
      if (found.isCharacterDevice() && found.rdev === 0) continue; // a whiteout
      changed.push(path);
      if (found.isDirectory()) await walk(path);
    }
  };
  await walk('');
  return { changed, deleted };
}

async function deletedIn({ lower, merged, skip }: ChangedRootfs, directory: string): Promise<string[]> {
  const names = new Set<string>();
  for (const layer of lower) for (const name of await namesIn(layer, directory)) names.add(name);
  const gone: string[] = [];
  for (const name of names) {
    const path = directory === '' ? name : `${directory}/${name}`;
    if (!skip.has(path) && !(await isThere(at(merged, path)))) gone.push(path);
  }
  return gone;
}

/** The names in a directory of a layer; none where it has no such directory. */
async function namesIn(layer: string, directory: string): Promise<string[]> {
  const path = at(layer, directory);
  try {
    if (!(await lstat(path)).isDirectory()) return [];
    return (await readdir(path, { encoding: 'buffer' })).map((name) => name.toString('latin1'));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return [];
    throw error;
  }
}

async function isThere(path: Buffer): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

function at(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(root), Buffer.from(`/${path}`, 'latin1')]);
}
