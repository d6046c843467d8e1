import { DaemonError } from '../base/errors.ts';
import type { ByteString, Timestamp } from '../linux/at-calls.ts';
import { joinNames } from './entry-names.ts';
import { pathDigest, ROOT_PATH } from './tree-sum.ts';

/** A directory of the layer. */
export interface LayerDirectory {
  readonly path: ByteString;
  /** Stands for the path of the directory above, as in tree-sum.ts. */
  readonly above: Buffer;
  readonly name: ByteString;
  /** Undefined where no entry describes it. */
  readonly modified: Timestamp | undefined;
}

interface Node {
  children: Map<ByteString, Node> | undefined;
  /** Undefined for a directory that no entry of the layer describes. */
  modified: Timestamp | undefined;
  isImplied: boolean;
}

/**
 * Most that the names of one layer's directories may take in memory, bytes, with {@link NODE_BYTES} for each: about half a
 * million directories. The largest images have a tenth of that in all their layers.
 */
const MAX_TREE_BYTES = 128 * 1024 * 1024;
const NODE_BYTES = 200;
/** Most bytes in the paths of the directories that no entry describes: they are handed from thread to thread as a list. */
const MAX_IMPLIED_BYTES = 32 * 1024 * 1024;

function emptyNode(): Node {
  return { children: undefined, modified: undefined, isImplied: false };
}

/**
 * What must be known of a layer's directories until its last entry has come, as a tree of names, so that forgetting one with
 * all below it costs no more than making it did. Paths are without symlinks; '' is the layer's root.
 */
export class LayerDirectories {
  readonly #root = emptyNode();
  #treeBytes = 0;

  constructor() {
    this.#root.isImplied = true;
  }

  /** An entry says when the directory was modified; times are set at the end, as every new entry changes them. */
  describe(path: ByteString, modified: Timestamp): void {
    const node = this.#make(path);
    node.modified = modified;
    node.isImplied = false;
  }

  /** The directory is there without an entry of its own: it takes its owner and mode from the layers below. */
  imply(path: ByteString): void {
    this.#make(path).isImplied = true;
  }

  /** The directory is gone, with all below it. */
  forget(path: ByteString): void {
    const slash = path.lastIndexOf('/');
    let above: Node | undefined = this.#root;
    for (const part of slash === -1 ? [] : path.slice(0, slash).split('/')) above = above?.children?.get(part);
    above?.children?.delete(path.slice(slash + 1));
  }

  /** Calls `visit` for every directory, parents first. */
  forEach(visit: (directory: LayerDirectory) => void): void {
    const waiting: [directory: LayerDirectory, node: Node][] = [];
    waiting.push([{ path: '', above: ROOT_PATH, name: '', modified: this.#root.modified }, this.#root]);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [directory, { children }] = next;
      visit(directory);
      if (children === undefined) continue;
      const above = directory.path === '' ? ROOT_PATH : pathDigest(directory.above, directory.name);
      for (const [name, child] of children)
        waiting.push([{ path: joinNames(directory.path, name), above, name, modified: child.modified }, child]);
    }
  }

  /** The directories without an entry, parents first. @throws InvalidArgument where they are too many to hand on. */
  implied(): ByteString[] {
    const found: ByteString[] = [];
    let bytes = 0;
    for (const [path, { isImplied }] of this.#walk()) {
      if (!isImplied) continue;
      bytes += path.length;
      if (bytes > MAX_IMPLIED_BYTES) tooMany(`the paths of directories without an entry have more than ${MAX_IMPLIED_BYTES} bytes`);
      found.push(path);
    }
    return found;
  }

  #make(path: ByteString): Node {
    let node = this.#root;
    for (const part of path === '' ? [] : path.split('/')) {
      let next = node.children?.get(part);
      if (next === undefined) {
        this.#treeBytes += part.length + NODE_BYTES;
        if (this.#treeBytes > MAX_TREE_BYTES) tooMany(`the names of its directories take more than ${MAX_TREE_BYTES} bytes`);
        next = emptyNode();
        (node.children ??= new Map<ByteString, Node>()).set(part, next);
      }
      node = next;
    }
    return node;
  }

  /** All directories, parents first. */
  *#walk(): Generator<[path: ByteString, node: Node], void> {
    const waiting: [ByteString, Node][] = [['', this.#root]];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      yield next;
      const [path, { children }] = next;
      for (const [name, child] of children ?? []) waiting.push([joinNames(path, name), child]);
    }
  }
}

function tooMany(why: string): never {
  throw new DaemonError('InvalidArgument', `unpack layer: ${why}: it has too many directories`);
}
