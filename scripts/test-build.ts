/** The build that tests run: with the marks at which the crash tests kill the daemon. It starts in two thirds of the time that src/ needs. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { bundle } from './build.ts';

/** Below node_modules, where the bundle finds koffi. */
const DIRECTORY = join(import.meta.dirname, '../node_modules/.cache/test-build');

const KEPT_MS = 60 * 60 * 1000;

/**
 * Builds src/ and has the daemons of this process and its children run that (bin/podwright reads PODWRIGHT_DIST). Files are
 * replaced as a whole: another run of tests may be starting its daemons from them.
 */
export async function useTestBuild(): Promise<void> {
  const fresh = `${DIRECTORY}.${randomBytes(4).toString('hex')}`;
  await bundle(fresh, { hasStages: true });
  await mkdir(DIRECTORY, { recursive: true });
  // Sorted: client.js comes behind its parts, whose names change with what is in them.
  const names = (await readdir(fresh)).sort();
  for (const name of names) await rename(join(fresh, name), join(DIRECTORY, name));
  await remove(fresh);
  for (const name of await readdir(DIRECTORY)) if (!names.includes(name)) await removeOld(join(DIRECTORY, name));
  process.env['PODWRIGHT_DIST'] = DIRECTORY;
}

/** What another run may still be reading stays for a while. */
async function removeOld(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined); // that other run may have removed it
  if (found !== undefined && Date.now() - found.mtimeMs > KEPT_MS) await remove(path);
}
