/** What a process uses, as the kernel counts it. */
import { readFile, writeFile } from 'node:fs/promises';

/** Of clock ticks in /proc/PID/stat: 100 a second on every Linux that we know. */
const TICK_MS = 10;

/** Its processor time and that of its children that have ended, milliseconds. proc_pid_stat(5). */
export async function processorMsOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8'))
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number);
  return fields.slice(11, 15).reduce((sum, ticks) => sum + ticks * TICK_MS, 0);
}

/** Makes {@link peakOf} begin anew. proc_pid_clear_refs(5). */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** The most memory it has had, MiB. */
export async function peakOf(pid: number): Promise<number> {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
