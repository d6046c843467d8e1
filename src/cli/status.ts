import type { StatusReport } from '../admin/reports.ts';
import { sizeText, table } from './io.ts';

/** Of NRI 0.12. */
const EVENT_COUNT = 14;

/** The daemon's status as a person reads it. */
export function statusText(status: StatusReport): string {
  const sections = [
    table([
      ['podwright', `${status.version}, pid ${status.pid}, since ${status.startedAt}`],
      ['memory', `${sizeText(status.memory.residentBytes)} resident, ${sizeText(status.memory.heapBytes)} heap`],
      ['event loop', eventLoopText(status.eventLoop)],
      ['socket', status.listenPath],
      ['root', status.root],
      ['run dir', status.runDir],
      ['cgroups', status.cgroupManager],
      ['runtime', status.defaultRuntime],
      ['config', status.configFiles.length === 0 ? 'no file, defaults' : status.configFiles.join(', ')],
    ]),
    table(status.programs.map(({ name, version, path }) => [name, version, path])),
    table(
      status.conditions.map(({ type, ok, reason, message }) => [
        type,
        ok ? 'yes' : 'no',
        [reason, message].filter((each) => each !== '').join(': '),
      ]),
    ),
    table([
      ['sandboxes', countsText(status.sandboxes)],
      ['containers', countsText(status.containers)],
      ['images', String(status.images)],
    ]),
    listText(
      'unfinished work',
      status.unfinished.map(({ what, since, detail }) => [what, since ?? '', detail ?? '']),
    ),
    listText(
      'records set aside',
      status.setAside.map((file) => [file]),
    ),
    listText(
      'CDI spec files that are not used',
      status.brokenCdiSpecs.map(({ path, error }) => [path, error]),
    ),
    ...nriTexts(status.nri),
    status.cadvisorFault === undefined ? '' : `cAdvisor gets no names of pods and containers: ${status.cadvisorFault}\n`,
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function eventLoopText({ p99Ms, longestMs, standstills, lastStandstill }: StatusReport['eventLoop']): string {
  const lag = `late by ${p99Ms.toFixed(1)} ms (p99), ${longestMs.toFixed(1)} ms at most, of late`;
  if (lastStandstill === undefined) return lag;
  const { what, ownMs, startedAt } = lastStandstill;
  return `${lag}; ${standstills} standstills, the last ${startedAt}: ${what}, ${ownMs} ms`;
}

/** Nothing where there are no plugins and they may come. */
function nriTexts(nri: StatusReport['nri']): string[] {
  if (nri === undefined) return [];
  const { plugins, listenFault } = nri;
  const rows = plugins.map(({ name, kind, state, since, calls, failures, meanMs, longestMs, pid, version, events }) => [
    name,
    kind,
    `${state} since ${since}`,
    calls === 0 ? '' : `${calls} calls, ${meanMs.toFixed(1)} ms, at most ${longestMs.toFixed(1)} ms`,
    failures === 0 ? '' : `${failures} failed`,
    pid === undefined ? '' : `pid ${pid}`,
    version,
    events.length === EVENT_COUNT ? 'all events' : events.join(', '),
  ]);
  const errors = plugins.flatMap(({ name, lastError }) => (lastError === undefined ? [] : [[name, lastError]]));
  return [
    listText('NRI plugins', rows),
    listText('last errors of NRI plugins', errors),
    listenFault === undefined ? '' : `NRI plugins cannot connect: ${listenFault}\n`,
  ];
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const parts = Object.entries(counts).map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? '0' : `${total} (${parts.join(', ')})`;
}

function listText(title: string, rows: readonly string[][]): string {
  return rows.length === 0 ? '' : `${title}:\n${table(rows.map((row) => [' ', ...row]))}`;
}
