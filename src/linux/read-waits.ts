import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasErrno } from '../base/errors.ts';
import { parseMountInfo } from './mountinfo.ts';
import { parseStat, type ProcessStat } from './proc-stat.ts';
import { isServed, lockHolder, meaningOf, parseStack, parseSystemCall, servedMounts, type ThreadFacts } from './wait-words.ts';

/** Of one process: the thread that tells most of what it waits for. */
export interface ProcessWait extends ThreadFacts {
  readonly pid: number;
  /** Its parent, of those that are looked at. */
  readonly parent?: number | undefined;
  /** The thread; the pid where it is the first one. */
  readonly thread: number;
  /** At most 15 characters. */
  readonly name: string;
  /** The file of the system call, where it names one by a descriptor. */
  readonly file?: string | undefined;
  /** What it waits for; missing where that cannot be told. */
  readonly waitsFor?: string | undefined;
  /** The more, the more it tells. */
  readonly weight: number;
}

/** What is looked at: a program has a few children, and a Go program some ten threads. */
const MOST_PROCESSES = 32;
const MOST_THREADS = 64;
/** Longest path that is told, characters. */
const PATH_LENGTH = 300;

/**
 * What a process and its descendants wait for, parents first; nothing where it is gone. Reads what another's locked memory does
 * not hold up, so no command lines. A stack waits all the same for one that is inside execve: for a kernel thread only.
 */
export function readWaits(pid: number): ProcessWait[] {
  const found: ProcessWait[] = [];
  const queue: { pid: number; parent: number | undefined }[] = [{ pid, parent: undefined }];
  for (const next of queue) {
    if (found.length === MOST_PROCESSES) break;
    const threads = namesIn(`/proc/${next.pid}/task`).slice(0, MOST_THREADS);
    const wait = threads
      .map((thread) => readThread(next, thread))
      .filter((each) => each !== undefined)
      .reduce<ProcessWait | undefined>((best, each) => (best === undefined || each.weight > best.weight ? each : best), undefined);
    if (wait === undefined) continue;
    found.push(wait);
    const children = threads.flatMap((thread) => childrenOf(next.pid, thread)).slice(0, MOST_PROCESSES);
    queue.push(...children.map((child) => ({ pid: child, parent: next.pid })));
  }
  return found;
}

function readThread({ pid, parent }: { pid: number; parent: number | undefined }, thread: number): ProcessWait | undefined {
  const directory = `/proc/${pid}/task/${thread}`;
  const line = read(`${directory}/stat`);
  const stat = statOf(line);
  if (line === undefined || stat === undefined) return undefined;
  const call = parseSystemCall(read(`${directory}/syscall`) ?? '', process.arch);
  const facts = {
    state: stat.state,
    wchan: wchanOf(read(`${directory}/wchan`) ?? ''),
    stack: parseStack(read(`${directory}/stack`) ?? ''),
    systemCall: call?.name ?? '',
  };
  const { words, weight } = meaningOf(facts);
  const file = call?.fd === undefined ? undefined : linkOf(`${directory}/fd/${call.fd}`);
  const waitsFor = words === 'a file lock' ? lockWords(pid, file) : withMounts(words, pid);
  return { pid, parent, thread, name: nameIn(line), ...facts, file, waitsFor, weight };
}

function statOf(line: string | undefined): ProcessStat | undefined {
  try {
    return line === undefined ? undefined : parseStat(line);
  } catch {
    return undefined;
  }
}

/** A thread that runs has "0" there. */
function wchanOf(text: string): string {
  return text === '0' ? '' : text.slice(0, PATH_LENGTH);
}

function nameIn(stat: string): string {
  return stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
}

function lockWords(pid: number, file: string | undefined): string {
  const holder = lockHolder(read('/proc/locks') ?? '', pid);
  const what = `a lock on ${file ?? 'a file'}`;
  if (holder === undefined || holder <= 0) return what;
  const stat = read(`/proc/${holder}/stat`);
  // A lock of flock(2) stays with the descriptor, which others may have got.
  return stat === undefined
    ? `${what}, taken by process ${holder}, which has ended and left it to another`
    : `${what}, held by process ${holder} (${nameIn(stat)})`;
}

/** Most mounts that are told, where any of them may be the one. */
const MOST_MOUNTS = 3;

/** Says where what does not answer is mounted; the kernel counts the requests that wait at each FUSE file system, fuse(4). */
function withMounts(words: string | undefined, pid: number): string | undefined {
  if (!isServed(words)) return words;
  const mounts = servedMounts(words, parseMountInfo(read(`/proc/${pid}/mountinfo`) ?? ''));
  const waiting = mounts.filter(({ device }) => Number(read(`/sys/fs/fuse/connections/${device.replace('0:', '')}/waiting`) ?? 0) > 0);
  const targets = [...new Set((waiting.length > 0 ? waiting : mounts).map(({ target, source }) => `${target} (${source})`))];
  if (targets.length === 0) return words;
  const more = targets.length > MOST_MOUNTS ? ` and ${targets.length - MOST_MOUNTS} more` : '';
  return `${words}: ${targets.length > 1 ? 'one of ' : ''}${targets.slice(0, MOST_MOUNTS).join(', ').slice(0, PATH_LENGTH)}${more}`;
}

function childrenOf(pid: number, thread: number): number[] {
  const text = read(`/proc/${pid}/task/${thread}/children`) ?? '';
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

function namesIn(directory: string): number[] {
  try {
    // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
    return readdirSync(directory).map(Number);
  } catch (error) {
    mustBeNotGiven(error);
    return [];
  }
}

function read(path: string): string | undefined {
  try {
    // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    mustBeNotGiven(error);
    return undefined;
  }
}

function linkOf(path: string): string | undefined {
  try {
    // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
    return readlinkSync(path).slice(0, PATH_LENGTH);
  } catch (error) {
    mustBeNotGiven(error);
    return undefined;
  }
}

/** @throws the error where it is not that the process has ended, or that the kernel does not tell such things to us. */
function mustBeNotGiven(error: unknown): void {
  if (!hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL', 'ENOSYS')) throw error;
}
