/** What a process uses, as the kernel counts it. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { statOfProcess } from '../../src/linux/proc-stat.ts';

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

/** All of its memory, with all that it shares, MiB. */
export async function residentOf(pid: number): Promise<number> {
  return Number(/^Rss:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / MIB;
}

/** What it shares with nobody, MiB. */
export async function privateOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return [...text.matchAll(/^Private_(?:Clean|Dirty|Hugetlb):\s*(\d+) kB$/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0) / MIB;
}

/** All that live below it, by what /proc says of each one's parent. */
export async function descendantsOf(root: number): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => Number.isInteger(pid));
  const parents = new Map<number, number>();
  for (const pid of pids) parents.set(pid, (await statOfProcess(pid).catch(() => undefined))?.parentPid ?? 0);
  const found = new Set([root]);
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  found.delete(root);
  return [...found];
}

export async function childrenOf(root: number): Promise<readonly number[]> {
  const all = await Promise.all((await descendantsOf(root)).map(async (pid) => ({ pid, stat: await statOfProcess(pid) })));
  return all.flatMap(({ pid, stat }) => (stat?.parentPid === root ? pid : []));
}

/** The name of the program that it runs. */
export async function programOf(pid: number): Promise<string> {
  return basename((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0', 1)[0] ?? '');
}
