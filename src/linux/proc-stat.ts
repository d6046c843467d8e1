import { readFileSync } from 'node:fs';
import { hasErrno } from '../base/errors.ts';

/** What we read of /proc/PID/stat, proc(5). */
export interface ProcessStat {
  /** R, S, D, Z (zombie), T, X ... */
  readonly state: string;
  readonly parentPid: number;
  readonly processGroup: number;
  readonly session: number;
  /** When it started, clock ticks since boot; text, since it is only compared. */
  readonly startTime: string;
}

/** Reads the line of /proc/PID/stat; the command name in it may hold blanks and parentheses. */
export function parseStat(line: string): ProcessStat {
  const fields = line
    .slice(line.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const [state, parentPid, processGroup, session] = fields;
  const startTime = fields[19];
  if (state === undefined || startTime === undefined) throw new Error(`read process stat: "${line.trim()}" has too few fields`);
  return { state, parentPid: Number(parentPid), processGroup: Number(processGroup), session: Number(session), startTime };
}

/**
 * What /proc says of a process; undefined when there is none of that pid. The kernel writes this file without waiting for the process or a
 * disk (proc_tgid_stat), and four trips to libuv's pool would cost ten times as much: a start looks at two processes for each container.
 */
export async function statOfProcess(pid: number): Promise<ProcessStat | undefined> {
  try {
    // eslint-disable-next-line no-restricted-syntax -- an asynchronous read would only hold the caller up: this one never waits
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
