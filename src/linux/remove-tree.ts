/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { hasErrno } from '../base/errors.ts';
import { openDirectoryAt, removeDirectoryAt, renameAt, unlinkAt } from './at-calls.ts';
import type { ByteString } from './at-calls.ts';
import { close } from './libc.ts';

/** How deep the walk goes before it moves what is deeper up, so that neither descriptors nor PATH_MAX run out. */
const MAX_DEPTH = 64;
const ENTRIES_BETWEEN_PAUSES = 200;

interface Entry {
  readonly name: ByteString;
  readonly isDirectory: boolean;
}

/** The entries of an open directory. */
export function readDirectory(fd: number): Entry[] {
  // The name of the link is ours; what it leads to is the open directory itself.
  return readdirSync(`/proc/self/fd/${fd}`, { withFileTypes: true, encoding: 'buffer' }).map((entry) => ({
    name: entry.name.toString('latin1'),
    isDirectory: entry.isDirectory(),
  }));
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
    for (const entry of readDirectory(fd)) {
      if (++removed % ENTRIES_BETWEEN_PAUSES === 0) yield;
      if (!entry.isDirectory) {
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
    do {
      yield* empty(top, top, 0); // each round moves what is deeper up to here
    } while (readDirectory(top).length > 0);
  } finally {
    close(top);
  }
  removeDirectoryAt(parent, name);
}
