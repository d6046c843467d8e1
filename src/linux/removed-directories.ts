import { readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { hasErrno, unlessMissing } from '../base/errors.ts';

/** What the kernel puts behind the path of a working directory that has been removed, proc_pid_cwd(5). */
const DELETED = ' (deleted)';

/** A process that still works in a directory that has been removed. */
export interface StrandedProcess {
  readonly pid: number;
  /** The name that the directory had. */
  readonly name: string;
}

/**
 * The processes that work in what was an entry of one of these directories and has been removed. Neither a process that is stuck in the
 * kernel nor a file system that hangs holds up the look: a link of /proc is read, and no path is followed.
 */
export async function findStranded(parents: readonly string[]): Promise<StrandedProcess[]> {
  const real = new Set((await Promise.all(parents.map(async (path) => unlessMissing(realpath(path), path)))).values());
  const found: StrandedProcess[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const target = await ofProcess(readlink(`/proc/${pid}/cwd`));
    if (target?.endsWith(DELETED) !== true) continue;
    const path = target.slice(0, -DELETED.length);
    if (real.has(dirname(path))) found.push({ pid, name: basename(path) });
  }
  return found;
}

/** undefined where the process is gone, or is one of the kernel's own. */
async function ofProcess<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  });
}
