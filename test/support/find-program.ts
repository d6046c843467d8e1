import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The path of a program: `given` where it is set and can be run, else the first of PATH; undefined where there is none. */
export async function findProgram(name: string, given?: string): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const path of given === undefined || given === '' ? folders.map((folder) => join(folder, name)) : [given]) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // The next one.
    }
  }
  return undefined;
}
