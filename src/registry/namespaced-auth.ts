import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor, withTimeout } from '../base/deadline.ts';
import { hasErrno, unlessMissing } from '../base/errors.ts';
import { readAuthFile } from './read-auth-file.ts';
import type { AuthFileText } from './read-auth-file.ts';

const TIMEOUT_MS = 5000;
/** Where a file lies from the moment in which a pull takes it, so that nothing else does. */
const IN_USE = 'in-use';

export interface NamespacedAuthFile extends AuthFileText {
  readonly path: string;
}

/**
 * Takes the auth file that was written for one pull of a repository for a namespace, as CRI-O's credential provider writes it:
 * `NAMESPACE-SHA256_OF_THE_REPOSITORY.json`. Who takes it has it alone; it is removed when it is read. Undefined where there is none.
 * @param repository `docker.io/library/busybox`
 */
export async function takeNamespacedAuthFile(
  directory: string,
  namespace: string,
  repository: string,
  signal: AbortSignal,
): Promise<NamespacedAuthFile | undefined> {
  const name = `${namespace}-${createHash('sha256').update(repository).digest('hex')}`;
  const path = join(directory, `${name}.json`);
  const taken = join(directory, IN_USE, `${name}-${randomUUID()}.json`);
  const deadline = withTimeout(signal, TIMEOUT_MS, 'take');
  try {
    if (!(await waitFor(take(path, taken), deadline.signal))) return undefined;
    const read = await readAuthFile(taken, deadline.signal);
    return read === undefined ? undefined : { ...read, path };
  } finally {
    deadline.clear();
    // Not waited for where it hangs: clearing at the start of the daemon finds it.
    await waitFor(rm(taken, { force: true, recursive: true }), AbortSignal.timeout(TIMEOUT_MS));
  }
}

async function take(path: string, taken: string): Promise<boolean> {
  try {
    await rename(path, taken);
    return true;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
  // Either there is no file, or no place for it yet.
  await unlessMissing(mkdir(join(taken, '..'), { mode: 0o700 }), undefined).catch((error: unknown) => {
    if (!hasErrno(error, 'EEXIST', 'ENOTDIR')) throw error;
  });
  return await rename(path, taken).then(
    () => true,
    (error: unknown) => {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    },
  );
}

/** Removes what a daemon that was killed had taken. Only for before the first pull. */
export async function clearTakenAuthFiles(directory: string): Promise<void> {
  const names = await unlessMissing(readdir(join(directory, IN_USE)), []);
  for (const name of names) await rm(join(directory, IN_USE, name), { force: true, recursive: true });
}
