import { DaemonError } from '../base/errors.ts';
import { showBytes } from '../linux/at-calls.ts';
import type { ByteString, Timestamp } from '../linux/at-calls.ts';

export type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** One entry of a tar, with what pax and GNU headers before it said. Names are byte strings, as in the archive. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: ByteString;
  /** Target of a symlink, or the name a hard link is a further name of; '' otherwise. */
  readonly linkName: ByteString;
  /** Permission and set-id bits, 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file; 0 for all but files. */
  readonly sizeBytes: number;
  /** Bytes of it that the archive has; less than its size where it is sparse. */
  readonly storedBytes: number;
  readonly isSparse: boolean;
  readonly modified: Timestamp;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes by full name (`security.capability`). */
  readonly attributes: ReadonlyMap<ByteString, Buffer>;
}

export const BLOCK_BYTES = 512;

/** A header block as it stands, before pax and GNU headers are laid over it. */
export interface RawHeader {
  readonly type: string;
  name: ByteString;
  linkName: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly modifiedSeconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

export function badTar(message: string): DaemonError {
  return new DaemonError('InvalidArgument', `read tar: ${message}`);
}

/** The error of a header's field or of the stream with where in the archive it is. Others, of the sink, say that themselves. */
export function placed(error: unknown, place: string): unknown {
  const start = 'read tar: ';
  if (!(error instanceof DaemonError) || !error.message.startsWith(start) || error.message.includes("entry '")) return error;
  return badTar(`${place}: ${error.message.slice(start.length)}`);
}

function text(block: Buffer, start: number, length: number): ByteString {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end === -1 || end > start + length ? start + length : end);
}

/** A number field: octal digits, or base-256 with the top bit set (GNU tar, also for negative numbers). */
export function readNumber(block: Buffer, start: number, length: number, what: string): number {
  const leading = block[start] ?? 0;
  if ((leading & 0x80) !== 0) {
    let value = (leading & 0x40) !== 0 ? -1n : 0n;
    value = (value << 6n) | BigInt(leading & 0x3f);
    for (let index = start + 1; index < start + length; index += 1) value = (value << 8n) | BigInt(block[index] ?? 0);
    const plain = Number(value);
    if (!Number.isSafeInteger(plain)) throw badTar(`${what} ${value} is out of range`);
    return plain;
  }
  const digits = block.toString('latin1', start, start + length).replace(/^[ \0]+|[ \0].*$/gs, '');
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw badTar(`${what} ${JSON.stringify(digits)} is not an octal number`);
  return parseInt(digits, 8);
}

/** The sum of all bytes with the checksum field as blanks; some old programs summed signed bytes. */
function hasRightChecksum(block: Buffer): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stated = readNumber(block, 148, 8, 'checksum');
  return stated === unsigned || stated === signed;
}

const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

/** Reads a header block (POSIX ustar and its GNU and v7 kin); undefined for a block of zeros, which ends an archive. */
export function readHeader(block: Buffer): RawHeader | undefined {
  if (block[0] === 0 && block.equals(ZERO_BLOCK)) return undefined;
  if (!hasRightChecksum(block)) throw badTar('the checksum of a header is wrong: this is no tar, or it is damaged');
  const magic = block.toString('latin1', 257, 265);
  let name = text(block, 0, 100);
  if (magic.startsWith('ustar\0')) {
    const prefix = text(block, 345, 155);
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  const type = block.toString('latin1', 156, 157);
  try {
    return { type, name, linkName: text(block, 157, 100), ...numbersOf(block, type === '3' || type === '4') };
  } catch (error) {
    throw placed(error, `entry '${showBytes(name)}'`);
  }
}

function numbersOf(block: Buffer, isDevice: boolean): Omit<RawHeader, 'type' | 'name' | 'linkName'> {
  return {
    mode: readNumber(block, 100, 8, 'mode') & 0o7777,
    uid: readNumber(block, 108, 8, 'uid'),
    gid: readNumber(block, 116, 8, 'gid'),
    sizeBytes: readNumber(block, 124, 12, 'size'),
    modifiedSeconds: readNumber(block, 136, 12, 'mtime'),
    deviceMajor: isDevice ? readNumber(block, 329, 8, 'device major') : 0,
    deviceMinor: isDevice ? readNumber(block, 337, 8, 'device minor') : 0,
  };
}
