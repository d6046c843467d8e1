import type { OomKill } from '../linux/kernel-log.ts';
import type { Container } from './container.ts';

/** What the kernel's log has of one container: how many kills, and how many of them are certainly its. */
export interface LoggedKills {
  readonly all: number;
  /** One that is only likely its may be another's. */
  readonly certain: number;
}

/**
 * The kills of the kernel's log that are of the container: of its first process, or in its cgroup.
 * @param cgroup where it is not one that has the container's id in its path.
 */
export function loggedKillsOf({ record, state }: Container, log: readonly OomKill[], cgroup?: string): LoggedKills {
  const isFirst = ({ pid }: OomKill): boolean => pid === state.process.pid;
  const isIn = (path = ''): boolean => (cgroup === undefined ? path.includes(record.id) : `${path}/`.startsWith(`${cgroup}/`));
  const kills = log.filter((kill) => isFirst(kill) || isIn(kill.cgroup));
  return { all: kills.length, certain: kills.filter((kill) => isFirst(kill) || kill.isCgroupLikely !== true).length };
}

/** A container whose cgroup is gone, and what is known of kills in it. */
export interface OomSuspect {
  readonly id: string;
  /** How many the kernel's log names it with. */
  readonly logged: number;
  /** Whether its monitor, or systemd, saw one; how many is not known. */
  readonly seenByMonitor: boolean;
}

/**
 * Shares the kills that were counted in a pod: how many each container had. A container that is alone had all of them. Of
 * several, those that the log or their monitor names had some. Where kills are left over, the others had them. What a monitor
 * saw may be any number of kills; then nothing is known to be left over.
 * @param options.allAreNamed A container that is not named had none: systemd reads the count of every scope.
 */
export function shareOomKills(
  kills: number,
  suspects: readonly OomSuspect[],
  options: { readonly allAreNamed?: boolean } = {},
): Map<string, number> {
  const [first] = suspects;
  if (suspects.length === 1 && first !== undefined) return new Map([[first.id, kills]]);
  const logged = suspects.reduce((sum, suspect) => sum + suspect.logged, 0);
  const isLeft =
    options.allAreNamed !== true && logged < kills && suspects.every((suspect) => suspect.logged > 0 || !suspect.seenByMonitor);
  return new Map(suspects.map((suspect) => [suspect.id, suspect.logged > 0 ? suspect.logged : Number(suspect.seenByMonitor || isLeft)]));
}
