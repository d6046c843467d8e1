/** The rows as bars in one SVG that needs nothing but itself. */
import { rowsOf } from './report.ts';
import type { Column } from './report.ts';
import type { Times } from './times.ts';

const WIDTH = 900;
const LABEL = 330;
const BAR = 9;
const GAP = 10;
const HEAD = 40;
const COLOURS = ['#2166ac', '#d6604d', '#f4a582', '#878787', '#5aae61', '#9970ab'];
const FLOOR_COLOUR = '#000000';

/** Each row has a scale of its own: the longest bar is its largest value. The floor is a line across the bars. */
export function plot(runtimes: readonly Column[], floor: Times | undefined): string {
  const rows = rowsOf(runtimes, floor);
  const heightOfRow = BAR * runtimes.length + GAP;
  const height = HEAD + rows.length * heightOfRow + GAP;
  const most = WIDTH - LABEL - 70;
  const legend = runtimes.map(
    ({ name }, index) =>
      `<rect x="${10 + index * 140}" y="10" width="10" height="10" fill="${colourOf(index)}"/>` +
      `<text x="${24 + index * 140}" y="19">${escape(name)}</text>`,
  );
  if (floor !== undefined) {
    const x = 10 + runtimes.length * 140;
    legend.push(`<rect x="${x}" y="8" width="2" height="14" fill="${FLOOR_COLOUR}"/><text x="${x + 8}" y="19">the parts alone</text>`);
  }
  const bars = rows.map(({ what, medians }, row) => {
    const top = HEAD + row * heightOfRow;
    const largest = Math.max(...medians.filter((value) => !Number.isNaN(value)));
    const length = (value: number): number => (largest === 0 ? 0 : (most * value) / largest);
    const own = runtimes.map((_, index) => {
      const value = medians[index] ?? Number.NaN;
      if (Number.isNaN(value)) return '';
      const y = top + index * BAR;
      return (
        `<rect x="${LABEL}" y="${y}" width="${length(value).toFixed(1)}" height="${BAR - 1}" fill="${colourOf(index)}"/>` +
        `<text class="n" x="${(LABEL + length(value) + 4).toFixed(1)}" y="${y + BAR - 1}">${value.toPrecision(3)}</text>`
      );
    });
    const least = medians[runtimes.length] ?? Number.NaN;
    const mark = Number.isNaN(least)
      ? ''
      : `<rect x="${(LABEL + length(least)).toFixed(1)}" y="${top - 2}" width="2" height="${BAR * runtimes.length + 3}" fill="${FLOOR_COLOUR}"/>`;
    return `<text x="10" y="${top + (BAR * runtimes.length) / 2 + 4}">${escape(what)}</text>${own.join('')}${mark}`;
  });
  const style = 'text{font:11px sans-serif;fill:#222}.n{font-size:9px}';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    `<style>${style}</style><rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...legend,
    ...bars,
    '</svg>\n',
  ].join('\n');
}

const colourOf = (index: number): string => COLOURS[index % COLOURS.length] ?? FLOOR_COLOUR;
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
