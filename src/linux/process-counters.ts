import { readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { hasErrno } from '../base/errors.ts';

/** Open files of a group of processes. */
export interface ProcessCounters {
  readonly fileDescriptors: number;
  readonly sockets: number;
}

/** How many links are read before other work gets its turn: about a millisecond. */
const LINKS_PER_TURN = 400;

/** Counts the open files of these processes, proc_pid_fd(5); one that has ended counts nothing. */
export async function countOpenFiles(pids: readonly number[]): Promise<ProcessCounters> {
  let [fileDescriptors, sockets] = [0, 0];
  for (const pid of pids) {
    const directory = `/proc/${pid}/fd`;
    const names = await readdir(directory).catch(undefinedWhereEnded);
    for (const name of names ?? []) {
      fileDescriptors += 1;
      if (isSocket(`${directory}/${name}`)) sockets += 1;
      if (fileDescriptors % LINKS_PER_TURN === 0) await turn();
    }
  }
  return { fileDescriptors, sockets };
}

/** The soft limit on open files of a process; undefined where there is none, or no such process. proc_pid_limits(5) */
export async function openFilesLimit(pid: number): Promise<bigint | undefined> {
  const text = await readFile(`/proc/${pid}/limits`, 'utf8').catch(undefinedWhereEnded);
  const soft = /^Max open files +(\d+) /m.exec(text ?? '')?.[1];
  return soft === undefined ? undefined : BigInt(soft);
}

function isSocket(link: string): boolean {
  try {
    // eslint-disable-next-line no-restricted-syntax -- thousands of them through the thread pool would cost ten times as much and hold its threads; the link itself waits for no file system
    return readlinkSync(link).startsWith('socket:');
  } catch (error) {
    undefinedWhereEnded(error);
    return false;
  }
}

/** @throws the error where it is not that the process, or the file it had open, is gone. */
function undefinedWhereEnded(error: unknown): undefined {
  if (!hasErrno(error, 'ENOENT', 'ESRCH')) throw error;
  return undefined;
}
