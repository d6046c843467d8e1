import { readdirSync, readFileSync } from 'node:fs';
import { hasErrno } from '../base/errors.ts';

/**
 * The processes that were started with, of every group in `wanted`, one of its `name=value` in their environment, ours left
 * out. Reads /proc/PID/environ of all, which waits while one is stuck with its memory locked: only for a kernel thread.
 * `progress[0]` is the one being read.
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
