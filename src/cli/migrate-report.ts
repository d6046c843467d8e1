import type { Migration } from '../migrate/migrate.ts';
import type { Fate, ReportLine } from '../migrate/report.ts';
import { shownLines } from './io.ts';

/** What matters most comes last, where it is seen. */
const ORDER: readonly Fate[] = ['needless', 'carried', 'unknown', 'lost'];

/** A line for each key, and a last one that counts them. */
export function reportText({ lines }: Migration): string {
  const sorted = ORDER.flatMap((fate) => lines.filter((line) => line.fate === fate));
  const counts = ORDER.map((fate) => `${lines.filter((line) => line.fate === fate).length} ${fate}`);
  return shownLines([...sorted.map(textOf), '', counts.reverse().join(', ')].join('\n'));
}

function textOf({ fate, key, file, line, to, value, why }: ReportLine): string {
  const place = line === undefined ? file : `${file}:${line}`;
  const ours = to === undefined ? '' : ` -> ${to}${value === undefined ? '' : ` = ${JSON.stringify(value)}`}`;
  return `${fate.padEnd(8)} ${place}: ${key}${ours}${why === undefined ? '' : `: ${why}`}`;
}
