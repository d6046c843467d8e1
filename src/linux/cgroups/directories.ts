import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../../base/errors.ts';

export async function isDirectory(path: string): Promise<boolean> {
  return (await unlessMissing(readdir(path), undefined)) !== undefined;
}

/** The directory and all below it, parents first; none when it is gone. */
export async function treeOf(directory: string): Promise<string[]> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), undefined);
  if (entries === undefined) return [];
  const children = entries.filter((entry) => entry.isDirectory());
  return [directory, ...(await Promise.all(children.map(async ({ name }) => treeOf(join(directory, name))))).flat()];
}
