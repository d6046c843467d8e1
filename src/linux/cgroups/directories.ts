import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../base/deadline.ts';
import { hasErrno, unlessMissing } from '../../base/errors.ts';

/** How long the kernel may take to let a cgroup's last process go after its end, milliseconds. */
const REMOVE_WAIT_MS = 1000;
const RETRY_EVERY_MS = 20;

export async function isDirectory(path: string): Promise<boolean> {
  return (await unlessMissing(readdir(path), undefined)) !== undefined;
}

/** The names of the directories in one; none when it is gone. */
export async function childrenOf(directory: string): Promise<string[]> {
  return (await subdirectories(directory)) ?? [];
}

/** The directory and all below it, parents first; none when it is gone. */
export async function treeOf(directory: string): Promise<string[]> {
  const children = await subdirectories(directory);
  if (children === undefined) return [];
  return [directory, ...(await Promise.all(children.map(async (name) => treeOf(join(directory, name))))).flat()];
}

async function subdirectories(directory: string): Promise<string[] | undefined> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), undefined);
  return entries?.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

export async function processesIn(directory: string): Promise<number[]> {
  try {
    const text = await readFile(join(directory, 'cgroup.procs'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } catch (error) {
    // ENODEV: removed while open. EOPNOTSUPP: a threaded cgroup, whose processes its parent lists.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}

/** One that is there already is fine. */
export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o755 }).catch((error: unknown) => {
    if (!hasErrno(error, 'EEXIST')) throw error;
  });
}

export async function removeDirectory(directory: string): Promise<void> {
  const giveUpAt = performance.now() + REMOVE_WAIT_MS;
  for (;;) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      if (!hasErrno(error, 'EBUSY') || performance.now() > giveUpAt) throw error;
    }
    await sleep(RETRY_EVERY_MS);
  }
}

/** @returns false when the file is not there. */
export async function tryWrite(file: string, text: string): Promise<boolean> {
  try {
    // r+, as the default would try to create it.
    await writeFile(file, text, { flag: 'r+' });
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}
