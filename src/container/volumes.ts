import { posix } from 'node:path';
import type { Mount } from '../../api/cri/runtime.ts';
import { DaemonError, fail, hasErrno } from '../base/errors.ts';
import { pathInRoot } from '../linux/files.ts';
import { run } from '../linux/spawn.ts';
import type { PlannedMount, ResolvedMount } from '../ocispec/input.ts';
import { isImageVolume } from '../ocispec/mounts.ts';

/** Most the look at a volume's source may take, milliseconds: a source on a dead server must not hold its container for ever. */
const RESOLVE_TIMEOUT_MS = 30_000;

/**
 * Finds the source of every host path mount: symlinks followed, missing directories made. It is done in a process of its
 * own, because a source may lie on a file system that hangs: then only this container waits.
 * @throws InvalidArgument for a source that cannot be used, DeadlineExceeded where a source does not answer.
 */
export async function resolveVolumes(
  planned: readonly PlannedMount[],
  work: AbortSignal,
  neverMade: readonly string[] = [],
): Promise<ResolvedMount[]> {
  const mounts = planned.filter(({ request }) => !isImageVolume(request));
  if (mounts.length === 0) return [];
  const paths = mounts.map(({ request }) => request.hostPath);
  const sources = (await realPaths(paths, work)) ?? (await makeAndResolve(paths, work, neverMade));
  return mounts.map((mount, index) => ({
    ...mount,
    source: sources[index] ?? fail('Internal', `create container: no source was found for ${mount.request.hostPath}`),
  }));
}

/**
 * The part of its mounted image that each image mount asks for: all of it, or a sub path, which is found as if the image were
 * the root.
 * @throws InvalidArgument for a sub path that is not there; the kubelet knows the first word (cri-api, pkg/errors).
 */
export function resolveImageVolumes(planned: readonly PlannedMount[], directories: readonly string[]): ResolvedMount[] {
  const mounts = planned.filter(({ request }) => isImageVolume(request));
  return mounts.map((mount, index) => ({ ...mount, source: sourceInImage(directories[index] ?? '', mount.request) }));
}

function sourceInImage(directory: string, { containerPath, image, imageSubPath }: Mount): string {
  if (imageSubPath === '') return directory;
  try {
    return pathInRoot(directory, imageSubPath);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    return fail(
      'InvalidArgument',
      `ImageVolumeMountFailed: create container: the mount at ${containerPath} has image_sub_path "${imageSubPath}", which image ${image?.image ?? ''} does not have`,
    );
  }
}

/**
 * All paths with their symlinks followed; undefined where one does not exist.
 * @throws Internal where the answer is not one absolute path for each: the runtime would take anything else as one in its own
 * working directory, the bundle.
 */
async function realPaths(paths: readonly string[], work: AbortSignal): Promise<string[] | undefined> {
  const result = await inProcess('realpath', ['-e', '-z', '--', ...paths], work);
  if (result.exit.code !== 0) return undefined;
  const answers = result.stdout.toString().split('\0');
  if (answers.pop() !== '' || answers.length !== paths.length || !answers.every((path) => path.startsWith('/')))
    fail(
      'Internal',
      `create container: realpath gave ${answers.length} paths for the sources of ${paths.length} volumes, must give an absolute one for each`,
    );
  return answers;
}

/** A missing source becomes a directory, as on CRI-O and containerd, and is then looked at again. */
async function makeAndResolve(paths: readonly string[], work: AbortSignal, neverMade: readonly string[]): Promise<string[]> {
  const kept = paths.filter((path) => neverMade.includes(posix.normalize(path).replace(/(.)\/$/, '$1')));
  if (kept.length > 0 && (await realPaths(kept, work)) === undefined)
    fail(
      'InvalidArgument',
      `create container: a volume's source cannot be used: of ${kept.join(', ')} one is not on this node, and absent_mount_sources_to_reject says that it is not made`,
    );
  const script = 'for path; do [ -e "$path" ] || mkdir -p -- "$path" || exit 1; done';
  const made = await inProcess('sh', ['-c', script, 'sh', ...paths], work);
  const resolved = made.exit.code === 0 ? await realPaths(paths, work) : undefined;
  if (resolved !== undefined) return resolved;
  throw new DaemonError('InvalidArgument', `create container: a volume's source cannot be used: ${made.stderr.toString().trim()}`);
}

async function inProcess(program: string, args: readonly string[], work: AbortSignal): ReturnType<typeof run> {
  try {
    return await run(program, { args, timeoutMs: RESOLVE_TIMEOUT_MS, signal: work });
  } catch (error) {
    if (!(error instanceof DaemonError) || error.kind !== 'DeadlineExceeded') throw error;
    throw new DaemonError(
      'DeadlineExceeded',
      `create container: a volume's source does not answer (${args.at(-1) ?? ''} or one before it): ${error.message}`,
      {
        cause: error,
      },
    );
  }
}
