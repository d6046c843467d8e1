import { readKernelLog } from './kernel-log.ts';

/** Where memory ran out: at the limit of a cgroup, or on the node. Undefined figures are those that the kernel did not write. */
export interface MemoryShortage {
  /** The cgroup whose limit was met, from the root of the hierarchy; undefined where the node itself had no memory left. */
  readonly cgroup: string | undefined;
  readonly limitBytes: number | undefined;
  readonly usageBytes: number | undefined;
}

/** One process that the kernel killed for lack of memory, as its log tells it. */
export interface LoggedOomKill {
  /** As the host numbers it. */
  readonly pid: number;
  /** At most 15 characters, any of them. */
  readonly name: string;
  /** What it had in memory. */
  readonly residentBytes: number;
  /** Its own cgroup; the kernel tells that, and the shortage, at most ten times in five seconds. */
  readonly cgroup: string | undefined;
  readonly shortage: MemoryShortage | undefined;
}

/** The kills that the kernel's log still has, oldest first; none where it cannot be read. Copies the whole ring: for a kernel thread. */
export function readOomLog(): LoggedOomKill[] {
  const text = readKernelLog();
  return text === undefined ? [] : parseOomLog(text);
}

const KIB = 1024;

/**
 * Finds the kills with their reasons. Before the line of a kill the kernel writes the usage and limit of the cgroup that has met
 * its limit, and a line that names that cgroup (`oom_memcg`, or `global_oom`) and the process with its own. Where a whole cgroup is
 * killed, a line behind the first kill says so, and the other kills follow.
 *
 * mm/oom_kill.c: dump_oom_victim(), __oom_kill_process(); mm/memcontrol.c: mem_cgroup_print_oom_meminfo(), mem_cgroup_print_oom_group()
 */
export function parseOomLog(text: string): LoggedOomKill[] {
  const kills: LoggedOomKill[] = [];
  let figures: Pick<MemoryShortage, 'limitBytes' | 'usageBytes'> | undefined;
  let victim: { readonly pid: number; readonly cgroup: string; readonly shortage: MemoryShortage } | undefined;
  let whole: { readonly cgroup: string; readonly shortage: MemoryShortage | undefined } | undefined;
  for (const line of text.split('\n')) {
    // Priorities from 8 on are of records that a process wrote.
    const message = /^<[0-7]>(?:\[[^\]]*\])*\s*(.*)$/.exec(line)?.[1];
    if (message === undefined) continue;
    const used = /^memory: usage (\d+)kB, limit (\d+)kB, failcnt \d+$/.exec(message);
    if (used !== null) figures = { usageBytes: Number(used[1]) * KIB, limitBytes: Number(used[2]) * KIB };
    const chosen =
      /^oom-kill:constraint=\w+,nodemask=.*?,cpuset=.*?,mems_allowed=[\d,-]*,(?:oom_memcg=(\/.*?)|global_oom),task_memcg=(\/.*),task=.{0,15},pid=(\d+),uid=\d+$/.exec(
        message,
      );
    if (chosen !== null) {
      const shortage: MemoryShortage = {
        cgroup: chosen[1],
        limitBytes: undefined,
        usageBytes: undefined,
        ...(chosen[1] !== undefined && figures),
      };
      victim = { pid: Number(chosen[3]), cgroup: chosen[2] ?? '', shortage };
      [figures, whole] = [undefined, undefined];
    }
    const tasksIn = /^Tasks in (\/.*) are going to be killed due to memory\.oom\.group set$/.exec(message);
    const first = kills.at(-1);
    if (tasksIn !== null && first !== undefined) {
      // Of a kill whose reason the kernel has left out, what is known is of an earlier one.
      whole = { cgroup: tasksIn[1] ?? '', shortage: victim?.pid === first.pid ? first.shortage : undefined };
      kills[kills.length - 1] = { ...first, ...whole };
    }
    const kill = killIn(message);
    if (kill === undefined) continue;
    const known = victim?.pid === kill.pid ? victim : whole;
    const ofNode: MemoryShortage | undefined = kill.isNodes
      ? { cgroup: undefined, limitBytes: undefined, usageBytes: undefined }
      : undefined;
    const { pid, name, residentBytes } = kill;
    kills.push({ pid, name, residentBytes, cgroup: known?.cgroup, shortage: known?.shortage ?? ofNode });
  }
  return kills;
}

/** `Memory cgroup out of memory: Killed process 12 (dd) total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB, UID:0 ...` */
function killIn(message: string): { pid: number; name: string; residentBytes: number; isNodes: boolean } | undefined {
  const found =
    /^(Memory cgroup out|Out) of memory(?: \([^)]*\))?: Killed process (\d+) \((.{0,15})\) total-vm:\d+kB, anon-rss:(\d+)kB(?:, file-rss:(\d+)kB)?(?:, shmem-rss:(\d+)kB)?/.exec(
      message,
    );
  if (found === null) return undefined;
  const [, where, pid, name = '', ...sizes] = found;
  const residentBytes = sizes.reduce((sum, size) => sum + Number(size || 0), 0) * KIB;
  return { pid: Number(pid), name, residentBytes, isNodes: where === 'Out' };
}
