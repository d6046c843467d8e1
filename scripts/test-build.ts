/** The build that tests run: with the marks at which the crash tests kill the daemon. It starts in two thirds of the time that src/ needs. */
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { remove } from 'fs-extra/esm';
import { bundle } from './build.ts';

/** Below node_modules, where the bundle finds koffi. */
const DIRECTORY = join(import.meta.dirname, '../node_modules/.cache/test-build');

/**
 * Builds src/ and has the daemons of this process and its children run that (bin/podwright reads PODWRIGHT_DIST). Files are
 * replaced as a whole: another run of tests may be starting its daemons from them.
 */
export async function useTestBuild(): Promise<void> {
  const fresh = `${DIRECTORY}.${process.pid}`;
  await bundle(fresh, true);
  await mkdir(DIRECTORY, { recursive: true });
  for (const name of await readdir(fresh)) await rename(join(fresh, name), join(DIRECTORY, name));
  await remove(fresh);
  process.env['PODWRIGHT_DIST'] = DIRECTORY;
}
