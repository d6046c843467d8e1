/** What was measured, as a table for people and as data. */
import { cpus, release } from 'node:os';
import { quantile } from './times.ts';
import type { Times } from './times.ts';

/** A column: a runtime, or the parts alone. */
export interface Column {
  readonly name: string;
  readonly times: Times;
}

export interface Row {
  readonly what: string;
  /** Of each column, NaN where it has none. */
  readonly medians: readonly number[];
  /** Of the first to the least of the other runtimes. */
  readonly ratio: number;
}

/** Rows whose slowest counts as well. */
const HAS_TAIL = /^(List|Stream|ContainerStatus)/;

/** In the order in which they were measured. */
export function rowsOf(runtimes: readonly Column[], floor: Times | undefined): readonly Row[] {
  const columns = [...runtimes.map(({ times }) => times), ...(floor === undefined ? [] : [floor])];
  const names = [...new Set(columns.flatMap(({ names: all }) => all))];
  const row = (what: string, values: readonly number[]): Row => {
    const others = values.slice(1, runtimes.length).filter((value) => !Number.isNaN(value));
    const ratio = others.length === 0 ? Number.NaN : (values[0] ?? Number.NaN) / Math.min(...others);
    return { what, medians: values, ratio };
  };
  const at = (what: string, share: number): number[] => columns.map((times) => quantile(times.of(what), share));
  return names.flatMap((what) => {
    const middle = row(what, at(what, 0.5));
    return HAS_TAIL.test(what) ? [middle, row(`${what}, p99`, at(what, 0.99))] : [middle];
  });
}

export const number = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(Math.abs(value) < 10 ? 2 : value < 100 ? 1 : 0));

/** Markdown; the medians, in milliseconds where the row names no other unit. */
export function table(runtimes: readonly Column[], floor: Times | undefined): string {
  const rows = rowsOf(runtimes, floor);
  const head = ['median (ms)', ...runtimes.map(({ name }) => name)];
  if (floor !== undefined) head.push('the parts alone');
  if (runtimes.length > 1) head.push(`${runtimes[0]?.name ?? ''} to the best other`);
  const lines = rows.map(({ what, medians, ratio }) => [what, ...medians.map(number), ...(runtimes.length > 1 ? [number(ratio)] : [])]);
  return [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** All values of all rows, and where they were measured. */
export function document(runtimes: readonly Column[], floor: Times | undefined, parts: Times | undefined, options: object): object {
  return {
    measuredAt: new Date().toISOString(),
    machine: { processors: cpus().length, model: cpus()[0]?.model, kernel: release() },
    options,
    rows: rowsOf(runtimes, floor),
    values: Object.fromEntries(runtimes.map(({ name, times }) => [name, times])),
    ...(floor === undefined ? {} : { floor, parts }),
  };
}
