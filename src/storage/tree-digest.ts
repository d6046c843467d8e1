/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { createHash } from 'node:crypto';
import { openSync, closeSync, readSync } from 'node:fs';
import type { Digest } from '../base/ids.ts';
import { openDirectoryAt, openFileAt, readLinkAt } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import type { FileStatus } from '../linux/directory-calls.ts';
import { close } from '../linux/libc.ts';
import { TreeWalk } from '../linux/tree-walk.ts';
import { contentSum } from './content-sum.ts';
import { EMPTY_SUM, entryDigest, isKind, pathDigest, plus, ROOT_PATH, S_IFLNK, S_IFREG, treeDigestOf } from './tree-sum.ts';
import type { TreeSum } from './tree-sum.ts';

const READ_BYTES = 1024 * 1024;
/** What is read between two pauses. */
const PAUSE_BYTES = 8 * 1024 * 1024;
const ENTRIES_BETWEEN_PAUSES = 100;
/** Files with several names whose content is remembered. */
const MOST_LINKED = 200_000;

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * One digest over a layer's tree, of its {@link TreeSum}. That tells what a disk has lost or changed by itself; it is no defence
 * against somebody who may write to the disk. Pauses (yields) now and then, so that it can share a thread.
 */
export function* digestTree(path: string): Generator<void, Digest> {
  return treeDigestOf(yield* sumTree(path));
}

/** Reads a tree. Pauses as {@link digestTree} does. */
export function* sumTree(path: string): Generator<void, TreeSum> {
  const walk = new TreeWalk(path);
  const linked = new Map<number, number>();
  const directories: Buffer[] = [ROOT_PATH];
  let sum = EMPTY_SUM;
  try {
    const root = walk.root();
    if (root !== undefined && walk.directory !== undefined) sum = plus(sum, entryDigest(ROOT_PATH, '', root, { fd: walk.directory }), true);
    for (;;) {
      const entry = walk.next();
      if (entry === undefined) {
        directories.pop();
        if (yield* walk.leave()) continue;
        return sum;
      }
      const { name, status } = entry;
      const parent = walk.directory;
      if (status === undefined || parent === undefined) continue;
      if (sum.entries % ENTRIES_BETWEEN_PAUSES === ENTRIES_BETWEEN_PAUSES - 1) yield;
      const above = directories.at(-1) ?? ROOT_PATH;
      sum = plus(sum, yield* readEntry(above, parent, name, status, linked));
      if (!status.isDirectory) continue;
      walk.enter(name);
      directories.push(pathDigest(above, name));
    }
  } finally {
    walk.end();
  }
}

function* readEntry(
  above: Buffer,
  parent: number,
  name: ByteString,
  status: FileStatus,
  linked: Map<number, number>,
): Generator<void, Buffer> {
  if (isKind(status, S_IFLNK)) return entryDigest(above, name, status, { target: readLinkAt(parent, name) ?? '' });
  const isFile = isKind(status, S_IFREG);
  if (!isFile && !status.isDirectory) return entryDigest(above, name, status, {});
  const fd = isFile ? openFileAt(parent, name) : openDirectoryAt(parent, name);
  try {
    return entryDigest(above, name, status, isFile ? { fd, crc: yield* contentOf(fd, status, linked) } : { fd });
  } finally {
    close(fd);
  }
}

function* contentOf(fd: number, status: FileStatus, linked: Map<number, number>): Generator<void, number> {
  const known = status.links > 1 ? linked.get(status.inode) : undefined;
  if (known !== undefined) return known;
  const crc = yield* contentSum(fd, status);
  if (status.links > 1 && linked.size < MOST_LINKED) linked.set(status.inode, crc);
  return crc;
}

/** The digest of a file of ours. Pauses as {@link digestTree} does. */
export function* digestFile(path: string): Generator<void, Digest> {
  const fd = openSync(path, 'r');
  const hash = createHash('sha256');
  try {
    let sincePause = 0;
    for (let read = readSync(fd, buffer, 0, READ_BYTES, null); read > 0; read = readSync(fd, buffer, 0, READ_BYTES, null)) {
      hash.update(buffer.subarray(0, read));
      sincePause += read;
      if (sincePause < PAUSE_BYTES) continue;
      sincePause = 0;
      yield;
    }
    return `sha256:${hash.digest('hex')}` as Digest;
  } finally {
    closeSync(fd);
  }
}
