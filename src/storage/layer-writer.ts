import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import * as at from '../linux/at-calls.ts';
import type { ByteString } from '../linux/at-calls.ts';
import { statusAt } from '../linux/directory-calls.ts';
import { close } from '../linux/libc.ts';
import { removeTreeAt } from '../linux/remove-tree.ts';
import { hideBelow, setEntryAttributes } from './entry-attributes.ts';
import { joinNames, normalise } from './entry-names.ts';
import { LayerDirectories } from './layer-directories.ts';
import { LayerFile } from './layer-file.ts';
import { resolveInLayer } from './resolve-in-layer.ts';
import type { TarEntry, TarEntryType } from './tar-header.ts';
import type { TarSink } from './tar-reader.ts';
import { isKind, S_IFLNK } from './tree-sum.ts';
import type { TreeSum } from './tree-sum.ts';
import { WrittenTree } from './written-tree.ts';

/** OCI image spec, layer.md, Whiteouts. */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARK = '.wh..wh..opq';
/** Other names of AUFS's own that old archives carry (`.wh..wh.plnk`, `.wh..wh.aufs`). */
const AUFS_PREFIX = '.wh..wh.';

const MAX_OPEN_PARENTS = 64;
const DISK_BLOCK_BYTES = 4096;
/** Most lines about things left out of one layer; there may be one for each of its files. */
const MAX_NOTES = 5;
/** The mode of a root directory that no entry describes. */
const ROOT_MODE = 0o755;

export interface WrittenLayer {
  /** What the layer takes on disk, bytes; counted, not measured. */
  readonly sizeBytes: number;
  readonly inodes: number;
  /** Directories no entry describes: they take their owner and mode from the layers below. Parents first. */
  readonly impliedDirectories: readonly ByteString[];
  /** What of the archive was left out, for the log: a few lines at most. */
  readonly notes: readonly string[];
  /** Undefined where it has to be read from the tree. */
  readonly tree: TreeSum | undefined;
}

/** A directory of the layer, kept open. */
interface OpenDirectory {
  readonly fd: number;
  /** Without symlinks. */
  readonly path: ByteString;
}

/**
 * Lays the entries of a layer's tar down as an overlayfs lower directory.
 *
 * No entry can touch anything outside. A parent is opened by openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS. Where that
 * meets a symlink of the layer, the name is resolved as in a chroot and opened again in the same way, so that the kernel has the
 * last word. The last part of a name is only ever used with calls that do not follow it. Open parents are kept for the next
 * entry and forgotten when a directory or symlink is replaced.
 * A layer is unpacked alone: symlinks of the layers below are not followed, and an entry below one makes it a directory, as in
 * all runtimes that make an overlay of layers.
 */
export class LayerWriter implements TarSink {
  readonly #root: OpenDirectory;
  /** By their names in the archive, which may lead through symlinks. */
  readonly #parents = new Map<ByteString, OpenDirectory>();
  readonly #directories = new LayerDirectories();
  readonly #notes: string[] = [];
  #notesLeftOut = 0;
  #file: LayerFile | undefined;
  readonly #tree = new WrittenTree();
  #sizeBytes = 0;
  #inodes = 0;

  /** @param root an open, empty directory (0755, owned by root); the caller closes it. */
  constructor(root: number) {
    this.#root = { fd: root, path: '' };
  }

  entry(entry: TarEntry): void {
    try {
      this.#take(entry);
    } catch (error) {
      throw this.#explain(error, entry.name);
    }
  }

  data(piece: Buffer): void {
    const file = this.#file;
    if (file === undefined) return;
    try {
      file.write(piece);
    } catch (error) {
      throw this.#explain(error, file.entry.name);
    }
  }

  hole(sizeBytes: number): void {
    this.#file?.hole(sizeBytes);
  }

  endOfFile(): void {
    const file = this.#file;
    if (file === undefined) return;
    const { fd, entry, directory, name } = file;
    this.#file = undefined;
    try {
      file.end();
      this.#decorate(fd, entry);
      at.changeTimes(fd, entry.modified);
      this.#tree.addFile(directory, name, fd, file.crc);
    } catch (error) {
      throw this.#explain(error, entry.name);
    } finally {
      close(fd);
    }
  }

  /** Finishes the layer: sets the times of its directories. */
  finish(): WrittenLayer {
    this.#forgetParents();
    this.#directories.forEach(({ path, above, name, modified }) => {
      if (modified === undefined && this.#tree.sum === undefined) return;
      try {
        withOpen(at.openDirectoryBeneath(this.#root.fd, path), (fd) => {
          if (modified !== undefined) at.changeTimes(fd, modified);
          this.#tree.addDirectory(above, name, fd);
        });
      } catch (error) {
        throw this.#explain(error, path);
      }
    });
    const notes = [...this.#notes, ...(this.#notesLeftOut === 0 ? [] : [`and ${this.#notesLeftOut} more`])];
    const impliedDirectories = this.#directories.implied();
    return { sizeBytes: this.#sizeBytes, inodes: this.#inodes, impliedDirectories, notes, tree: this.#tree.sum };
  }

  /** Closes what is open, also after a failure. */
  close(): void {
    this.#forgetParents();
    if (this.#file !== undefined) close(this.#file.fd);
    this.#file = undefined;
  }

  #explain(error: unknown, name: ByteString): DaemonError {
    if (error instanceof DaemonError) return error;
    const kind = hasErrno(error, 'ENOSPC', 'EDQUOT')
      ? 'ResourceExhausted'
      : hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL')
        ? 'InvalidArgument'
        : 'Internal';
    return new DaemonError(kind, `unpack layer: entry '${at.showBytes(name)}': ${messageOf(error)}`, { cause: error });
  }

  #take(entry: TarEntry): void {
    const path = normalise(entry.name);
    if (path === '') {
      if (entry.type === 'directory') this.#describeRoot(entry);
      return; // the layer's root can be nothing but a directory
    }
    const slash = path.lastIndexOf('/');
    const parentPath = slash === -1 ? '' : path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#takeWhiteout(parentPath, name);
      return;
    }
    const parent = this.#openParent(parentPath);
    const { type } = entry;
    if (type === 'directory') this.#takeDirectory(parent, name, entry);
    else this.#takeOther(parent, name, { ...entry, type });
  }

  /**
   * Takes the root's owner and times, and its mode with 0755 added. Archives made of a private directory (mktemp -d) say 0700,
   * and only root could run in such an image.
   */
  #describeRoot(entry: TarEntry): void {
    this.#decorate(this.#root.fd, { ...entry, mode: entry.mode | ROOT_MODE });
    this.#directories.describe('', entry.modified);
  }

  #takeDirectory(parent: OpenDirectory, name: ByteString, entry: TarEntry): void {
    this.#makeDirectory(parent, name);
    withOpen(at.openDirectoryAt(parent.fd, name), (fd) => {
      this.#decorate(fd, entry);
    });
    this.#directories.describe(joinNames(parent.path, name), entry.modified);
  }

  /** Makes a directory where there is none. One that replaces something of this layer is opaque, so that none below shows through. */
  #makeDirectory(parent: OpenDirectory, name: ByteString): void {
    let replaces = false;
    try {
      at.makeDirectoryAt(parent.fd, name);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      if (statusAt(parent.fd, name)?.isDirectory === true) return;
      this.#clear(parent, name);
      at.makeDirectoryAt(parent.fd, name);
      replaces = true;
    }
    this.#inodes += 1;
    this.#sizeBytes += DISK_BLOCK_BYTES;
    if (!replaces) return;
    withOpen(at.openDirectoryAt(parent.fd, name), hideBelow);
  }

  #takeOther(parent: OpenDirectory, name: ByteString, entry: TarEntry & { readonly type: Exclude<TarEntryType, 'directory'> }): void {
    this.#inodes += 1;
    const { type } = entry;
    if (type === 'file') {
      const fd = this.#making(parent, name, () => at.createFileAt(parent.fd, name));
      this.#file = new LayerFile(fd, entry, parent.path, name);
      this.#sizeBytes += Math.ceil(entry.storedBytes / DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES;
      return;
    }
    if (type === 'hardlink') {
      this.#takeHardLink(parent, name, entry);
      return;
    }
    this.#making(parent, name, () => {
      if (type === 'symlink') at.makeSymlinkAt(parent.fd, name, entry.linkName);
      else at.makeNodeAt(parent.fd, name, type, entry.deviceMajor, entry.deviceMinor);
    });
    at.changeOwnerAt(parent.fd, name, entry.uid, entry.gid);
    if (type !== 'symlink') at.changeModeAt(parent.fd, name, entry.mode);
    this.#setAttributes(entry, (attribute, value) => {
      at.setAttributeAt(parent.fd, name, attribute, value);
    });
    at.changeTimesAt(parent.fd, name, entry.modified);
    this.#tree.addName(parent.path, parent.fd, name);
  }

  /** A further name for a file of the same layer. Its owner, mode and times are the file's. */
  #takeHardLink(parent: OpenDirectory, name: ByteString, entry: TarEntry): void {
    const target = normalise(entry.linkName);
    this.#inodes -= 1;
    const path = joinNames(parent.path, name);
    const slash = target.lastIndexOf('/');
    const targetName = target.slice(slash + 1);
    try {
      const targetParent = at.openDirectoryInRoot(this.#root.fd, slash === -1 ? '' : target.slice(0, slash));
      try {
        const existing = statusAt(targetParent, targetName);
        if (existing === undefined) throw new DaemonError('InvalidArgument', 'it is not in this layer before it');
        if (existing.isDirectory) throw new DaemonError('InvalidArgument', 'it is a directory');
        const taken = statusAt(parent.fd, name);
        if (taken !== undefined && taken.inode === existing.inode) return; // the same file already
        this.#making(parent, name, () => {
          at.makeLinkAt(targetParent, targetName, parent.fd, name);
        });
        this.#tree.addName(parent.path, parent.fd, name);
      } finally {
        close(targetParent);
      }
    } catch (error) {
      const message = `unpack layer: entry '${at.showBytes(path)}': cannot link to '${at.showBytes(entry.linkName)}': ${messageOf(error)}`;
      throw new DaemonError('InvalidArgument', message, { cause: error });
    }
  }

  /** Makes a name; where it is taken already, what was there goes first: the later entry of an archive wins. */
  #making<T>(parent: OpenDirectory, name: ByteString, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      this.#clear(parent, name);
      return make();
    }
  }

  #takeWhiteout(parentPath: ByteString, name: ByteString): void {
    if (name === OPAQUE_MARK) {
      hideBelow(this.#openParent(parentPath).fd);
      return;
    }
    if (name.startsWith(AUFS_PREFIX)) return;
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw new DaemonError('InvalidArgument', `unpack layer: entry '${at.showBytes(joinNames(parentPath, name))}' hides no name`);
    const { fd: parent, path } = this.#openParent(parentPath);
    const existing = statusAt(parent, hidden);
    if (existing === undefined) {
      at.makeNodeAt(parent, hidden, 'char', 0, 0);
      this.#tree.addName(path, parent, hidden);
      this.#inodes += 1;
    } else if (existing.isDirectory) {
      // What this layer has under the name stays (layer.md: a whiteout is for the layers below only).
      withOpen(at.openDirectoryAt(parent, hidden), hideBelow);
    }
  }

  /** Owner, mode, extended attributes, in this order: chown(2) clears set-id bits and capabilities. */
  #decorate(fd: number, entry: TarEntry): void {
    at.changeOwner(fd, entry.uid, entry.gid);
    at.changeMode(fd, entry.mode);
    this.#setAttributes(entry, (attribute, value) => {
      at.setAttribute(fd, attribute, value);
    });
  }

  #setAttributes(entry: TarEntry, set: (name: ByteString, value: Buffer) => void): void {
    setEntryAttributes(entry.attributes, set, (why) => {
      if (this.#notes.length < MAX_NOTES) this.#notes.push(`entry '${at.showBytes(entry.name)}': ${why}`);
      else this.#notesLeftOut += 1;
    });
  }

  /** Removes what stands at a name. Where that was a directory or symlink, every kept parent may have led through it. */
  #clear(parent: OpenDirectory, name: ByteString): void {
    const existing = statusAt(parent.fd, name);
    if (existing === undefined) return;
    this.#tree.spoil();
    if (existing.isDirectory || isKind(existing, S_IFLNK)) this.#forgetParents(parent.fd);
    if (!existing.isDirectory) {
      at.unlinkAt(parent.fd, name);
      return;
    }
    for (const _pause of removeTreeAt(parent.fd, name));
    this.#directories.forget(joinNames(parent.path, name));
  }

  /** The directory of an entry's name, made with its parents where the archive has no entry for it. Closed by {@link #forgetParents}. */
  #openParent(path: ByteString): OpenDirectory {
    if (path === '') return this.#root;
    const kept = this.#parents.get(path);
    if (kept !== undefined) return kept;
    const directory = this.#openPlain(path) ?? this.#makeParents(resolveInLayer(this.#root.fd, path));
    if (directory.path === '') {
      close(directory.fd); // a link to the root
      return this.#root;
    }
    if (this.#parents.size >= MAX_OPEN_PARENTS) this.#forgetParents();
    this.#parents.set(path, directory);
    return directory;
  }

  /** Opens a directory; undefined where it is none, or a symlink is on the way. */
  #openPlain(path: ByteString): OpenDirectory | undefined {
    try {
      return { fd: at.openDirectoryBeneath(this.#root.fd, path), path };
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    }
  }

  /** Opens the directory at a path without symlinks; makes what is missing of it, in place of files that are in the way. */
  #makeParents(path: ByteString): OpenDirectory {
    let above: OpenDirectory = { fd: at.openDirectoryAt(this.#root.fd, '.'), path: '' };
    for (const name of path === '' ? [] : path.split('/')) {
      const next = joinNames(above.path, name);
      try {
        above = this.#stepInto(above, name, next);
      } catch (error) {
        close(above.fd);
        throw error;
      }
    }
    return above;
  }

  #stepInto(above: OpenDirectory, name: ByteString, path: ByteString): OpenDirectory {
    const isThere = statusAt(above.fd, name)?.isDirectory === true;
    if (!isThere) this.#makeDirectory(above, name);
    const fd = at.openDirectoryAt(above.fd, name);
    try {
      if (!isThere) {
        at.changeMode(fd, 0o755);
        this.#directories.imply(path);
      }
    } catch (error) {
      close(fd);
      throw error;
    }
    close(above.fd);
    return { fd, path };
  }

  #forgetParents(except?: number): void {
    for (const [path, { fd }] of this.#parents) {
      if (fd === except) continue;
      close(fd);
      this.#parents.delete(path);
    }
  }
}

function withOpen(fd: number, work: (fd: number) => void): void {
  try {
    work(fd);
  } finally {
    close(fd);
  }
}
