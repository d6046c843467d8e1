import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '../base/errors.ts';

/**
 * The processes that were started with certain variables in their environment: of each group in `wanted` one `name=value`.
 * Ours are left out. /proc/PID/environ of every process is read, and that waits while a process is stuck with its memory
 * locked. So this is for a kernel thread only. `progress[0]` is the pid that is being read.
 */
export function pidsByEnvironment(wanted: readonly (readonly string[])[], progress: Int32Array): number[] {
  const groups = wanted.map((group) => new Set(group));
  // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
  const pids = readdirSync('/proc').map(Number);
  return pids.filter((pid) => {
    if (!Number.isInteger(pid) || pid === process.pid) return false;
    Atomics.store(progress, 0, pid);
    const entries = environmentOf(pid)?.toString().split('\0') ?? [];
    return groups.every((group) => entries.some((entry) => group.has(entry)));
  });
}

function environmentOf(pid: number): Buffer | undefined {
  try {
    // eslint-disable-next-line no-restricted-syntax -- on a kernel thread, which may wait
    return readFileSync(`/proc/${pid}/environ`);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
