import type { Readable, Writable } from 'node:stream';
import { escaped } from '../base/escaped.ts';

/** What a command reads and prints on. */
export interface CliIo {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };
  /** With its size in characters where it is a terminal. */
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  readonly stderr: Writable;
}

/** How wide what is printed may be; undefined where it is not for a terminal. */
export function widthOf({ stdout }: CliIo): number | undefined {
  return stdout.isTTY === true ? stdout.columns : undefined;
}

/** Rows in columns that are as wide as their widest cell. */
export function table(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(escaped));
  const widths: number[] = [];
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** `1.5 MiB` */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** JSON that a terminal may be shown: what would steer it is escaped, also that which JSON itself lets through (U+007F to U+009F). */
export function jsonText(value: unknown): string {
  return shownLines(JSON.stringify(value, undefined, 2));
}

/** The same in one line. */
export function jsonLine(value: unknown): string {
  return shownLines(JSON.stringify(value));
}

/** Words of programs and other people, with their lines. */
export function shownLines(text: string): string {
  return `${text.split('\n').map(escaped).join('\n')}\n`;
}

/** Writes, and resolves when there is room for more. @throws where nobody reads it any more */
export async function written(stream: Writable, data: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject); // stays on failure: the event comes after the callback
    stream.write(data, (error) => {
      if (error !== null && error !== undefined) {
        reject(error);
        return;
      }
      stream.off('error', reject);
      resolve();
    });
  });
}
