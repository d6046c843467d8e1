import { hasErrno } from '../base/errors.ts';
import { setAttribute, showBytes } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';

/** xattr(7), Extended attribute namespaces. The kernel takes no others. */
const NAMESPACES = ['user.', 'trusted.', 'security.', 'system.'];

/**
 * Sets the extended attributes of one entry by `set`. Left out are those that mean nothing here, and those that would be orders
 * to overlayfs. (`user.overlay.*` is no order: only mounts with the option userxattr read it, and we make none.) `leftOut` is
 * told of attributes that no file can have.
 */
export function setEntryAttributes(
  attributes: ReadonlyMap<ByteString, Buffer>,
  set: (name: ByteString, value: Buffer) => void,
  leftOut: (why: string) => void,
): void {
  for (const [name, value] of attributes) {
    // Labels of the builder's SELinux policy mean nothing on this node.
    if (name.startsWith('trusted.overlay.') || name === 'security.selinux') continue;
    if (!NAMESPACES.some((namespace) => name.startsWith(namespace))) {
      leftOut(`the extended attribute '${showBytes(name)}', which is in none of the namespaces ${NAMESPACES.join(' ')}`);
      continue;
    }
    try {
      set(name, value);
    } catch (error) {
      // Losing security.* would change what a program may do. user.* is for files and directories only.
      if (name.startsWith('security.') || !hasErrno(error, 'ENOTSUP', 'EPERM')) throw error;
      if (!name.startsWith('user.')) leftOut(`the extended attribute '${showBytes(name)}', which the file system does not take`);
    }
  }
}

/** Makes an open directory hide what the layers below have in it. */
export function hideBelow(directory: number): void {
  setAttribute(directory, 'trusted.overlay.opaque', Buffer.from('y'));
}
