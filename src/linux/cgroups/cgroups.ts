import type { CgroupFigures, CgroupUsage } from './figures.ts';

/** v2: one tree. v1: a tree per controller; a hybrid node (v1 controllers beside a unified tree) counts as v1. */
export type CgroupVersion = 'v1' | 'v2';

/** Counters of memory events, by the names that the kernel gives them; empty where it has none of that kind. */
export interface MemoryEvents {
  /** Of the cgroup's own limits. Version 1: failcnt, memsw.failcnt, oom_kill, under_oom. Version 2 since Linux 5.2: low, high, max, oom, oom_kill, ... */
  readonly own: Readonly<Record<string, bigint>>;
  /** With those below it; version 2. */
  readonly withBelow: Readonly<Record<string, bigint>>;
}

export interface GoneOomKills {
  readonly kills: number;
  /** Which cgroup this is: another one of the same path has another. */
  readonly cgroup: string;
}

/**
 * The node's cgroups: an implementation for each version, `detectCgroups` has the one of this node. Paths are relative to the
 * mount of each hierarchy and start with a slash (`/kubepods/pod1/abc`).
 * cgroups(7), https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/
 */
export interface Cgroups {
  readonly version: CgroupVersion;

  /** Whether any hierarchy has the cgroup. */
  exists(path: string): Promise<boolean>;

  /**
   * Makes the cgroup, and its parents, in every hierarchy that lacks it.
   * @returns whether it was in none of them before: then it is ours to remove.
   */
  ensure(path: string): Promise<boolean>;

  /**
   * Makes a cgroup that no process is to be in, in one that is there; without that one, nothing. Version 1: only in the hierarchies
   * whose figures cAdvisor has for every container, as each costs the kernel milliseconds.
   */
  makeLeaf(path: string): Promise<void>;

  /** Removes such a one. What somebody has put into it is killed. */
  removeLeaf(path: string): Promise<void>;

  /**
   * A process is about to be moved by somebody, in some milliseconds: what the kernel waits for at a move begins now. Waits for nothing, and
   * cannot fail. Version 2: nothing, since runtimes start processes in their cgroup there (clone3, CLONE_INTO_CGROUP).
   */
  expectMove(): void;

  /** Moves a process with all its threads. @throws ESRCH when it is gone, ENOENT when the cgroup is. */
  move(path: string, pid: number): Promise<void>;

  /**
   * Removes the cgroup and those below it; that it is gone is fine. Waits up to a second for processes that just ended.
   * @throws EBUSY when processes are still in it.
   */
  remove(path: string): Promise<void>;

  /** Kills what is in the cgroup or below, and removes both; that it is gone is fine. @throws as {@link kill} and {@link remove}. */
  killAndRemove(path: string): Promise<void>;

  /** Removes the cgroup where nothing is in it or below it; else it stays, and that is fine. */
  removeIfEmpty(path: string): Promise<void>;

  /** The names of the cgroups directly below, in any hierarchy; none when it does not exist. */
  children(path: string): Promise<string[]>;

  /** All cgroups with this in their name, in any hierarchy: every cgroup of the node is looked at, for what comes seldom. */
  named(part: string): Promise<string[]>;

  /** The pids in the cgroup and those below it; none when it does not exist. */
  processes(path: string): Promise<number[]>;

  /**
   * Kills every process in the cgroup and below with SIGKILL, and waits until none is left there: zombies do not count.
   * @throws {DaemonError} FailedPrecondition when this process is among them, DeadlineExceeded when some do not die.
   */
  kill(path: string): Promise<void>;

  /**
   * How many processes the kernel killed for lack of memory in the cgroup and below, since it was made. undefined when
   * there is no such cgroup, or no memory controller.
   */
  oomKills(path: string): Promise<number | undefined>;

  /**
   * How many processes the kernel killed for lack of memory below the cgroup, in cgroups that are gone.
   * The kernel counts a kill before it sends the signal: a process that has ended is in the count.
   * @param gone names of direct children that count as gone
   * @returns undefined on version 1, or where the counts do not include those below (`memory_localevents`).
   */
  goneOomKills(path: string, gone: ReadonlySet<string>): Promise<GoneOomKills | undefined>;

  /** How often memory was short in the cgroup; undefined where it does not exist, or has no memory controller. */
  memoryEvents(path: string): Promise<MemoryEvents | undefined>;

  /** What the cgroup uses now; undefined where it does not exist (its container has just ended). */
  usage(path: string): Promise<CgroupUsage | undefined>;

  /**
   * All that the cgroup says of itself, each file read once; undefined where it does not exist.
   * @param hugePageSizes as `listHugePageSizes` names them
   */
  figures(path: string, hugePageSizes: readonly string[]): Promise<CgroupFigures | undefined>;
}
