/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { lstatSync, writeSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import * as at from '../linux/at-calls.ts';
import type { ByteString, Timestamp } from '../linux/at-calls.ts';
import { close } from '../linux/libc.ts';
import { removeTreeAt } from '../linux/remove-tree.ts';
import type { TarEntry, TarEntryType } from './tar-header.ts';
import type { TarSink } from './tar-reader.ts';

/** OCI image spec, layer.md, Whiteouts. */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARK = '.wh..wh..opq';
/** Other names of AUFS's own that old archives carry (`.wh..wh.plnk`, `.wh..wh.aufs`). */
const AUFS_PREFIX = '.wh..wh.';

const OPAQUE_ATTRIBUTE = 'trusted.overlay.opaque';
const OPAQUE_VALUE = Buffer.from('y');

const MAX_OPEN_PARENTS = 64;
const DISK_BLOCK_BYTES = 4096;

export interface WrittenLayer {
  /** What the layer takes on disk, bytes; counted, not measured. */
  readonly sizeBytes: number;
  readonly inodes: number;
  /** Directories no entry describes: they take their owner and mode from the layers below. Parents first. */
  readonly impliedDirectories: readonly ByteString[];
}

/**
 * Lays the entries of a layer's tar down as an overlayfs lower directory.
 *
 * No entry can touch anything outside: parents are opened by openat2 with RESOLVE_IN_ROOT (symlinks of the layer are
 * followed as in a chroot), and the last part of a name is only ever used with calls that do not follow it. Names with `..`
 * are refused. Open parents are kept for the next entry and forgotten when a directory or symlink is replaced.
 */
export class LayerWriter implements TarSink {
  readonly #root: number;
  readonly #parents = new Map<ByteString, number>();
  /** Times of directories, set at the end because every new entry changes them. */
  readonly #directoryTimes = new Map<ByteString, Timestamp>();
  readonly #implied = new Set<ByteString>();
  /** Names this layer takes away from the layers below; a directory made at one later must be opaque. */
  readonly #whiteouts = new Set<ByteString>();
  #file: { readonly fd: number; readonly entry: TarEntry } | undefined;
  #sizeBytes = 0;
  #inodes = 0;

  /** @param root an open, empty directory (0755, owned by root); the caller closes it. */
  constructor(root: number) {
    this.#root = root;
    this.#implied.add('');
  }

  entry(entry: TarEntry): void {
    try {
      this.#take(entry);
    } catch (error) {
      throw this.#explain(error, entry.name);
    }
  }

  data(piece: Buffer): void {
    if (this.#file === undefined) return;
    try {
      for (let done = 0; done < piece.length;) done += writeSync(this.#file.fd, piece, done, piece.length - done);
    } catch (error) {
      throw this.#explain(error, this.#file.entry.name);
    }
  }

  endOfFile(): void {
    if (this.#file === undefined) return;
    const { fd, entry } = this.#file;
    this.#file = undefined;
    try {
      this.#decorate(fd, entry);
      at.changeTimes(fd, entry.modified);
    } catch (error) {
      throw this.#explain(error, entry.name);
    } finally {
      close(fd);
    }
  }

  /** Finishes the layer: sets the times of its directories. */
  finish(): WrittenLayer {
    this.#forgetParents();
    for (const [path, modified] of this.#directoryTimes) {
      let fd: number;
      try {
        fd = at.openDirectoryInRoot(this.#root, path);
      } catch (error) {
        // The name led through a symlink that a later entry replaced.
        if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) continue;
        throw this.#explain(error, path);
      }
      try {
        at.changeTimes(fd, modified);
      } finally {
        close(fd);
      }
    }
    return { sizeBytes: this.#sizeBytes, inodes: this.#inodes, impliedDirectories: [...this.#implied].sort() };
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
    if (type === 'directory') this.#takeDirectory(parent, name, path, entry);
    else this.#takeOther(parent, name, path, { ...entry, type });
  }

  #describeRoot(entry: TarEntry): void {
    this.#decorate(this.#root, entry);
    this.#implied.delete('');
    this.#directoryTimes.set('', entry.modified);
  }

  #takeDirectory(parent: number, name: ByteString, path: ByteString, entry: TarEntry): void {
    try {
      this.#makeDirectory(parent, name, path);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      if (this.#look(parent, name)?.isDirectory() !== true) {
        this.#clear(parent, name, path);
        this.#makeDirectory(parent, name, path);
      }
    }
    const fd = at.openDirectoryAt(parent, name);
    try {
      this.#decorate(fd, entry);
    } finally {
      close(fd);
    }
    this.#implied.delete(path);
    this.#directoryTimes.delete(path); // keep the order in which entries came
    this.#directoryTimes.set(path, entry.modified);
  }

  #makeDirectory(parent: number, name: ByteString, path: ByteString): void {
    at.makeDirectoryAt(parent, name);
    this.#inodes += 1;
    this.#sizeBytes += DISK_BLOCK_BYTES;
    if (!this.#whiteouts.delete(path)) return;
    const fd = at.openDirectoryAt(parent, name);
    try {
      at.setAttribute(fd, OPAQUE_ATTRIBUTE, OPAQUE_VALUE);
    } finally {
      close(fd);
    }
  }

  #takeOther(
    parent: number,
    name: ByteString,
    path: ByteString,
    entry: TarEntry & { readonly type: Exclude<TarEntryType, 'directory'> },
  ): void {
    this.#inodes += 1;
    if (entry.type === 'file') {
      const fd = this.#making(parent, name, path, () => at.createFileAt(parent, name));
      this.#file = { fd, entry };
      this.#sizeBytes += Math.ceil(entry.sizeBytes / DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES;
      return;
    }
    if (entry.type === 'hardlink') {
      this.#takeHardLink(parent, name, path, entry);
      return;
    }
    const { type } = entry;
    this.#making(parent, name, path, () => {
      if (type === 'symlink') at.makeSymlinkAt(parent, name, entry.linkName);
      else at.makeNodeAt(parent, name, type, entry.deviceMajor, entry.deviceMinor);
    });
    at.changeOwnerAt(parent, name, entry.uid, entry.gid);
    if (entry.type !== 'symlink') at.changeModeAt(parent, name, entry.mode);
    for (const [attribute, value] of entry.attributes) {
      if (isWanted(attribute))
        this.#tolerating(attribute, () => {
          at.setAttributeAt(parent, name, attribute, value);
        });
    }
    at.changeTimesAt(parent, name, entry.modified);
  }

  /** A further name for a file of the same layer. Its owner, mode and times are the file's. */
  #takeHardLink(parent: number, name: ByteString, path: ByteString, entry: TarEntry): void {
    const target = normalise(entry.linkName);
    this.#inodes -= 1;
    if (target === path) return;
    const slash = target.lastIndexOf('/');
    const targetName = target.slice(slash + 1);
    try {
      const targetParent = at.openDirectoryInRoot(this.#root, slash === -1 ? '' : target.slice(0, slash));
      try {
        const existing = this.#look(targetParent, targetName);
        if (existing === undefined) throw new DaemonError('InvalidArgument', 'it is not in this layer before it');
        if (existing.isDirectory()) throw new DaemonError('InvalidArgument', 'it is a directory');
        this.#making(parent, name, path, () => {
          at.makeLinkAt(targetParent, targetName, parent, name);
        });
      } finally {
        close(targetParent);
      }
    } catch (error) {
      const message = `unpack layer: entry '${at.showBytes(path)}': cannot link to '${at.showBytes(entry.linkName)}': ${messageOf(error)}`;
      throw new DaemonError('InvalidArgument', message, { cause: error });
    }
  }

  /** Makes a name; where it is taken already, what was there goes first: the later entry of an archive wins. */
  #making<T>(parent: number, name: ByteString, path: ByteString, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      this.#clear(parent, name, path);
      return make();
    }
  }

  #takeWhiteout(parentPath: ByteString, name: ByteString): void {
    if (name === OPAQUE_MARK) {
      at.setAttribute(this.#openParent(parentPath), OPAQUE_ATTRIBUTE, OPAQUE_VALUE);
      return;
    }
    if (name.startsWith(AUFS_PREFIX)) return;
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw new DaemonError('InvalidArgument', `unpack layer: '${at.showBytes(name)}' hides no name`);
    const parent = this.#openParent(parentPath);
    const path = parentPath === '' ? hidden : `${parentPath}/${hidden}`;
    const existing = this.#look(parent, hidden);
    if (existing === undefined) {
      at.makeNodeAt(parent, hidden, 'char', 0, 0);
      this.#inodes += 1;
      this.#whiteouts.add(path);
    } else if (existing.isDirectory()) {
      // What this layer has under the name stays (layer.md: a whiteout is for the layers below only).
      const fd = at.openDirectoryAt(parent, hidden);
      try {
        at.setAttribute(fd, OPAQUE_ATTRIBUTE, OPAQUE_VALUE);
      } finally {
        close(fd);
      }
    }
  }

  /** Owner, mode, extended attributes, in this order: chown(2) clears set-id bits and capabilities. */
  #decorate(fd: number, entry: TarEntry): void {
    at.changeOwner(fd, entry.uid, entry.gid);
    at.changeMode(fd, entry.mode);
    for (const [attribute, value] of entry.attributes) {
      if (isWanted(attribute))
        this.#tolerating(attribute, () => {
          at.setAttribute(fd, attribute, value);
        });
    }
  }

  /** user.* attributes are lost where a file system or kind of file has none; losing security.* would change what a program may do. */
  #tolerating(attribute: ByteString, set: () => void): void {
    try {
      set();
    } catch (error) {
      if (!attribute.startsWith('user.') || !hasErrno(error, 'ENOTSUP', 'EPERM')) throw error;
    }
  }

  #look(parent: number, name: ByteString): Stats | undefined {
    const path = Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), Buffer.from(name, 'latin1')]);
    return lstatSync(path, { throwIfNoEntry: false });
  }

  /** Removes what stands at a name. Where that was a directory or symlink, every kept parent may have led through it. */
  #clear(parent: number, name: ByteString, path: ByteString): void {
    const existing = this.#look(parent, name);
    if (existing === undefined) return;
    if (existing.isDirectory() || existing.isSymbolicLink()) {
      const kept = this.#parents.get(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
      this.#forgetParents(kept === parent ? parent : undefined);
    }
    if (existing.isDirectory()) {
      for (const _pause of removeTreeAt(parent, name));
      this.#forgetBelow(path);
      this.#whiteouts.add(path); // overlayfs: a directory that comes back must not show the one below
    } else {
      at.unlinkAt(parent, name);
    }
  }

  #forgetBelow(path: ByteString): void {
    const below = `${path}/`;
    for (const kept of [this.#directoryTimes, this.#implied, this.#whiteouts]) {
      for (const name of kept.keys()) if (name === path || name.startsWith(below)) kept.delete(name);
    }
  }

  /** The open directory at `path`, made with its parents where the archive has no entry for it. Closed by {@link #forgetParents}. */
  #openParent(path: ByteString): number {
    if (path === '') return this.#root;
    const kept = this.#parents.get(path);
    if (kept !== undefined) return kept;
    let fd: number;
    try {
      fd = at.openDirectoryInRoot(this.#root, path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      fd = this.#makeParent(path);
    }
    if (this.#parents.size >= MAX_OPEN_PARENTS) this.#forgetParents();
    this.#parents.set(path, fd);
    return fd;
  }

  #makeParent(path: ByteString): number {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const above = this.#openParent(slash === -1 ? '' : path.slice(0, slash));
    const existing = this.#look(above, name);
    // A dangling symlink is not followed to make its target: what hides a directory is replaced by one.
    if (existing?.isDirectory() !== true) {
      if (existing !== undefined) this.#clear(above, name, path);
      this.#makeDirectory(above, name, path);
      const made = at.openDirectoryAt(above, name);
      at.changeMode(made, 0o755);
      this.#implied.add(path);
      return made;
    }
    return at.openDirectoryAt(above, name);
  }

  #forgetParents(except?: number): void {
    for (const [path, fd] of this.#parents) {
      if (fd === except) continue;
      close(fd);
      this.#parents.delete(path);
    }
  }
}

/**
 * The name of an entry below the layer's root: without leading slashes, `.` and empty parts.
 * @throws InvalidArgument for a name with `..`: no image tool writes one.
 */
function normalise(name: ByteString): ByteString {
  if (/^[^./][^/]*(?:\/[^./][^/]*)*$/.test(name)) return name; // nothing to do, as with nearly all
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new DaemonError(
      'InvalidArgument',
      `unpack layer: entry '${at.showBytes(name)}' has '..' in its name, which may lead out of the layer`,
    );
  return parts.join('/');
}

/** Attributes of overlayfs itself would be orders to it, and labels of the builder's SELinux policy mean nothing here. */
function isWanted(attribute: ByteString): boolean {
  return !attribute.startsWith('trusted.overlay.') && !attribute.startsWith('user.overlay.') && attribute !== 'security.selinux';
}
