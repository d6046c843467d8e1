import { createHash } from 'node:crypto';
import type { Digest } from '../base/ids.ts';
import { attributesOf } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import type { FileStatus } from '../linux/directory-calls.ts';

const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

const SUM_BITS = 256;

/**
 * What a layer's tree comes to: of every entry its path, kind, mode, owner, time, link target, device number, extended
 * attributes, and the CRC-32 of its content. The order of the entries does not count, as their digests are added up.
 */
export interface TreeSum {
  /** Without the root. */
  readonly entries: number;
  /** Of the digests of all entries and of the root, modulo 2^256. */
  readonly sum: bigint;
}

export const EMPTY_SUM: TreeSum = { entries: 0, sum: 0n };

/** The sum with one entry more, or with the root. */
export function plus({ entries, sum }: TreeSum, digest: Buffer, isRoot = false): TreeSum {
  return { entries: entries + (isRoot ? 0 : 1), sum: BigInt.asUintN(SUM_BITS, sum + numberOf(digest)) };
}

/** The sum with an entry that has changed. */
export function changed({ entries, sum }: TreeSum, before: Buffer, after: Buffer): TreeSum {
  return { entries, sum: BigInt.asUintN(SUM_BITS, sum - numberOf(before) + numberOf(after)) };
}

export function treeDigestOf({ entries, sum }: TreeSum): Digest {
  return `sha256:${createHash('sha256')
    .update(`${entries} ${sum.toString(16)}`)
    .digest('hex')}` as Digest;
}

function numberOf(digest: Buffer): bigint {
  return BigInt(`0x${digest.toString('hex')}`);
}

/** Stands for the path of the root in {@link entryDigest}. */
export const ROOT_PATH = Buffer.alloc(0);

/** Stands for a path of any length, by what stands for the directory that it is in. */
export function pathDigest(above: Buffer, name: ByteString): Buffer {
  return createHash('sha256').update(above).update(name, 'latin1').digest();
}

/** {@link pathDigest} of a path from the root. */
export function pathDigestOf(path: ByteString): Buffer {
  let digest: Buffer = ROOT_PATH;
  for (const name of path === '' ? [] : path.split('/')) digest = pathDigest(digest, name);
  return digest;
}

export function isKind({ mode }: FileStatus, kind: number): boolean {
  return (mode & S_IFMT) === kind;
}

/** What an entry has besides its status. */
export interface EntryContent {
  /** CRC-32 of a file's content. */
  readonly crc?: number;
  /** Of a symlink. */
  readonly target?: ByteString;
  /** The open file or directory, for its extended attributes. */
  readonly fd?: number;
}

/** The digest of one entry. `above` stands for the path of its directory. */
export function entryDigest(above: Buffer, name: ByteString, status: FileStatus, { crc = 0, target, fd }: EntryContent): Buffer {
  const { mode, uid, gid, modified, sizeBytes, deviceNumber } = status;
  const hash = createHash('sha256').update(above);
  const size = isKind(status, S_IFREG) ? sizeBytes : 0;
  const device = isKind(status, S_IFCHR) || isKind(status, S_IFBLK) ? deviceNumber : '';
  hash.update(`${name.length}:${name} ${mode} ${uid}:${gid} ${modified} ${size} ${crc} ${device}`, 'latin1');
  if (target !== undefined) hash.update(target, 'latin1');
  for (const [attribute, value] of fd === undefined ? [] : attributesIn(fd))
    hash.update(`\0${attribute}=${value.length}:`, 'latin1').update(value);
  return hash.digest();
}

/** An SELinux label is the node's, which may change it. */
function attributesIn(fd: number): [ByteString, Buffer][] {
  return [...attributesOf(fd)].filter(([attribute]) => attribute !== 'security.selinux').sort(([a], [b]) => (a < b ? -1 : 1));
}
