import { join, relative } from 'node:path';
import { hasErrno } from '../base/errors.ts';
import { pathInRoot } from '../linux/files.ts';
import type { OciMount } from '../ocispec/oci-types.ts';

/**
 * The VOLUMEs of an image as mounts of their own: each is its own directory of the container's root file system, bound at its
 * place. What the image has there is there, with its owners, modes and times; what is written comes into the writable layer, is
 * counted with it and goes with it; and a read-only root file system does not reach it. One whose directory could not be made is
 * left out.
 */
export function bindImageVolumes(rootfsPath: string, paths: readonly string[]): OciMount[] {
  const root = pathInRoot(rootfsPath, '.');
  const mounts = new Map<string, OciMount>();
  for (const path of paths) {
    const source = placeOf(rootfsPath, path);
    if (source === undefined || source === root) continue;
    const destination = join('/', relative(root, source));
    mounts.set(destination, { destination, type: 'bind', source, options: ['bind', 'rprivate', 'rw'] });
  }
  return [...mounts.values()];
}

function placeOf(rootfsPath: string, path: string): string | undefined {
  try {
    // With the dot it must be a directory.
    return pathInRoot(rootfsPath, `${path}/.`);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

/** Whether a mount of a container is such a volume. */
export function isImageVolumeBind(
  rootfsPath: string,
  { destination, source }: { readonly destination: string; readonly source?: string | undefined },
): boolean {
  return source === join(rootfsPath, destination);
}
