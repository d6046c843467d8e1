import { basename } from 'node:path';
import { settledWithin } from '../base/deadline.ts';
import { escaped } from '../base/escaped.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';
import { onThread } from '../linux/kernel-threads.ts';
import type { LoggedOomKill, MemoryShortage } from '../linux/oom-log.ts';
import type { CgroupPlacement } from '../ociruntime/placement.ts';
import { cgroupOf, type Container } from './container.ts';

/** Whose memory ran out: the limit of the container, or one that it made inside; the pod's; the node's, or of a cgroup above the pod. */
export type OomLevel = 'container' | 'pod' | 'node' | 'unknown';

export interface OomReport {
  readonly level: OomLevel;
  /** `out of memory at the container's limit of 20 MiB, all in use: killed process 7 (dd), which had 21.6 MiB`. */
  readonly message: string;
}

/** What cgroups say at the container's end; undefined what they do not tell, or where they are gone. */
export interface OomFigures {
  readonly ofContainer: LevelFigures | undefined;
  readonly ofPod: LevelFigures | undefined;
}

export interface LevelFigures {
  /** 0: none. */
  readonly limitBytes: number | undefined;
  readonly peakBytes: number | undefined;
  /** Whether its own limit was met; on version 2, with nothing left to reclaim. */
  readonly wasMet: boolean | undefined;
}

/** Where a container and its pod are, in the words of the kernel's log. */
export interface OomPlaces {
  readonly containerCgroup: string;
  readonly podCgroup: string;
}

export interface OomReportParts {
  readonly cgroups: Pick<Cgroups, 'version' | 'figures' | 'memoryEvents'>;
  readonly placement: Pick<CgroupPlacement, 'containerDirectory' | 'parentDirectory'>;
}

/** How long an end waits for its figures, milliseconds. */
const READ_MS = 3000;

/** Says by which limit a container in which there was a kill ran out of memory, and with what figures. Never rejects. */
export async function reportOom(parts: OomReportParts, container: Container): Promise<OomReport> {
  const { record, state } = container;
  const containerCgroup = cgroupOf(parts.placement, container);
  const podCgroup = parts.placement.parentDirectory(record.cgroupParent);
  try {
    const reading = Promise.all([
      onThread('readOomLog', {}),
      levelFigures(parts.cgroups, containerCgroup),
      levelFigures(parts.cgroups, podCgroup),
    ]);
    // The threads may all hang at file systems that do, and the end is to be on record all the same.
    if (!(await settledWithin(reading, READ_MS))) return { level: 'unknown', message: 'out of memory' };
    const [log, ofContainer, ofPod] = await reading;
    const places = { containerCgroup, podCgroup };
    const logged = killOf(log, state.process.pid, places);
    return describeOom(logged, { ofContainer: ofContainer ?? limitOf(container), ofPod }, places);
  } catch {
    return { level: 'unknown', message: 'out of memory' };
  }
}

/** systemd removes a scope with its last process: what is known of its limit then. */
function limitOf({ state }: Container): LevelFigures | undefined {
  const limitBytes = numberOf(state.resources?.memoryLimitInBytes) ?? 0;
  return limitBytes > 0 ? { limitBytes, peakBytes: undefined, wasMet: undefined } : undefined;
}

/** What a cgroup says of its own limit. */
export async function levelFigures(cgroups: OomReportParts['cgroups'], path: string): Promise<LevelFigures | undefined> {
  const [figures, events] = await Promise.all([cgroups.figures(path, []), cgroups.memoryEvents(path)]);
  if (figures === undefined && events === undefined) return undefined;
  const { limits, memory } = figures?.counters ?? {};
  const [limitBytes, peakBytes] = [numberOf(limits?.memoryBytes), numberOf(memory?.peakBytes)];
  const { oom, failcnt = 0n, 'memsw.failcnt': memsw = 0n } = events?.own ?? {};
  if (cgroups.version === 'v2') return { limitBytes, peakBytes, wasMet: oom === undefined ? undefined : oom > 0n };
  // Of the limit of memory and swap together, which is met first where both are the same, Linux 6.18 counts nothing.
  const wasFull = limitBytes !== undefined && limitBytes > 0 && peakBytes !== undefined && peakBytes >= limitBytes;
  return { limitBytes, peakBytes, wasMet: failcnt + memsw > 0n || wasFull };
}

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/**
 * The last kill of a container that tells most; the pid of its first process may be of another by now only in an old line. Where many
 * are killed the kernel leaves reasons out, and a line may have that of a whole cgroup that was killed before it.
 */
export function killOf(log: readonly LoggedOomKill[], firstPid: number, { containerCgroup }: OomPlaces): LoggedOomKill | undefined {
  const own = log.flatMap((kill) => {
    if (kill.cgroup !== undefined && isWithin(kill.cgroup, containerCgroup)) return [kill];
    if (kill.pid !== firstPid) return [];
    return [kill.cgroup === undefined ? kill : { ...kill, cgroup: undefined, shortage: undefined }];
  });
  return own.findLast(({ shortage }) => shortage !== undefined) ?? own.at(-1);
}

/** @param outer a whole path, or the end of one: the kernel's log begins at the root that it was booted with. */
function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}/`) || `${path}/`.includes(`/${basename(outer)}/`);
}

/** Level and words, by the kernel's log where it tells, else by the counters of the cgroups. */
export function describeOom(logged: LoggedOomKill | undefined, figures: OomFigures, places: OomPlaces): OomReport {
  const level = logged?.shortage === undefined ? levelByFigures(figures) : levelByLog(logged.shortage, places);
  const own = { container: figures.ofContainer, pod: figures.ofPod, node: undefined, unknown: undefined }[level];
  const shortage = logged?.shortage;
  const limitBytes = shortage?.limitBytes ?? (own?.limitBytes === 0 ? undefined : own?.limitBytes);
  const where = whereWords(level, shortage?.cgroup, limitBytes);
  const used = [
    ...(shortage?.usageBytes === undefined ? [] : [`${bytes(shortage.usageBytes)} in use`]),
    ...(shortage?.usageBytes === undefined && own?.peakBytes !== undefined ? [`at most ${bytes(own.peakBytes)} in use`] : []),
    ...(level === 'container' || figures.ofContainer?.peakBytes === undefined
      ? []
      : [`this container at most ${bytes(figures.ofContainer.peakBytes)}`]),
  ];
  const killed = logged === undefined ? '' : `; killed process ${logged.pid} (${logged.name}), which had ${bytes(logged.residentBytes)}`;
  return { level, message: escaped(`out of memory${where}${used.length === 0 ? '' : ` (${used.join(', ')})`}${killed}`) };
}

function levelByLog({ cgroup }: MemoryShortage, { containerCgroup, podCgroup }: OomPlaces): OomLevel {
  if (cgroup === undefined) return 'node';
  if (isWithin(cgroup, containerCgroup)) return 'container';
  return cgroup === podCgroup || cgroup.endsWith(podCgroup) ? 'pod' : 'node';
}

/** A limit that was met has counted it. Where both tell that theirs was not, it was one above them. */
function levelByFigures({ ofContainer, ofPod }: OomFigures): OomLevel {
  if (ofContainer?.wasMet === true) return 'container';
  if (ofPod?.wasMet === true) return 'pod';
  // Its cgroup is gone, and had a limit.
  if (ofPod?.wasMet === false && ofContainer !== undefined && ofContainer.wasMet === undefined) return 'container';
  return ofContainer?.wasMet === false && ofPod?.wasMet === false ? 'node' : 'unknown';
}

function whereWords(level: OomLevel, cgroup: string | undefined, limitBytes: number | undefined): string {
  const limit = limitBytes === undefined ? '' : ` of ${bytes(limitBytes)}`;
  switch (level) {
    case 'container':
      return ` at the container's limit${limit}`;
    case 'pod':
      return ` at the pod's limit${limit}`;
    case 'node':
      return cgroup === undefined ? ' on the node' : ` at the limit${limit} of the cgroup ${cgroup}`;
    case 'unknown':
      return '';
  }
}

const MIB = 1024 * 1024;

/** `20 MiB`, `1.5 GiB`, `512 KiB`. */
function bytes(count: number): string {
  const shown = (size: number, unit: string): string => `${Number(size.toFixed(1))} ${unit}`;
  if (count >= 1024 * MIB) return shown(count / (1024 * MIB), 'GiB');
  return count >= MIB ? shown(count / MIB, 'MiB') : shown(count / 1024, 'KiB');
}
