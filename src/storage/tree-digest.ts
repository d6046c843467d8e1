/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { createHash } from 'node:crypto';
import { openSync, closeSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Digest } from '../base/ids.ts';
import { attributesOf, openDirectoryAt, openFileAt, readLinkAt } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import type { FileStatus } from '../linux/directory-calls.ts';
import { close } from '../linux/libc.ts';
import { TreeWalk } from '../linux/tree-walk.ts';

const READ_BYTES = 1024 * 1024;
/** What is read between two pauses. */
const PAUSE_BYTES = 8 * 1024 * 1024;
const ENTRIES_BETWEEN_PAUSES = 100;
/** Files with several names whose content is remembered. */
const MOST_LINKED = 200_000;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

const SUM_BITS = 256;
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * One digest over a layer's tree: of every entry its path, kind, mode, owner, time, link target, device number, extended
 * attributes, and the CRC-32 of its content. That tells what a disk has lost or changed by itself; it is no defence against
 * somebody who may write to the disk. The order in which a file system lists entries does not count: digests of entries are added up.
 * Pauses (yields) now and then, so that it can share a thread.
 */
export function* digestTree(path: string): Generator<void, Digest> {
  const walk = new TreeWalk(path);
  const linked = new Map<number, number>();
  const directories: Buffer[] = [Buffer.alloc(0)];
  let sum = 0n;
  let entries = 0;
  const add = (digest: Buffer): void => {
    sum = BigInt.asUintN(SUM_BITS, sum + BigInt(`0x${digest.toString('hex')}`));
  };
  try {
    const root = walk.root();
    if (root !== undefined) add(describe(Buffer.alloc(0), '', root, walk.directory ?? -1));
    for (;;) {
      const entry = walk.next();
      if (entry === undefined) {
        directories.pop();
        if (yield* walk.leave()) continue;
        return `sha256:${createHash('sha256')
          .update(`${entries} ${sum.toString(16)}`)
          .digest('hex')}` as Digest;
      }
      const { name, status } = entry;
      const parent = walk.directory;
      if (status === undefined || parent === undefined) continue;
      entries += 1;
      if (entries % ENTRIES_BETWEEN_PAUSES === 0) yield;
      const above = directories.at(-1) ?? Buffer.alloc(0);
      const content = isKind(status, S_IFREG) ? yield* contentOf(parent, name, status, linked) : 0;
      add(describe(above, name, status, parent, content));
      if (!status.isDirectory) continue;
      walk.enter(name);
      directories.push(createHash('sha256').update(above).update(name, 'latin1').digest());
    }
  } finally {
    walk.end();
  }
}

function isKind({ mode }: FileStatus, kind: number): boolean {
  return (mode & S_IFMT) === kind;
}

/** The digest of one entry. `above` stands for the path of its directory, which may be of any length. */
function describe(above: Buffer, name: ByteString, status: FileStatus, parent: number, content = 0): Buffer {
  const { mode, uid, gid, modified, sizeBytes, deviceNumber } = status;
  const hash = createHash('sha256').update(above);
  const size = isKind(status, S_IFREG) ? sizeBytes : 0;
  const device = isKind(status, S_IFCHR) || isKind(status, S_IFBLK) ? deviceNumber : '';
  hash.update(`${name.length}:${name} ${mode} ${uid}:${gid} ${modified} ${size} ${content} ${device}`, 'latin1');
  if (isKind(status, S_IFLNK)) hash.update(readLinkAt(parent, name) ?? '', 'latin1');
  for (const [attribute, value] of attributesAt(parent, name, status))
    hash.update(`\0${attribute}=${value.length}:`, 'latin1').update(value);
  return hash.digest();
}

/** Those of files and directories. An SELinux label is the node's, which may change it. */
function attributesAt(parent: number, name: ByteString, status: FileStatus): [ByteString, Buffer][] {
  const isFile = isKind(status, S_IFREG);
  if (!isFile && !isKind(status, S_IFDIR)) return [];
  const fd = isFile ? openFileAt(parent, name) : openDirectoryAt(parent, name === '' ? '.' : name);
  try {
    return [...attributesOf(fd)].filter(([attribute]) => attribute !== 'security.selinux').sort(([a], [b]) => (a < b ? -1 : 1));
  } finally {
    close(fd);
  }
}

function* contentOf(parent: number, name: ByteString, status: FileStatus, linked: Map<number, number>): Generator<void, number> {
  const known = status.links > 1 ? linked.get(status.inode) : undefined;
  if (known !== undefined) return known;
  const fd = openFileAt(parent, name);
  let sum = 0;
  try {
    let sincePause = 0;
    for (
      let read = readSync(fd, buffer, 0, READ_BYTES, 0), at = read;
      read > 0;
      read = readSync(fd, buffer, 0, READ_BYTES, at), at += read
    ) {
      sum = crc32(buffer.subarray(0, read), sum);
      sincePause += read;
      if (sincePause < PAUSE_BYTES) continue;
      sincePause = 0;
      yield;
    }
  } finally {
    close(fd);
  }
  if (status.links > 1 && linked.size < MOST_LINKED) linked.set(status.inode, sum);
  return sum;
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
