import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { hasErrno, messageOf } from './errors.ts';

/** A file of a directory, with what changes when the file does. */
export interface StampedFile {
  readonly path: string;
  readonly name: string;
  readonly stamp: string;
}

/**
 * The files of a directory with one of these extensions (`.json`), in name order. A directory that is not there has none, and what
 * cannot be looked at is a file: who reads it will say why.
 * @throws Error where the directory cannot be read.
 */
export async function listStamped(directory: string, extensions: readonly string[]): Promise<StampedFile[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  });
  const wanted = names.filter((name) => extensions.includes(extname(name))).sort();
  const files = await Promise.all(wanted.map(async (name) => stamped(directory, name)));
  return files.flat();
}

/** One that has gone meanwhile, or a directory, is none. */
async function stamped(directory: string, name: string): Promise<StampedFile[]> {
  const path = join(directory, name);
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isDirectory()) return [];
    return [{ path, name, stamp: `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}` }];
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    return [{ path, name, stamp: messageOf(error) }];
  }
}
