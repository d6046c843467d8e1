import { setImmediate as nextTurn } from 'node:timers/promises';
import { DaemonError, messageOf } from '../base/errors.ts';
import { makeDirectoryInRoot } from '../linux/make-in-root.ts';
import type { ContainerSpecInput } from '../ocispec/input.ts';
import { ownerOnNode } from './stdio-owner.ts';

type Input = Pick<ContainerSpecInput, 'rootfsPath' | 'plan' | 'imageConfig' | 'user' | 'userMapping' | 'warn'>;

/** How many volumes are made before the event loop gets a turn. */
const VOLUMES_BETWEEN_TURNS = 8;

/**
 * Makes the directories that an image names and may lack: each of its VOLUMEs, owned by the container's user, and the working
 * directory. No link of the image leads out of its root file system. (CRI-O's image_volumes = "mkdir"; the runtime would make
 * the working directory too, but not where a link leads to nothing.) A volume that cannot be made is left out.
 * @throws FailedPrecondition where the working directory cannot be made.
 */
export async function makeImageDirectories(
  { rootfsPath, plan, imageConfig, user, userMapping, warn }: Input,
  volumes: readonly string[] = Object.keys(imageConfig.Volumes ?? {}),
): Promise<void> {
  const owner = { ...ownerOnNode(user, userMapping), mode: 0o755 };
  const failed: string[] = [];
  for (const [index, path] of volumes.entries()) {
    if (index % VOLUMES_BETWEEN_TURNS === VOLUMES_BETWEEN_TURNS - 1) await nextTurn();
    await makeDirectoryInRoot(rootfsPath, path, owner).catch((error: unknown) => {
      failed.push(`${JSON.stringify(path.slice(0, 200))}: ${messageOf(error)}`);
    });
  }
  if (failed[0] !== undefined) warn(`${failed.length} of the image's VOLUMEs cannot be made, the first is ${failed[0]}`);
  const directory = plan.workingDirectory;
  try {
    await makeDirectoryInRoot(rootfsPath, directory, { ...ownerOnNode({ uid: 0, gid: 0 }, userMapping), mode: 0o755 });
  } catch (error) {
    const words = `create container: the working directory ${JSON.stringify(directory)} cannot be made in the image: ${messageOf(error)}`;
    throw new DaemonError('FailedPrecondition', words, { cause: error });
  }
}
