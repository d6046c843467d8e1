import { bind, errnoError, lastErrno } from './libc.ts';

const SYSLOG_ACTION_READ_ALL = 3;
const SYSLOG_ACTION_SIZE_BUFFER = 10;
const EPERM = 1;
const ENOSYS = 38;
/** Priorities from here on are of records that a process wrote: the kernel gives those another facility than its own. */
const FIRST_USER_PRIORITY = 8;

const klogctl = bind<(type: number, buffer: Buffer | null, length: number) => number>('int klogctl(int type, void *buffer, int length)');

/** A process that the kernel killed for lack of memory. */
export interface OomKill {
  /** As the host numbers it. */
  readonly pid: number;
  /** From the root of the hierarchy. The kernel does not tell it with every kill. */
  readonly cgroup?: string | undefined;
  /**
   * Whether the cgroup is only likely. A cgroup was being killed as a whole just before. Its last kill cannot be told from the
   * next one's while the kernel holds back the lines with cgroups.
   */
  readonly isCgroupLikely?: true;
}

/**
 * The kills that the kernel's log still has, oldest first; undefined where it cannot be read (it takes CAP_SYSLOG). One call
 * that copies the whole ring, at most a few milliseconds. syslog(2)
 */
export function readOomKills(): OomKill[] | undefined {
  const text = readKernelLog();
  return text === undefined ? undefined : parseOomKills(text);
}

/** The whole log, lines such as `<3>[  12.345678] text`; undefined where it cannot be read. */
export function readKernelLog(): string | undefined {
  const size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, null, 0);
  const buffer = Buffer.allocUnsafe(Math.max(size, 0));
  const length = size < 0 ? size : klogctl(SYSLOG_ACTION_READ_ALL, buffer, size);
  if (length >= 0) return buffer.toString('utf8', 0, length);
  const errno = lastErrno();
  if (errno !== EPERM && errno !== ENOSYS) throw errnoError('klogctl', 'the kernel log', errno);
  return undefined;
}

/**
 * Finds the kills in lines such as `<3>[  12.345678] text`.
 *
 * - Each kill has a line with its pid.
 * - The line before it names the cgroup. The kernel writes at most ten of these in five seconds.
 * - Where a cgroup is killed as a whole (memory.oom.group), a line behind the first kill says so; the other kills follow.
 *
 * mm/oom_kill.c: dump_oom_victim(), __oom_kill_process(); mm/memcontrol.c: mem_cgroup_print_oom_group()
 */
export function parseOomKills(text: string): OomKill[] {
  const kills: { pid: number; cgroup?: string | undefined; isCgroupLikely?: true }[] = [];
  let victim: OomKill | undefined;
  let whole: OomKill | undefined;
  for (const line of text.split('\n')) {
    const [, priority, message = ''] = /^<(\d+)>(?:\[[^\]]*\])*\s*(.*)$/.exec(line) ?? [];
    if (priority === undefined || Number(priority) >= FIRST_USER_PRIORITY) continue;
    const chosen = /^oom-kill:constraint=.*?,task_memcg=(\/.*),task=.{0,15},pid=(\d+),uid=\d+$/.exec(message);
    if (chosen !== null) {
      victim = { pid: Number(chosen[2]), cgroup: chosen[1] };
      whole = undefined;
      continue;
    }
    const tasksIn = /^Tasks in (\/.*) are going to be killed due to memory\.oom\.group set$/.exec(message);
    const lastKill = kills.at(-1);
    if (tasksIn !== null && lastKill !== undefined) {
      lastKill.cgroup = tasksIn[1];
      delete lastKill.isCgroupLikely;
      whole = lastKill;
      continue;
    }
    const killed = /^(?:Memory cgroup out|Out) of memory(?: \([^)]*\))?: Killed process (\d+) \(/.exec(message);
    if (killed === null) continue;
    const pid = Number(killed[1]);
    // The first of a whole cgroup is told once more with the others.
    if (whole === undefined || whole.pid === pid)
      kills.push({ pid, cgroup: whole?.cgroup ?? (victim?.pid === pid ? victim.cgroup : undefined) });
    else kills.push({ pid, cgroup: whole.cgroup, isCgroupLikely: true });
  }
  return kills;
}
