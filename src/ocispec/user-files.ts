import { setImmediate as nextTurn } from 'node:timers/promises';

/** A line of /etc/passwd, passwd(5). */
export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Bytes that are looked at before the event loop gets a turn: two milliseconds where every line must become text. */
const BYTES_BETWEEN_TURNS = 16 * 1024;

const NEWLINE = 0x0a;
const COLON = 0x3a;
const COMMA = 0x2c;
const SPACE = 0x20;
const ZERO = 0x30;

/** The first user of a /etc/passwd with this name; a line that is none (a comment, a NIS mark) is left out. */
export async function findUserByName(passwd: Uint8Array, name: string): Promise<UserEntry | undefined> {
  const wanted = Buffer.from(name);
  return firstLine(passwd, (start, end) => {
    const entry = isField(passwd, start, end, wanted) ? parseUser(textOf(passwd, start, end)) : undefined;
    return entry?.name === name ? entry : undefined;
  });
}

/** The first user of a /etc/passwd with this uid. */
export async function findUserById(passwd: Uint8Array, uid: number): Promise<UserEntry | undefined> {
  return firstLine(passwd, (start, end) => {
    if (numberAt(passwd, fieldStart(passwd, start, end, 2), end) !== uid) return undefined;
    const entry = parseUser(textOf(passwd, start, end));
    return entry?.uid === uid ? entry : undefined;
  });
}

/** The number of the first group of a /etc/group with this name. */
export async function findGroupId(group: Uint8Array, name: string): Promise<number | undefined> {
  const wanted = Buffer.from(name);
  return firstLine(group, (start, end) => {
    const entry = isField(group, start, end, wanted) ? parseGroup(textOf(group, start, end)) : undefined;
    return entry?.name === name ? entry.gid : undefined;
  });
}

/** Whether a /etc/group has a group with this number. */
export async function hasGroupId(group: Uint8Array, gid: number): Promise<boolean> {
  const found = await firstLine(group, (start, end) => {
    if (numberAt(group, fieldStart(group, start, end, 2), end) !== gid) return undefined;
    return parseGroup(textOf(group, start, end))?.gid === gid ? true : undefined;
  });
  return found === true;
}

/** The groups of a /etc/group that list `user` as a member, each once; not many more than `most` of them. */
export async function groupsOf(group: Uint8Array, user: string, most: number): Promise<Set<number>> {
  const wanted = Buffer.from(user);
  const found = new Set<number>();
  await firstLine(group, (start, end) => {
    const members = fieldStart(group, start, end, 3);
    const entry = hasMember(group, members, end, wanted) ? parseGroup(textOf(group, start, members)) : undefined;
    if (entry !== undefined) found.add(entry.gid);
    return found.size > most ? true : undefined;
  });
  return found;
}

/**
 * The first result of `visit` that is not undefined, line by line. A line goes from its first character that is no blank to
 * before its newline. The image's maker chose the content, so other calls are answered in between.
 */
async function firstLine<T>(bytes: Uint8Array, visit: (start: number, end: number) => T | undefined): Promise<T | undefined> {
  let nextPause = BYTES_BETWEEN_TURNS;
  for (let position = 0; position < bytes.length; position += 1) {
    const start = position;
    while (position < bytes.length && bytes[position] !== NEWLINE) position += 1;
    const found = visit(skipBlanks(bytes, start, position), position);
    if (found !== undefined) return found;
    if (position < nextPause) continue;
    nextPause = position + BYTES_BETWEEN_TURNS;
    await nextTurn();
  }
  return undefined;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end && isBlank(bytes[position])) position += 1;
  return position;
}

/** Where the field of this number begins; `end` where the line has not so many. */
function fieldStart(bytes: Uint8Array, start: number, end: number, field: number): number {
  let position = start;
  for (let left = field; left > 0 && position < end; position += 1) if (bytes[position] === COLON) left -= 1;
  return position;
}

/** Whether the field that begins at `start` is this text. */
function isField(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (start + wanted.length > end) return false;
  for (const [index, byte] of wanted.entries()) if (bytes[start + index] !== byte) return false;
  const after = start + wanted.length;
  return after === end || bytes[after] === COLON;
}

/** The number that begins at `start`; -1 where there is none. */
function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let value = -1;
  for (let position = start; position < end; position += 1) {
    const digit = (bytes[position] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = Math.max(value, 0) * 10 + digit;
  }
  return value;
}

/** Whether a list of members, which a comma divides, has this one. */
function hasMember(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  for (let position = start; position < end; position += 1) {
    position = skipBlanks(bytes, position, end);
    let index = 0;
    while (index < wanted.length && position + index < end && bytes[position + index] === wanted[index]) index += 1;
    const after = skipBlanks(bytes, position + index, end);
    if (index === wanted.length && (after === end || bytes[after] === COMMA)) return true;
    while (position < end && bytes[position] !== COMMA) position += 1;
  }
  return false;
}

function parseUser(line: string): UserEntry | undefined {
  const [name, , uid, gid, , home] = line.trim().split(':', 6);
  if (!isName(name) || !isId(uid) || !isId(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home === undefined || home === '' ? '/' : home };
}

/** A line of /etc/group, group(5), without its members. */
function parseGroup(line: string): { name: string; gid: number } | undefined {
  const [name, , gid] = line.trim().split(':', 3);
  if (!isName(name) || !isId(gid)) return undefined;
  return { name, gid: Number(gid) };
}

function isName(text: string | undefined): text is string {
  return text !== undefined && text !== '' && !text.startsWith('#') && !text.startsWith('+') && !text.startsWith('-');
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff;
}
