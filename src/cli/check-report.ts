import { escaped } from '../base/escaped.ts';
import type { Finding, Level } from '../nodecheck/finding.ts';

const LEVELS: readonly Level[] = ['error', 'warning', 'note', 'ok'];
/** As wide as the longest level, and a gap. */
const INDENT = '           ';

/**
 * The findings as a person reads them, by area, and a last line that counts them.
 * @param columns where lines are to be broken; undefined: nowhere, for programs that read lines.
 */
export function findingsText(findings: readonly Finding[], columns: number | undefined): string {
  const lines: string[] = [];
  let area = '';
  for (const finding of findings) {
    if (finding.area !== area) lines.push(...(area === '' ? [] : ['']), finding.area);
    area = finding.area;
    lines.push(...textOf(finding, columns));
  }
  const counts = LEVELS.map((level) => {
    const count = findings.filter((each) => each.level === level).length;
    return `${count} ${level}${count === 1 || level === 'ok' ? '' : 's'}`;
  });
  return [...lines, '', counts.join(', '), ''].join('\n');
}

function textOf({ level, is, must, advice }: Finding, columns: number | undefined): string[] {
  return [
    ...broken(`  ${level.padEnd(INDENT.length - 2)}${escaped(is)}`, columns),
    ...(must === undefined ? [] : broken(`${INDENT}must be: ${escaped(must)}`, columns)),
    ...(advice === undefined ? [] : broken(`${INDENT}to do: ${escaped(advice)}`, columns)),
  ];
}

/** A line in lines of at most `columns`, those after the first behind the indent. A word that is longer stays whole. */
function broken(line: string, columns: number | undefined): string[] {
  if (columns === undefined || line.length <= columns) return [line];
  const start = /^\s*/.exec(line)?.[0] ?? '';
  const lines: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    const at = rest.lastIndexOf(' ', columns);
    const cut = at > INDENT.length ? at : rest.indexOf(' ', columns);
    if (cut === -1) break;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = INDENT + rest.slice(cut + 1);
  }
  return [...lines, rest].filter((each) => each.trim() !== '' || each === start);
}
