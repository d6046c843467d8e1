import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { onThread } from '../linux/kernel-threads.ts';

/** Permission to go through a directory for those who are neither its owner nor in its group. */
const OTHERS_X = 0o001;

/**
 * What this node lacks for pods with user namespaces, in words; undefined where it lacks nothing. Whether kernel and file system can is
 * seen by doing it once: kernels with the calls have file systems without.
 * @param probeDirectory a directory to be made for it, on the file system of the writable layers.
 */
export async function nodeLacksForUserNamespaces(runDir: string, probeDirectory: string): Promise<string | undefined> {
  const closed = await closedDirectory(runDir);
  if (closed !== undefined)
    return `root of such a pod cannot reach its root file system below ${runDir}: ${closed} must let all users through (chmod o+x)`;
  try {
    await onThread('tryIdMappedOverlay', { directory: probeDirectory });
    return undefined;
  } catch (error) {
    return `this kernel, or the file system of ${dirname(probeDirectory)}, cannot mount image layers with the owners of one: ${messageOf(error)}`;
  }
}

/** The first directory on the way to `path` that other users cannot go through. */
async function closedDirectory(path: string): Promise<string | undefined> {
  const above = dirname(path);
  const closed = above === path ? undefined : await closedDirectory(above);
  if (closed !== undefined) return closed;
  return ((await stat(path)).mode & OTHERS_X) === 0 ? path : undefined;
}
