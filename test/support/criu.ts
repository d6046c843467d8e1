import { execa } from 'execa';
import { findProgram } from './find-program.ts';

/** CRIU as the tests find it, and why it cannot be used here; false where it can. */
export interface FoundCriu {
  readonly path: string;
  readonly skip: string | false;
}

/** PODWRIGHT_TEST_CRIU, or the one in PATH, where it says itself that it can work on this kernel. */
export async function findCriu(): Promise<FoundCriu> {
  const path = await findProgram('criu', process.env['PODWRIGHT_TEST_CRIU']);
  if (path === undefined) return { path: 'criu', skip: 'there is no criu here; PODWRIGHT_TEST_CRIU may name one' };
  const { exitCode, stderr } = await execa(path, ['check'], { reject: false });
  return { path, skip: exitCode === 0 ? false : `criu check says: ${stderr.split('\n')[0] ?? ''}` };
}
