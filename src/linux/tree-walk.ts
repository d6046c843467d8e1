import { hasErrno } from '../base/errors.ts';
import { openDirectory, openDirectoryAt } from './at-calls.ts';
import type { ByteString } from './at-calls.ts';
import { readEntries, seekDirectory, statusAt } from './directory-calls.ts';
import type { DirectoryEntry, FileStatus } from './directory-calls.ts';
import { close } from './libc.ts';

/** A directory on the way from the root of the tree to where the walk is. */
interface Level {
  readonly name: ByteString;
  readonly inode: number;
  /** Closed where the walk is far below it. */
  fd: number | undefined;
  /** Entries that were read and not yet seen, the next one last; empty where it is closed. */
  pending: DirectoryEntry[];
  /** Where it is read on when it is opened again. */
  next: bigint;
}

/** Directories that are open at once, at most, besides the root. */
const MOST_OPEN = 48;
const NAMES_BETWEEN_PAUSES = 200;

/**
 * A walk through a tree that its owner may be changing, depth first and on one file system. It goes by open directories, so
 * that no symlink leads it away. The tree may have any depth and size: few files are open at a time, and each level takes a
 * few words of memory.
 */
export class TreeWalk {
  readonly device: number;
  readonly #levels: Level[];
  /** The highest level below the root that is open. */
  #highestOpen = 1;

  /** @throws the system error where `path` (ours) is no directory. */
  constructor(path: string) {
    const fd = openDirectory(path);
    const status = statusAt(fd, '');
    this.#levels = [{ name: '', inode: status?.inode ?? 0, fd, pending: [], next: 0n }];
    this.device = status?.device ?? 0;
  }

  /** The status of the root of the tree. */
  root(): FileStatus | undefined {
    return statusAt(this.#deepest().fd ?? -1, '');
  }

  /** The directory that the walk is in, open; undefined where it was lost. */
  get directory(): number | undefined {
    return this.#deepest().fd;
  }

  /** The next entry of the directory that the walk is in; undefined at its end. It is gone, too, where its status is undefined. */
  next(): { readonly name: ByteString; readonly status: FileStatus | undefined } | undefined {
    const level = this.#deepest();
    if (level.fd === undefined) return undefined;
    if (level.pending.length === 0) level.pending = readEntries(level.fd).reverse();
    const entry = level.pending.pop();
    if (entry === undefined) return undefined;
    level.next = entry.next;
    return { name: entry.name, status: statusAt(level.fd, entry.name) };
  }

  /** Goes down into the entry that {@link next} gave last; does nothing where it is gone or another file system's. */
  enter(name: ByteString): void {
    const parent = this.#deepest();
    if (parent.fd === undefined) return;
    const fd = openUnlessGone(parent.fd, name);
    if (fd === undefined) return;
    const status = statusAt(fd, '');
    if (status?.device !== this.device) {
      close(fd);
      return;
    }
    this.#levels.push({ name, inode: status.inode, fd, pending: [], next: 0n });
    if (this.#levels.length - this.#highestOpen <= MOST_OPEN) return;
    const highest = this.#levels[this.#highestOpen++];
    if (highest !== undefined) closeLevel(highest);
  }

  /**
   * Goes up to the directory above. It may be closed by now, and somebody may have moved what the walk was in. Then the walk
   * goes to the nearest directory above that still has its name. Pauses (yields) in a long search. @returns false at the root.
   */
  *leave(): Generator<void, boolean> {
    const left = this.#levels.pop();
    const parent = this.#levels.at(-1);
    if (left?.fd === undefined || parent === undefined) {
      if (left !== undefined) this.#levels.push(left);
      return false;
    }
    if (parent.fd === undefined) {
      const above = openUnlessGone(left.fd, '..');
      if (above !== undefined && this.#isLevel(above, parent)) {
        reopenLevel(parent, above);
        this.#highestOpen = this.#levels.length - 1;
      } else {
        if (above !== undefined) close(above);
        yield* this.#descendByNames();
      }
    }
    close(left.fd);
    return true;
  }

  /** Closes all that is open. */
  end(): void {
    for (const level of this.#levels) closeLevel(level);
  }

  #deepest(): Level {
    const level = this.#levels.at(-1);
    if (level === undefined) throw new Error('a walk has its root at least');
    return level;
  }

  #isLevel(fd: number, level: Level): boolean {
    const status = statusAt(fd, '');
    return status?.device === this.device && status.inode === level.inode;
  }

  /** Opens the deepest level that is still found from the root; those below it are given up. */
  *#descendByNames(): Generator<void, void> {
    let reached = 0;
    for (let index = 1; index < this.#levels.length; index += 1) {
      if (index % NAMES_BETWEEN_PAUSES === 0) yield;
      const [above, level] = [this.#levels[index - 1], this.#levels[index]];
      if (above?.fd === undefined || level === undefined) break;
      const fd = openUnlessGone(above.fd, level.name);
      if (fd === undefined) break;
      if (!this.#isLevel(fd, level)) {
        close(fd);
        break;
      }
      level.fd = fd;
      if (index > 1) closeLevel(above);
      reached = index;
    }
    this.#levels.length = reached + 1;
    this.#highestOpen = Math.max(reached, 1);
    const deepest = this.#deepest();
    if (reached > 0 && deepest.fd !== undefined) seekDirectory(deepest.fd, deepest.next);
  }
}

function closeLevel(level: Level): void {
  if (level.fd !== undefined) close(level.fd);
  level.fd = undefined;
  level.pending = [];
}

function reopenLevel(level: Level, fd: number): void {
  level.fd = fd;
  seekDirectory(fd, level.next);
}

/** An entry may be gone, or unreadable for reasons of its own: the tree is in use. @throws where we have no file left to open it by. */
function openUnlessGone(parent: number, name: ByteString): number | undefined {
  try {
    return openDirectoryAt(parent, name);
  } catch (error) {
    if (hasErrno(error, 'EMFILE', 'ENFILE', 'ENOMEM')) throw error;
    return undefined;
  }
}
