import { bindIdle, close, open, O_RDONLY } from './libc.ts';

/** How long a thread has run, and has wanted to run and had no processor, since it began, milliseconds. */
export interface SchedStat {
  readonly processorMs: number;
  readonly delayedMs: number;
}

const NS_IN_MS = 1e6;
const NOTHING: SchedStat = { processorMs: 0, delayedMs: 0 };
const buffer = Buffer.alloc(64);

// The watch would wake itself by another.
const pread = bindIdle<(fd: number, buffer: Buffer, length: number, offset: number) => number>(
  'long pread(int fd, void *buf, size_t count, int64_t offset)',
);

/** Opens the account of a thread: /proc/PID/schedstat. undefined where there is none (a kernel without CONFIG_SCHED_INFO). */
export function openSchedStat(path: string): number | undefined {
  try {
    return open(path, O_RDONLY);
  } catch {
    return undefined;
  }
}

/** What the account says now: Documentation/scheduler/sched-stats.rst. All zero where it cannot be read. */
export function readSchedStat(fd: number | undefined): SchedStat {
  if (fd === undefined) return NOTHING;
  const count = pread(fd, buffer, buffer.length, 0);
  if (count <= 0) return NOTHING;
  const [ranNs = 0, delayedNs = 0] = buffer.toString('latin1', 0, count).split(' ').map(Number);
  return { processorMs: ranNs / NS_IN_MS, delayedMs: delayedNs / NS_IN_MS };
}

/** The account of another process, zombies included. */
export function schedStatOf(pid: number): SchedStat {
  const fd = openSchedStat(`/proc/${pid}/schedstat`);
  const stat = readSchedStat(fd);
  if (fd !== undefined) close(fd);
  return stat;
}
