import { join } from 'node:path';
import { execa } from 'execa';
import { findProgram } from './find-program.ts';

/** CRIU as the tests find it, and why it cannot be used here; false where it can. */
export interface FoundCriu {
  readonly path: string;
  readonly skip: string | false;
}

/** Where scripts/fetch-criu.sh puts one that is newer than the node's. */
const FETCHED = join(process.env['PODWRIGHT_TOOLS_CACHE'] ?? '/var/cache/podwright-tools', 'criu-trixie/criu');

/** PODWRIGHT_TEST_CRIU, else the one in PATH or the fetched one, where it says itself that it can work on this kernel. */
export async function findCriu(): Promise<FoundCriu> {
  const given = process.env['PODWRIGHT_TEST_CRIU'];
  const candidates = given === undefined ? [undefined, FETCHED] : [given];
  let skip = 'there is no criu here: $PODWRIGHT_TEST_CRIU names none, scripts/fetch-criu.sh has fetched none';
  for (const candidate of candidates) {
    const path = await findProgram('criu', candidate);
    if (path === undefined) continue;
    const { exitCode, stderr } = await execa(path, ['check'], { reject: false });
    if (exitCode === 0) return { path, skip: false };
    skip = `${path} check says: ${stderr.split('\n')[0] ?? ''}`;
  }
  return { path: 'criu', skip };
}
