/** What a process uses, as the kernel counts it. */
import { readFile, writeFile } from 'node:fs/promises';

/** Of clock ticks in /proc/PID/stat: 100 a second on every Linux that we know. */
const TICK_MS = 10;
const MIB = 1024;

/** Milliseconds of processor time. The kernel counts nanoseconds here and rounds the sums down to ticks. */
export interface ProcessorTime {
  readonly own: number;
  /** Of children that have ended and were waited for, with theirs. */
  readonly children: number;
}

/** proc_pid_stat(5). */
export async function processorTimeOf(pid: number): Promise<ProcessorTime> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8'))
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map((ticks) => ticks * TICK_MS);
  return { own: user + system, children: childUser + childSystem };
}

/** Its processor time and that of its children that have ended, milliseconds. */
export async function processorMsOf(pid: number): Promise<number> {
  const { own, children } = await processorTimeOf(pid);
  return own + children;
}

/** Makes {@link peakOf} begin anew. proc_pid_clear_refs(5). */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** The most memory it has had, MiB. */
export async function peakOf(pid: number): Promise<number> {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / MIB;
}

/** Its memory, MiB: what it shares with others counts for it in part. */
export async function pssOf(pid: number): Promise<number> {
  return Number(/^Pss:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / MIB;
}
