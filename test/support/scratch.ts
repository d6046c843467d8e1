import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ensureDir, remove } from 'fs-extra/esm';
import { unmountAllBelow } from '../../src/linux/mounts.ts';

/** A directory for one test; at its end everything mounted below it is unmounted and it is removed. */
export async function scratchDirectory(t: TestContext, name = 'podwright-test'): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `${name}-`));
  const end = async (): Promise<void> => {
    await unmountAllBelow(directory);
    await remove(directory);
  };
  t.after(async () => {
    // node runs no hook behind one that throws, and hooks run in the order of their calls: what still writes here is ended by a
    // later one, and where that is left out it keeps the process of the file.
    await end().catch(() => {
      t.after(end);
    });
  });
  return directory;
}

/** Writes files as the kernel shows them, a line end behind each; the directory is made. */
export async function writeKernelFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  await ensureDir(directory);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), `${text}\n`);
}
