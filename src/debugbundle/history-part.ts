import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import { DiskLayout } from '../config/disk-layout.ts';
import type { Part } from './part.ts';
import { readEnd } from './read-end.ts';

/** Of each of the two files of the history, bytes. */
const FILE_BYTES = 1024 * 1024;

/** What was done last, as `podwright explain` reads it: a line of JSON for each operation, the newest last. */
export const historyPart: Part = {
  file: 'history.jsonl',
  what: 'what was done last, by step; without the words of commands in containers',
  limitMs: 8_000,
  keepsEnd: true,
  isLate: true,
  read: async ({ config }) => {
    const directory = new DiskLayout(config).history;
    const names = await unlessMissing(readdir(directory), []);
    const files: { path: string; at: number }[] = [];
    for (const name of names) files.push({ path: join(directory, name), at: (await stat(join(directory, name))).mtimeMs });
    files.sort((one, other) => one.at - other.at);
    const lines: string[] = [];
    for (const { path } of files) lines.push(...(await readEnd(path, FILE_BYTES)).split('\n'));
    return lines.flatMap(tellable).join('');
  },
};

/** A line that can be shown; none for the first, of which the beginning is missing. What an exec says may repeat its arguments. */
function tellable(line: string): string[] {
  try {
    const operation: unknown = JSON.parse(line);
    if (!isObject(operation)) return [];
    if (operation['what'] !== 'exec') return [`${line}\n`];
    const { error, notes: _notes, steps: _steps, facts: _facts, ...rest } = operation;
    return [`${JSON.stringify(error === undefined ? rest : { ...rest, error: '(left out)' })}\n`];
  } catch {
    return [];
  }
}
