import type { ContainerConfig, Mount } from '../../api/cri/runtime.ts';
import { DaemonError, fail } from '../base/errors.ts';
import { run } from '../linux/spawn.ts';
import type { ResolvedMount } from '../spec/input.ts';

/** Most the look at a volume's source may take, milliseconds: a source on a dead server must not hold its container for ever. */
const RESOLVE_TIMEOUT_MS = 30_000;

/**
 * Finds the source of every host path mount: symlinks followed, missing directories made. It is done in a process of its
 * own, because a source may lie on a file system that hangs: then only this container waits.
 * @throws InvalidArgument for a bad request, Unimplemented for an image volume, DeadlineExceeded where a source does not answer.
 */
export async function resolveVolumes(config: ContainerConfig, work: AbortSignal): Promise<ResolvedMount[]> {
  const { mounts } = config;
  for (const mount of mounts) checkMount(mount);
  if (mounts.length === 0) return [];
  const paths = mounts.map((mount) => mount.hostPath);
  const sources = (await realPaths(paths, work)) ?? (await makeAndResolve(paths, work));
  return mounts.map((request, index) => ({ request, source: sources[index] ?? request.hostPath }));
}

function checkMount(mount: Mount): void {
  if (mount.containerPath === '') fail('InvalidArgument', `create container: the mount of ${mount.hostPath} has no container_path, must have one`);
  if (mount.image !== undefined && mount.image.image !== '') refuseImageVolume(mount, mount.image.image);
  if (!mount.hostPath.startsWith('/')) {
    fail('InvalidArgument', `create container: the mount at ${mount.containerPath} has host_path "${mount.hostPath}", must be absolute`);
  }
  if (mount.hostPath.includes('\0') || mount.containerPath.includes('\0')) fail('InvalidArgument', 'create container: a mount path contains a zero byte');
}

/** A container must not run without data that it asked for. The kubelet knows the first word (cri-api, pkg/errors). */
function refuseImageVolume({ containerPath, readonly }: Mount, image: string): never {
  if (!readonly) fail('InvalidArgument', `create container: the mount of image ${image} at ${containerPath} is not readonly, must be readonly`);
  fail('Unimplemented', `ImageVolumeMountFailed: create container: the mount at ${containerPath} is of image ${image}, and image volumes are not supported by this version`);
}

/** All paths with their symlinks followed; undefined where one does not exist. */
async function realPaths(paths: readonly string[], work: AbortSignal): Promise<string[] | undefined> {
  const result = await inProcess('realpath', ['-e', '-z', '--', ...paths], work);
  if (result.exit.code !== 0) return undefined;
  return result.stdout.toString().split('\0').slice(0, paths.length);
}

/** As the peers do: a missing source becomes a directory, and then it is looked at again. */
async function makeAndResolve(paths: readonly string[], work: AbortSignal): Promise<string[]> {
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
    throw new DaemonError('DeadlineExceeded', `create container: a volume's source does not answer (${args.at(-1) ?? ''} or one before it): ${error.message}`, {
      cause: error,
    });
  }
}
