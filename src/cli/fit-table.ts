import { escaped } from '../base/escaped.ts';

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
  /** May be cut to this width where the line has no room; which part of the text stays. */
  readonly cut?: { readonly least: number; readonly keep: 'start' | 'ends' | 'end' };
}

const WIDE_GAP = 2;
const NARROW_GAP = 1;
/** Stands for what was cut out. ASCII: consoles without UTF-8 show it too. */
const CUT = '~';

/** The lines of a table with its titles, none wider than `width` as far as the columns may be cut; undefined: nothing is cut. */
export function fitTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number | undefined): string[] {
  const texts = [columns.map(({ title }) => title), ...rows.map((row) => row.map(escaped))];
  const natural = columns.map((_, index) => Math.max(...texts.map((row) => row[index]?.length ?? 0)));
  const room = (gap: number): number => (width ?? Infinity) - gap * (columns.length - 1);
  const gap = total(natural) <= room(WIDE_GAP) ? WIDE_GAP : NARROW_GAP;
  const widths = fitted(columns, natural, room(gap));
  return texts.map((row) => columns.map((column, index) => cell(column, row[index] ?? '', widths[index] ?? 0)).join(' '.repeat(gap)).trimEnd()); // prettier-ignore
}

/** Takes a character at a time from what is widest of what may be cut. */
function fitted(columns: readonly Column[], natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  for (let over = total(widths) - room; over > 0; over -= 1) {
    let widest = -1;
    for (const [index, { cut }] of columns.entries()) {
      const own = widths[index] ?? 0;
      if (cut !== undefined && own > cut.least && (widest < 0 || own > (widths[widest] ?? 0))) widest = index;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, each) => sum + each, 0);
}

function cell({ right, cut }: Column, text: string, width: number): string {
  const fits = cutText(text, width, cut?.keep ?? 'start');
  return right === true ? fits.padStart(width) : fits.padEnd(width);
}

export function cutText(text: string, width: number, keep: 'start' | 'ends' | 'end'): string {
  if (text.length <= width) return text;
  const room = Math.max(0, width - CUT.length);
  // Names that Kubernetes makes differ at their ends.
  const end = keep === 'start' ? 0 : keep === 'end' ? room : Math.min(Math.ceil(room / 2), 12);
  return `${text.slice(0, room - end)}${CUT}${end === 0 ? '' : text.slice(-end)}`;
}
