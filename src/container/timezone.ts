import { readFile, realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import { pathInRoot } from '../linux/files.ts';
import { makeDirectoryInRoot } from '../linux/make-in-root.ts';
import { replaceInRoot } from '../linux/replace-in-root.ts';
import { ownerOnNode } from './stdio-owner.ts';
import type { ContainerSpecInput } from '../ocispec/input.ts';

/** Where zones lie, on the node as in an image that has them. */
const ZONES = '/usr/share/zoneinfo';

/**
 * Makes /etc/localtime of a container that of the zone which the node's owner has chosen, localtime(5): a link to the image's own
 * file of that zone, so that programs learn its name too, or a copy of the node's where the image has none. Without a choice
 * the image's stays.
 * @throws FailedPrecondition where it cannot be made.
 */
export async function setTimezone({
  rootfsPath,
  settings,
  userMapping,
}: Pick<ContainerSpecInput, 'rootfsPath' | 'settings' | 'userMapping'>): Promise<void> {
  const { timezone } = settings;
  if (timezone === '') return;
  const owner = ownerOnNode({ uid: 0, gid: 0 }, userMapping);
  try {
    const zone = timezone === 'local' ? await realpath('/etc/localtime') : posix.join(ZONES, timezone);
    await makeDirectoryInRoot(rootfsPath, '/etc', { ...owner, mode: 0o755 });
    const replacement = isInRoot(rootfsPath, zone) ? { target: `..${zone}` } : { content: await readFile(zone) };
    await replaceInRoot(rootfsPath, { directory: '/etc', name: 'localtime' }, replacement, owner);
  } catch (error) {
    throw new DaemonError('FailedPrecondition', `create container: its time zone cannot be set to ${timezone}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function isInRoot(root: string, path: string): boolean {
  try {
    pathInRoot(root, path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return false;
    throw error;
  }
}
