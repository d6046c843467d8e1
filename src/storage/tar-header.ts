import { DaemonError } from '../base/errors.ts';
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
  /** Bytes of data that follow; 0 for all but files. */
  readonly sizeBytes: number;
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

function text(block: Buffer, start: number, length: number): ByteString {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end === -1 || end > start + length ? start + length : end);
}

/** A number field: octal digits, or base-256 with the top bit set (GNU tar, also for negative numbers). */
function number(block: Buffer, start: number, length: number, what: string): number {
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
  const stated = number(block, 148, 8, 'checksum');
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
  const isDevice = type === '3' || type === '4';
  return {
    type,
    name,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    sizeBytes: number(block, 124, 12, 'size'),
    modifiedSeconds: number(block, 136, 12, 'mtime'),
    deviceMajor: isDevice ? number(block, 329, 8, 'device major') : 0,
    deviceMinor: isDevice ? number(block, 337, 8, 'device minor') : 0,
  };
}

/** Records of a pax header, `LENGTH KEY=VALUE\n` each: POSIX, pax Interchange Format. Values are bytes. */
export function readPaxRecords(data: Buffer): Map<ByteString, Buffer> {
  const records = new Map<ByteString, Buffer>();
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const digits = space === -1 ? '' : data.toString('latin1', at, space);
    const end = /^[0-9]{1,8}$/.test(digits) ? at + Number(digits) : 0;
    const equals = data.indexOf(0x3d, at);
    if (end <= space || end > data.length || data[end - 1] !== 0x0a || equals === -1 || equals >= end) {
      throw badTar('a pax header is not made of "LENGTH KEY=VALUE" records');
    }
    records.set(data.toString('latin1', space + 1, equals), Buffer.from(data.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
}

/** A pax time, `1700000000.123456789`, to the nanosecond; digits beyond are cut towards the past. */
export function readPaxTime(value: string): Timestamp {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw badTar(`time ${JSON.stringify(value)} is not a decimal number`);
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').padEnd(9, '0').slice(0, 9));
  if (match[1] !== '-') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: seconds === 0 ? 0 : -seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
