import { escaped } from '../base/escaped.ts';
import type { ExplainedOperation } from '../base/explanation.ts';

/** How wide lines may be. */
export interface Columns {
  readonly words: number;
  readonly pictures: number;
}

/** A line of a timeline: one step, or a moment. */
export interface TimelineRow {
  readonly kind: 'step' | 'note' | 'rest';
  readonly depth: number;
  readonly words: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly state: 'ended' | 'failed' | 'under way';
}

/** What is shorter than this part of its operation, and than {@link SHORT_MS}, is told together. */
const SHORT_PART = 0.01;
const SHORT_MS = 1;
/** Narrower bars say nothing. */
const LEAST_BAR = 12;
const DURATION_COLUMNS = 9;

/** The steps of an operation in the order in which they are read: each with its parts behind it. */
export function timelineRows(operation: ExplainedOperation): TimelineRow[] {
  const lengthMs = operation.durationMs;
  const rows: TimelineRow[] = [];
  const addPartsOf = (parent: number, depth: number): void => {
    let short = 0;
    let shortMs = 0;
    const parts = [
      ...operation.steps.flatMap((step, index) => (step.parent === parent ? [{ atMs: step.startedMs, step, index, words: '' }] : [])),
      ...operation.notes.flatMap(({ atMs, words, parent: of }) => (of === parent ? [{ atMs, step: undefined, index: -1, words }] : [])),
    ].toSorted((one, other) => one.atMs - other.atMs);
    for (const { atMs, step, index, words } of parts) {
      if (step === undefined) {
        rows.push({ kind: 'note', depth, words, startMs: atMs, endMs: atMs, state: 'ended' });
        continue;
      }
      const { name, detail, durationMs, error, isUnderWay } = step;
      if (error === undefined && !isUnderWay && durationMs < SHORT_MS && durationMs < lengthMs * SHORT_PART) {
        short += 1;
        shortMs += durationMs;
        continue;
      }
      const state = error !== undefined ? 'failed' : isUnderWay ? 'under way' : 'ended';
      rows.push({
        kind: 'step',
        depth,
        words: detail === '' ? name : `${name}: ${detail}`,
        startMs: atMs,
        endMs: atMs + durationMs,
        state,
      });
      addPartsOf(index, depth + 1);
    }
    if (short > 0) rows.push({ kind: 'rest', depth, words: `${short} shorter`, startMs: 0, endMs: shortMs, state: 'ended' });
  };
  addPartsOf(-1, 0);
  return rows;
}

/** An operation as lines: a heading, a line and a bar for each step, why it failed, what it waits for. */
export function timelineText(operation: ExplainedOperation, columns: Columns): string {
  const { pictures: width, words: wordsWidth } = columns;
  const lengthMs = operation.durationMs;
  const rows = timelineRows(operation);
  const longest = Math.max(0, ...rows.map(({ depth, words, kind }) => escaped(words).length + 2 * depth + (kind === 'note' ? 4 : 2)));
  const wordColumns = Math.max(16, Math.min(longest, width - DURATION_COLUMNS - LEAST_BAR - 5));
  const barColumns = Math.min(60, width - wordColumns - DURATION_COLUMNS - 5);
  const lines = rows.map((row) => {
    const words = cut(escaped(`  ${'  '.repeat(row.depth)}${row.kind === 'note' ? '* ' : ''}${row.words}`), wordColumns);
    const duration = row.kind === 'note' ? `at ${durationText(row.startMs)}` : durationText(row.endMs - row.startMs);
    const bar = row.kind === 'rest' || barColumns < LEAST_BAR ? '' : `  |${barOf(row, lengthMs, barColumns)}|`;
    return `${words.padEnd(wordColumns)} ${duration.padStart(DURATION_COLUMNS)}${bar}`.trimEnd();
  });
  return `${[headingOf(operation, width), ...lines, ...failureLines(operation, wordsWidth), ...waitLines(operation, wordsWidth)].join('\n')}\n`;
}

function headingOf({ what, startedAt, durationMs, isUnderWay, error, rpc, requestId }: ExplainedOperation, width: number): string {
  const end = isUnderWay ? 'under way for' : error === undefined ? 'took' : 'FAILED after';
  const asked = rpc === undefined ? '' : `  (${rpc}${requestId === undefined ? '' : ` ${requestId}`})`;
  return cut(escaped(`${startedAt}  ${what}  ${end} ${durationText(durationMs)}${asked}`), width);
}

/** The words of a failure, once: those of the operation are mostly those of the step that failed, with a heading. */
function failureLines({ error, steps }: ExplainedOperation, width: number): string[] {
  const all = [error, ...steps.map((step) => step.error)].filter((words) => words !== undefined);
  const told = all.filter(
    (words, index) => !all.some((other, at) => at !== index && other.includes(words) && (other.length > words.length || at < index)),
  );
  return told.flatMap((words) => wrapped(`! ${words}`, width));
}

function waitLines({ waits }: ExplainedOperation, width: number): string[] {
  return waits.flatMap(({ what, words }) => wrapped(`> ${what}${words === '' ? '' : `: ${words}`}`, width));
}

function barOf({ startMs, endMs, state, kind }: TimelineRow, lengthMs: number, columns: number): string {
  const at = (ms: number): number => (lengthMs <= 0 ? 0 : Math.round((Math.min(ms, lengthMs) / lengthMs) * columns));
  const begin = Math.min(at(startMs), columns - 1);
  const end = Math.max(at(endMs), begin + 1);
  const mark = kind === 'note' ? '*' : { ended: '=', failed: 'x', 'under way': '>' }[state];
  return `${' '.repeat(begin)}${mark.repeat(kind === 'note' ? 1 : end - begin)}`.padEnd(columns).slice(0, columns);
}

/** `3.2 ms`, `1.24 s`, `4 min 10 s`, `3 h 5 min` */
export function durationText(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  const minutes = Math.floor(Math.round(ms / 1000) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(ms / 1000) % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Words on lines of at most `width` columns, the first behind `indent`, the later ones behind four spaces. */
export function wrapped(words: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const given of escaped(words).split(' ')) {
    for (let word = given; ;) {
      const joined = line === '' ? word : line.trim() === '' ? `${line}${word}` : `${line} ${word}`;
      if (joined.length <= width) {
        line = joined;
        break;
      }
      if (line.trim() === '') {
        lines.push(joined.slice(0, width));
        word = joined.slice(width);
      } else lines.push(line);
      line = '    ';
    }
  }
  return [...lines, line].filter((each) => each.trim() !== '');
}

function cut(words: string, columns: number): string {
  return words.length <= columns ? words : `${words.slice(0, columns - 1)}~`;
}
