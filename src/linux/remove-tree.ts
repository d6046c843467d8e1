import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { hasErrno } from '../base/errors.ts';
import { openDirectory, openDirectoryAt, removeDirectoryAt, renameAt, toByteString, unlinkAt } from './at-calls.ts';
import type { ByteString } from './at-calls.ts';
import { readEntries, seekDirectory, statusAt } from './directory-calls.ts';
import type { DirectoryEntry } from './directory-calls.ts';
import { close } from './libc.ts';

/** How deep the walk goes before it moves what is deeper up, so that neither descriptors nor PATH_MAX run out. */
const MAX_DEPTH = 64;
const ENTRIES_BETWEEN_PAUSES = 200;

/** The entries of an open directory that is being emptied, few at a time: it is read again until it is found empty. */
function* entriesToRemove(fd: number): Generator<DirectoryEntry, void> {
  for (;;) {
    let entries = readEntries(fd);
    if (entries.length === 0) return;
    for (; entries.length > 0; entries = readEntries(fd)) yield* entries;
    seekDirectory(fd, 0n);
  }
}

function isDirectory(fd: number, { name, isDirectory: known }: DirectoryEntry): boolean {
  return known ?? statusAt(fd, name)?.isDirectory === true;
}

/**
 * Removes the directory `name` in the open directory `parent` with all below it, by names relative to open directories:
 * no symlink is followed and no depth or length of path stops it. It pauses (yields) every few entries, so that a worker
 * can serve other work meanwhile. What is not there is removed already.
 */
export function* removeTreeAt(parent: number, name: ByteString): Generator<void, void> {
  let removed = 0;
  let moved = 0;
  const prefix = `.removing-${randomBytes(8).toString('hex')}`; // not to be guessed by whoever made the tree
  function* empty(top: number, fd: number, depth: number): Generator<void, void> {
    for (const entry of entriesToRemove(fd)) {
      if (++removed % ENTRIES_BETWEEN_PAUSES === 0) yield;
      if (!isDirectory(fd, entry)) {
        unlinkAt(fd, entry.name);
      } else if (depth >= MAX_DEPTH) {
        renameAt(fd, entry.name, top, `${prefix}-${++moved}`);
      } else {
        const inner = openDirectoryAt(fd, entry.name);
        try {
          yield* empty(top, inner, depth + 1);
        } finally {
          close(inner);
        }
        removeDirectoryAt(fd, entry.name);
      }
    }
  }
  let top: number;
  try {
    top = openDirectoryAt(parent, name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    if (!hasErrno(error, 'ENOTDIR', 'ELOOP')) throw error;
    unlinkAt(parent, name);
    return;
  }
  try {
    yield* empty(top, top, 0); // what is deeper is moved up to here
  } finally {
    close(top);
  }
  removeDirectoryAt(parent, name);
}

/**
 * Removes files and directories with all below them, by absolute paths.
 * @param mostPauses how often removeTreeAt() may pause in one of them; what is left of a larger one is for somebody with more time
 * @returns those of which something is left
 * @throws the first error, when all were tried.
 */
export function removeTrees(paths: readonly string[], mostPauses: number): string[] {
  const errors: unknown[] = [];
  const left = paths.filter((path) => {
    try {
      return !removeUpTo(path, mostPauses);
    } catch (error) {
      errors.push(error);
      return false;
    }
  });
  if (errors.length > 0) throw errors[0];
  return left;
}

function removeUpTo(path: string, mostPauses: number): boolean {
  let parent: number;
  try {
    parent = openDirectory(dirname(path));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true;
    throw error;
  }
  try {
    let pauses = 0;
    // Leaving the loop closes what the walk has open.
    for (const _ of removeTreeAt(parent, toByteString(basename(path)))) if (++pauses > mostPauses) return false;
    return true;
  } finally {
    close(parent);
  }
}
