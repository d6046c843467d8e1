import { cutText, fitTable } from './fit-table.ts';
import type { Column } from './fit-table.ts';
import type { ContainerUsage, NodeUsage, TopReport, Usage } from './top-report.ts';

/** From this width on there is room for the columns of less weight. */
const WIDE = 120;
const UNKNOWN = '-';

const NAME: Column = { title: 'POD / CONTAINER', cut: { least: 12, keep: 'ends' } };

interface Figure {
  readonly title: string;
  readonly isMinor?: boolean;
  readonly text: (usage: Usage) => string;
}

const FIGURES: readonly Figure[] = [
  { title: 'CPU', text: ({ cpuCores }) => coresText(cpuCores) },
  { title: 'LIMIT', isMinor: true, text: ({ cpuLimitCores }) => coresText(cpuLimitCores) },
  { title: 'THR', text: ({ throttled }) => percentText(throttled) },
  { title: 'MEM', text: ({ memoryBytes }) => bytesText(memoryBytes) },
  { title: 'LIMIT', text: ({ memoryLimitBytes }) => bytesText(memoryLimitBytes) },
  { title: 'MEM%', text: ({ memoryBytes, memoryLimitBytes }) => percentText(shareOf(memoryBytes, memoryLimitBytes)) },
  { title: 'PROC', text: ({ processes }) => countText(processes) },
  { title: 'RX/s', text: ({ rxBytesPerSecond }) => bytesText(rxBytesPerSecond) },
  { title: 'TX/s', text: ({ txBytesPerSecond }) => bytesText(txBytesPerSecond) },
  { title: 'DISK', isMinor: true, text: ({ diskBytes }) => bytesText(diskBytes) },
  { title: 'OOM', text: ({ oomKills }) => countText(oomKills) },
];

/** The node and the sum of its pods, then a table of pods with their containers: its titles, then a line each. */
export interface TopText {
  readonly summary: readonly string[];
  readonly titles: string;
  readonly lines: readonly string[];
}

/** @param width how wide the lines may be; undefined: as they need */
export function topText(report: TopReport, width: number | undefined): TopText {
  const figures = FIGURES.filter(({ isMinor }) => isMinor !== true || width === undefined || width >= WIDE);
  const columns = [NAME, ...figures.map(({ title }): Column => ({ title, right: true }))];
  const row = (name: string, usage: ContainerUsage): string[] => [name, ...figures.map(({ text }) => text(usage))];
  const rows = report.pods.flatMap((pod) => [
    row(`${pod.namespace}/${pod.name}`, pod),
    ...pod.containers.map((each) => row(`  ${each.name}`, each)),
  ]);
  const [titles = '', ...lines] = fitTable(columns, rows, width);
  const summary = [nodeText(report.node), totalText(report)];
  return { summary: width === undefined ? summary : summary.map((line) => cutText(line, width, 'start')), titles, lines };
}

function nodeText({ cpuCores, cores, memoryBytes, memoryTotalBytes, load }: NodeUsage): string {
  const cpu = `cpu ${coresText(cpuCores)} of ${cores} (${percentText(shareOf(cpuCores, cores))})`;
  const memory = `memory ${bytesText(memoryBytes)} of ${bytesText(memoryTotalBytes)} (${percentText(shareOf(memoryBytes, memoryTotalBytes))})`;
  return `node  ${cpu}  ${memory}  load ${load.map((each) => each.toFixed(2)).join(' ')}`;
}

function totalText({ total, pods }: TopReport): string {
  const { cpuCores, memoryBytes, processes, rxBytesPerSecond, txBytesPerSecond, oomKills } = total;
  const containers = pods.reduce((count, pod) => count + pod.containers.length, 0);
  const words = `${countOf(pods.length, 'pod')}, ${countOf(containers, 'container')}`;
  const network = `rx ${bytesText(rxBytesPerSecond)}/s  tx ${bytesText(txBytesPerSecond)}/s`;
  return `${words}  cpu ${coresText(cpuCores)}  memory ${bytesText(memoryBytes)}  proc ${countText(processes)}  oom ${countText(oomKills)}  ${network}`;
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** `250m`; from ten on `12.5`. */
export function coresText(cores: number | undefined): string {
  if (cores === undefined) return UNKNOWN;
  return cores < 10 ? `${Math.round(cores * 1000)}m` : cores.toFixed(1);
}

/** `900`, `1.5Ki`, `12Mi` */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined) return UNKNOWN;
  const units = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];
  let value = bytes;
  let unit = 0;
  // 1000, not 1024: 1023Mi would be a column wider than all others.
  for (; Math.round(value) >= 1000 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}${units[unit] ?? ''}`;
}

function percentText(share: number | undefined): string {
  return share === undefined ? UNKNOWN : `${Math.round(share * 100)}%`;
}

function countText(count: number | undefined): string {
  return count === undefined ? UNKNOWN : String(count);
}

function shareOf(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined || whole === 0 ? undefined : part / whole;
}
