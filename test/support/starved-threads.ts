/** Whether a process that waits for a thread of its own waits since the machine lets that thread not run. */
import { readdirSync, readFileSync } from 'node:fs';

/** The threads that want a processor, by their id, while the first one waits for another: how long each has run, milliseconds. */
export interface ThreadsLook {
  readonly atMs: number;
  readonly ranMs: ReadonlyMap<string, number>;
}

/**
 * Looks at a process from outside.
 * @returns undefined where its first thread does not wait for another: it is in no futex(2).
 * @throws ENOENT where the process is gone.
 */
export function lookAtThreads(pid: number): ThreadsLook | undefined {
  const directory = `/proc/${pid}/task`;
  if (!readFileSync(`${directory}/${pid}/wchan`, 'latin1').startsWith('futex')) return undefined;
  const ranMs = new Map<string, number>();
  for (const thread of readdirSync(directory)) {
    const stat = read(`${directory}/${thread}/stat`);
    if (stat.charAt(stat.lastIndexOf(')') + 2) !== 'R') continue;
    // Documentation/scheduler/sched-stats.rst
    const [ranNs = '0'] = read(`${directory}/${thread}/schedstat`).split(' ');
    ranMs.set(thread, Number(ranNs) / 1e6);
  }
  return { atMs: Date.now(), ranMs };
}

/** The longest time between two looks in which one thread wanted a processor and had none, milliseconds. */
export function starvedMs(before: ThreadsLook | undefined, now: ThreadsLook | undefined): number {
  if (before === undefined || now === undefined) return 0;
  const lacks = [...now.ranMs].map(([thread, ran]) => {
    const had = before.ranMs.get(thread);
    return had === undefined ? 0 : now.atMs - before.atMs - (ran - had);
  });
  return Math.max(0, ...lacks);
}

/** Empty where the thread has ended. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
