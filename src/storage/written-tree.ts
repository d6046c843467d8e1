import { openFileAt, readLinkAt } from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import { statusAt } from '../linux/directory-calls.ts';
import type { FileStatus } from '../linux/directory-calls.ts';
import { close } from '../linux/libc.ts';
import { EMPTY_SUM, entryDigest, isKind, pathDigestOf, plus, S_IFLNK, S_IFREG } from './tree-sum.ts';
import type { EntryContent, TreeSum } from './tree-sum.ts';

/** Files whose content is remembered for further names of theirs. */
const MOST_REMEMBERED = 50_000;
/** Names in a path that cost about as much as opening it. */
const DEEP_NAMES = 64;

/**
 * The sum of a layer's tree, added up while the tree is written: what a walk through it would find, without that. Not known any
 * more when an entry took the place of another.
 */
export class WrittenTree {
  #sum: TreeSum | undefined = EMPTY_SUM;
  readonly #contents = new Map<number, number>();
  #lastDirectory: { readonly path: ByteString; readonly digest: Buffer } = { path: '', digest: pathDigestOf('') };

  /** Undefined where it has to be read from the tree. */
  get sum(): TreeSum | undefined {
    return this.#sum;
  }

  /** Something that was counted may be gone. */
  spoil(): void {
    this.#sum = undefined;
    this.#contents.clear();
  }

  /** A file that is complete. */
  addFile(directory: ByteString, name: ByteString, fd: number, crc: number): void {
    const status = this.#sum === undefined ? undefined : statusAt(fd, '');
    if (status === undefined) return;
    if (this.#contents.size < MOST_REMEMBERED) this.#contents.set(status.inode, crc);
    this.#add(directory, name, status, { fd, crc });
  }

  /** A further name of a file, a symlink, or a device; made in the open directory `parent`. */
  addName(directory: ByteString, parent: number, name: ByteString): void {
    const status = this.#sum === undefined ? undefined : statusAt(parent, name);
    if (status === undefined) return;
    if (isKind(status, S_IFLNK)) {
      this.#add(directory, name, status, { target: readLinkAt(parent, name) ?? '' });
    } else if (isKind(status, S_IFREG)) {
      const crc = this.#contents.get(status.inode);
      if (crc === undefined) {
        this.spoil();
        return;
      }
      const fd = openFileAt(parent, name);
      try {
        this.#add(directory, name, status, { fd, crc });
      } finally {
        close(fd);
      }
    } else {
      this.#add(directory, name, status, {});
    }
  }

  /** An open directory, the root by the name ''. Nothing may be made in it any more. */
  addDirectory(above: Buffer, name: ByteString, fd: number): void {
    const status = this.#sum === undefined ? undefined : statusAt(fd, '');
    if (status === undefined || this.#sum === undefined) return;
    this.#sum = plus(this.#sum, entryDigest(above, name, status, { fd }), name === '');
  }

  #add(directory: ByteString, name: ByteString, status: FileStatus, content: EntryContent): void {
    if (this.#sum === undefined) return;
    if (this.#lastDirectory.path !== directory) {
      if (isDeep(directory)) {
        this.spoil();
        return;
      }
      this.#lastDirectory = { path: directory, digest: pathDigestOf(directory) };
    }
    this.#sum = plus(this.#sum, entryDigest(this.#lastDirectory.digest, name, status, content));
  }
}

/** Whether reckoning by this path would cost more than a walk, which goes from directory to directory. */
export function isDeep(path: ByteString): boolean {
  return path.length > DEEP_NAMES && path.split('/').length > DEEP_NAMES;
}

/** The digest of an open directory `path` of a tree, as a {@link TreeSum} has it. */
export function directoryDigest(path: ByteString, fd: number): Buffer {
  const status = statusAt(fd, '');
  const slash = path.lastIndexOf('/');
  if (status === undefined) throw new Error('an open directory has a status');
  return entryDigest(pathDigestOf(slash === -1 ? '' : path.slice(0, slash)), path.slice(slash + 1), status, { fd });
}
