import { attachTree } from './mount-calls.ts';
import { AT_FDCWD, bindSyscall, check, close, O_RDONLY, open } from './libc.ts';

const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const AT_EMPTY_PATH = 0x1000;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_IDMAP = 0x0010_0000;
const MS_PRIVATE = 0x4_0000;
/** struct mount_attr: set, clear, propagation, descriptor of the user namespace; 8 bytes each. */
const ATTRIBUTES_BYTES = 32;

const openTree = bindSyscall<(dir: number, path: string, flags: number) => number>(428, ['int', 'const char *', 'uint']);
const mountSetattr = bindSyscall<(dir: number, path: string, flags: number, attributes: Buffer, size: number) => number>(442, [
  'int',
  'const char *',
  'uint',
  'void *',
  'size_t',
]);

/**
 * Shows a directory at `target` as well, read-only and with its owners as the user namespace has them: what is of user 0 there is of
 * the user that 0 of the namespace is on the node. mount_setattr(2), MOUNT_ATTR_IDMAP; Linux 5.12.
 * @throws EINVAL where this kernel, or the file system, cannot.
 */
export function mountIdMapped(source: string, target: string, userNamespace: string): void {
  const tree = check(openTree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), 'open_tree', source);
  try {
    const user = open(userNamespace, O_RDONLY);
    try {
      const attributes = Buffer.alloc(ATTRIBUTES_BYTES);
      attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY), 0);
      attributes.writeBigUInt64LE(BigInt(MS_PRIVATE), 16);
      attributes.writeBigUInt64LE(BigInt(user), 24);
      check(mountSetattr(tree, '', AT_EMPTY_PATH, attributes, attributes.length), 'mount_setattr MOUNT_ATTR_IDMAP', source);
    } finally {
      close(user);
    }
    attachTree(tree, target);
  } finally {
    close(tree);
  }
}
