import type { ByteString, Timestamp } from '../linux/at-calls.ts';
import { badTar } from './tar-header.ts';

/** What of a pax header is of use here. */
export interface PaxRecords {
  readonly fields: ReadonlyMap<string, ByteString>;
  /** Extended attributes by full name (`security.capability`). */
  readonly attributes: ReadonlyMap<ByteString, Buffer>;
  /** Values of GNU.sparse.offset and GNU.sparse.numbytes, which come many times, in their order. */
  readonly sparsePairs: readonly ByteString[];
}

export const NO_RECORDS: PaxRecords = { fields: new Map(), attributes: new Map(), sparsePairs: [] };

const ATTRIBUTE_PREFIX = 'SCHILY.xattr.';
const FIELDS = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime']);
const SPARSE_PREFIX = 'GNU.sparse.';
const SPARSE_PAIR = new Set(['GNU.sparse.offset', 'GNU.sparse.numbytes']);

/**
 * Reads the records of a pax header, `LENGTH KEY=VALUE\n` each: POSIX, pax Interchange Format. Keys that mean nothing here are
 * not kept, so that a header of many small ones takes no more memory than its bytes.
 */
export function readPaxRecords(data: Buffer): PaxRecords {
  const fields = new Map<string, ByteString>();
  const attributes = new Map<ByteString, Buffer>();
  const sparsePairs: ByteString[] = [];
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const digits = space === -1 || space > at + 8 ? '' : data.toString('latin1', at, space);
    const end = /^[0-9]{1,8}$/.test(digits) ? at + Number(digits) : 0;
    const equals = end <= space ? -1 : data.subarray(0, end).indexOf(0x3d, at);
    if (end <= space || end > data.length || data[end - 1] !== 0x0a || equals === -1) {
      throw badTar('a pax header is not made of "LENGTH KEY=VALUE" records');
    }
    const key = data.toString('latin1', space + 1, equals);
    if (key.startsWith(ATTRIBUTE_PREFIX)) {
      attributes.set(key.slice(ATTRIBUTE_PREFIX.length), Buffer.from(data.subarray(equals + 1, end - 1)));
    } else if (SPARSE_PAIR.has(key)) {
      sparsePairs.push(data.toString('latin1', equals + 1, end - 1));
    } else if (FIELDS.has(key) || key.startsWith(SPARSE_PREFIX)) {
      fields.set(key, data.toString('latin1', equals + 1, end - 1));
    }
    at = end;
  }
  return { fields, attributes, sparsePairs };
}

/** A field that says something: an empty value takes back what an earlier header said. */
export function paxText({ fields }: PaxRecords, key: string): ByteString | undefined {
  return fields.get(key) || undefined;
}

/** A whole number of a field. @throws InvalidArgument. */
export function paxNumber(records: PaxRecords, key: string, mayBeNegative = false): number | undefined {
  const value = paxText(records, key);
  if (value === undefined) return undefined;
  if (!(mayBeNegative ? /^-?[0-9]{1,15}$/ : /^[0-9]{1,15}$/).test(value)) throw badTar(`${key} ${JSON.stringify(value)} is not a number`);
  return Number(value);
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
