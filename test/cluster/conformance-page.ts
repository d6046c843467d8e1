/** Writes what became of upstream's specs into docs/conformance.md, a section for each set, between marks. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Outcome } from '../support/outcomes.ts';
import { firstLine } from './specs.ts';
import type { SpecSet } from './specs.ts';

export interface SetResult {
  readonly set: SpecSet;
  readonly outcomes: readonly Outcome[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  /** Of what ran: version and runtime. */
  readonly subject: string;
  readonly minutes: number;
}

/** @throws where the page has no place for the set */
export async function writeResult(page: string, result: SetResult): Promise<void> {
  const text = await readFile(page, 'utf8');
  const [begin, end] = [`<!-- ${result.set} -->\n`, `<!-- end of ${result.set} -->`];
  const [before, rest] = splitAt(text, begin);
  const [, after] = splitAt(rest, end);
  await writeFile(page, `${before}${begin}${sectionOf(result)}${end}${after}`);
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at === -1) throw new Error(`conformance page: it has no "${mark.trim()}", it must say where the results go`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

function sectionOf({ outcomes, leftOut, subject, minutes }: SetResult): string {
  const failed = outcomes.filter(({ failure }) => failure !== undefined);
  const skipped = outcomes.filter((one) => one.skipped !== undefined);
  const rows = [...areas(outcomes)].map(([area, all]) => {
    const bad = all.filter(({ failure }) => failure !== undefined).length;
    const not = all.filter((one) => one.skipped !== undefined).length;
    const out = leftOut.filter(({ name }) => areaOf(name) === area).length;
    return `| ${area} | ${all.length - bad - not} | ${bad} | ${not} | ${out} |\n`;
  });
  const passed = outcomes.length - failed.length - skipped.length;
  return [
    `${subject}, ${minutes} minutes.\n\n`,
    '| area | passed | failed | skipped | left out |\n|---|---|---|---|---|\n',
    ...rows,
    `| all | ${passed} | ${failed.length} | ${skipped.length} | ${leftOut.length} |\n\n`,
    ...notPassed('Failed', failed.map(({ name, failure = '' }) => [name, firstLine(failure)])), // prettier-ignore
    ...notPassed('Skipped by themselves', skipped.map((one) => [one.name, one.skipped ?? ''])), // prettier-ignore
    ...notPassed('Left out', leftOut.map(({ name, reason }) => [name, reason])), // prettier-ignore
  ].join('');
}

function notPassed(title: string, rows: readonly (readonly [name: string, reason: string])[]): string[] {
  if (rows.length === 0) return [];
  const cell = (text: string): string => text.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;');
  return [`${title}:\n\n| spec | why |\n|---|---|\n`, ...rows.map(([name, why]) => `| ${cell(name)} | ${cell(why)} |\n`), '\n'];
}

function areas(outcomes: readonly Outcome[]): Map<string, Outcome[]> {
  const found = new Map<string, Outcome[]>();
  for (const outcome of outcomes.toSorted((a, b) => a.name.localeCompare(b.name))) {
    const area = areaOf(outcome.name);
    found.set(area, [...(found.get(area) ?? []), outcome]);
  }
  return found;
}

/** "sig-node" of "[sig-node] Pods should ...". */
function areaOf(name: string): string {
  return /^\[(sig-[a-z-]+)\]/.exec(name)?.[1] ?? name;
}
