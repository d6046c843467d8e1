import { statSync } from 'node:fs';
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

/** Whether it is there and no cgroup is below it: each would be a link to it. */
export function hasNoneBelow(directory: string): boolean {
  // eslint-disable-next-line no-restricted-syntax -- the kernel has it at hand
  return statSync(directory, { throwIfNoEntry: false })?.nlink === 2;
}
