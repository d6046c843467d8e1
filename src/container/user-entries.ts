import { messageOf, unlessMissing } from '../base/errors.ts';
import { readFileInRoot, statInRoot } from '../linux/files.ts';
import { replaceInRoot } from '../linux/replace-in-root.ts';
import type { ContainerSpecInput } from '../ocispec/input.ts';
import type { OciProcess, OciSpec } from '../ocispec/oci-types.ts';
import { hasGroupId } from '../ocispec/user-files.ts';
import { ownerOnNode, type Owner } from './stdio-owner.ts';

type Input = Pick<ContainerSpecInput, 'rootfsPath' | 'user' | 'userMapping' | 'warn'>;

/** As much as user.ts looks at. */
const FILE_LIMIT_BYTES = 2 * 1024 * 1024;
const NEWLINE = 0x0a;
const GROUP_OR_OTHERS_WRITE = 0o022;
const OWNER_WRITES = 0o200;

/**
 * Gives the user and the group of a container an entry in its /etc/passwd and /etc/group where the image has none: ssh, git, whoami
 * and programs in Java and Python stop at a user without a name. As CRI-O does: a file that the image does not have or leaves empty,
 * or that the user may write (its entry point adds the user by itself then), stays as it is; so does one with a mount over it;
 * supplemental groups get none. CRI-O binds its file over the image's; this one takes the image's place in the container's own root file
 * system, so that programs which rename a new file over it (useradd) work. One that cannot be written stays without, with a warning.
 */
export async function addUserEntries({ rootfsPath, user, userMapping, warn }: Input, spec: OciSpec): Promise<void> {
  const { process, mounts } = spec;
  const owner = ownerOnNode(user, userMapping);
  const add = async (name: string, entry: (content: Uint8Array) => Promise<string | undefined>): Promise<void> => {
    const path = `/etc/${name}`;
    if (mounts.some(({ destination }) => isAtOrAbove(destination, path))) return;
    await addLine(rootfsPath, name, owner, entry).catch((error: unknown) => {
      warn(`no entry for its user can be added to ${path}: ${messageOf(error)}`);
    });
  };
  if (user.home === undefined) await add('passwd', async () => Promise.resolve(passwdLine(process)));
  await add('group', async (content) => ((await hasGroupId(content, user.gid)) ? undefined : `${user.gid}:x:${user.gid}:`));
}

/** Appends what `entry` gives, if anything, to a file of /etc that is there and that `user` may not write. */
async function addLine(
  root: string,
  name: string,
  user: Owner,
  entry: (content: Uint8Array) => Promise<string | undefined>,
): Promise<void> {
  const path = `/etc/${name}`;
  const stats = await unlessMissing(statInRoot(root, path), undefined);
  if (stats === undefined || stats.size === 0) return;
  const userWrites = stats.uid === user.uid && (stats.mode & OWNER_WRITES) !== 0;
  if (userWrites || (stats.mode & GROUP_OR_OTHERS_WRITE) !== 0) return;
  const content = await readFileInRoot(root, path, FILE_LIMIT_BYTES);
  const line = await entry(content);
  if (line === undefined) return;
  const whole = Buffer.concat([content, Buffer.from(`${content.at(-1) === NEWLINE ? '' : '\n'}${line}\n`)]);
  await replaceInRoot(root, { directory: '/etc', name }, { content: whole, mode: stats.mode & 0o777 }, stats);
}

/** passwd(5). The home is `HOME`, else the working directory, whichever can stand in a field. */
function passwdLine({ user: { uid, gid }, env, cwd }: OciProcess): string {
  const home = env.find((entry) => entry.startsWith('HOME='))?.slice('HOME='.length) ?? '';
  const usable = [home, cwd].find((path) => path !== '' && !/[:\r\n]/.test(path)) ?? '/';
  return `${uid}:x:${uid}:${gid}:${uid} user:${usable}:/sbin/nologin`;
}

function isAtOrAbove(destination: string, path: string): boolean {
  return path === destination || path.startsWith(`${destination.replace(/\/+$/, '')}/`);
}
