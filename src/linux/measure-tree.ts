/* eslint-disable no-restricted-syntax -- by descriptors, in steps: the caller decides which thread takes them */
import { fstatSync, lstatSync } from 'node:fs';
import { openDirectory, openDirectoryAt } from './at-calls.ts';
import { close } from './libc.ts';
import { readDirectory } from './remove-tree.ts';

/** What a tree takes on its file system. */
export interface TreeUsage {
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

const ENTRIES_BETWEEN_PAUSES = 200;
/** A directory whose own size is beyond this has thousands of entries, and reading it takes milliseconds. */
const BIG_DIRECTORY_BYTES = 128 * 1024;
/** What a container hides deeper than this is not counted: every level costs a descriptor while it is walked. */
const MAX_DEPTH = 200;

/**
 * Adds up the blocks and inodes below `path` (a path of ours), hard links once. It walks by descriptors, so that whoever
 * writes the tree cannot lead it away by symlinks, and pauses (yields) every few entries and before a big directory.
 */
export function* measureTree(path: string): Generator<void, TreeUsage> {
  let usedBytes = 0;
  let inodesUsed = 0;
  let seen = 0;
  const linked = new Set<string>();
  function* walk(fd: number, depth: number): Generator<void, void> {
    const own = fstatSync(fd);
    usedBytes += own.blocks * 512;
    inodesUsed += 1;
    if (own.size > BIG_DIRECTORY_BYTES) yield;
    for (const entry of readDirectory(fd)) {
      if (++seen % ENTRIES_BETWEEN_PAUSES === 0) yield;
      if (entry.isDirectory) {
        const inner = depth < MAX_DEPTH ? openIfThere(fd, entry.name) : undefined;
        if (inner === undefined) continue;
        try {
          yield* walk(inner, depth + 1);
        } finally {
          close(inner);
        }
        continue;
      }
      const name = Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), Buffer.from(entry.name, 'latin1')]);
      const status = lstatSync(name, { throwIfNoEntry: false });
      if (status === undefined) continue;
      if (status.nlink > 1) {
        if (linked.has(`${status.ino}`)) continue;
        linked.add(`${status.ino}`);
      }
      usedBytes += status.blocks * 512;
      inodesUsed += 1;
    }
  }
  const fd = openDirectory(path);
  try {
    yield* walk(fd, 0);
  } finally {
    close(fd);
  }
  return { usedBytes, inodesUsed };
}

/** An entry may be gone meanwhile: the tree is in use. */
function openIfThere(parent: number, name: string): number | undefined {
  try {
    return openDirectoryAt(parent, name);
  } catch {
    return undefined;
  }
}
