/**
 * One table of several runs of the bench with the same targets: `npm run bench:runs -- A.json B.json C.json`. Of each line the median of the
 * runs' medians, and ours to the best other in each run: the median of these ratios, with the least and the greatest. The last column is ours to
 * the parts alone, where they are a floor for it.
 */
import { readFile } from 'node:fs/promises';
import { number, type Row } from './report.ts';
import { median } from './times.ts';

interface Run {
  readonly rows: readonly Row[];
  readonly values: Readonly<Record<string, unknown>>;
  readonly floor?: unknown;
}

const files = process.argv.slice(2);
if (files.length === 0) throw new Error('usage: node test/bench/runs.ts RUN.json...');
const runs = await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Run));
const names = Object.keys(runs[0]?.values ?? {});
for (const [index, run] of runs.entries())
  if (Object.keys(run.values).join() !== names.join())
    throw new Error(`${files[index] ?? ''}: its targets are ${Object.keys(run.values).join(', ')}, must be ${names.join(', ')}`);

/** JSON has null for what is not a number. */
const known = (values: readonly (number | null | undefined)[]): number[] => values.filter((value) => typeof value === 'number');
const middle = (values: readonly (number | null | undefined)[]): number => median(known(values));

function line(what: string): string {
  const rows = runs.map(({ rows: all }) => all.find((row) => row.what === what));
  const medians = names.map((_, column) => middle(rows.map((row) => row?.medians[column])));
  const ratios = known(rows.map((row) => row?.ratio));
  const spread =
    ratios.length === 0 ? '' : `${middle(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`;
  const floor = middle(rows.map((row) => row?.medians[names.length]));
  const ofFloor = Number.isNaN(floor) ? '' : ((medians[0] ?? Number.NaN) / floor).toFixed(2);
  return `| ${[what, ...medians.map(number), spread, number(floor), ofFloor].join(' | ')} |`;
}

const head = [`median (ms) of ${runs.length} runs`, ...names, `${names[0] ?? ''} to the best other`, 'the parts alone', 'ours to them'];
process.stdout.write(`| ${head.join(' | ')} |\n| ${head.map((_, index) => (index === 0 ? '---' : '--:')).join(' | ')} |\n`);
for (const what of new Set(runs.flatMap(({ rows }) => rows.map((row) => row.what)))) process.stdout.write(`${line(what)}\n`);
