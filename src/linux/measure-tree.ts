import { TreeWalk } from './tree-walk.ts';

/** What a tree takes on its file system. */
export interface TreeUsage {
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

const ENTRIES_BETWEEN_PAUSES = 200;
/** Files that are not in the cache come from a disk: a step of few entries can take long. */
const MOST_STEP_MS = 2;
const ENTRIES_BETWEEN_CLOCKS = 16;
/** Files with several names that are remembered, so that each counts once; 40 bytes each. */
const MOST_LINKED = 500_000;

/**
 * Adds up the blocks and inodes of the tree at `path` (ours) as du(1) does: hard links once, nothing of another file system,
 * of any depth, in bounded memory. It pauses (yields) every few entries, so that it can share a thread.
 */
export function* measureTree(path: string): Generator<void, TreeUsage> {
  const walk = new TreeWalk(path);
  const linked = new Set<number>();
  let usedBytes = 0;
  let inodesUsed = 0;
  let step = new Step();
  try {
    const own = walk.root();
    usedBytes += own?.usedBytes ?? 0;
    inodesUsed += 1;
    for (;;) {
      const entry = walk.next();
      if (step.isLong()) {
        yield;
        step = new Step();
      }
      if (entry === undefined) {
        if (yield* walk.leave()) continue;
        return { usedBytes: Math.round(usedBytes), inodesUsed: Math.round(inodesUsed) };
      }
      const { status } = entry;
      if (status?.device !== walk.device) continue;
      let share = 1;
      if (status.links > 1 && !status.isDirectory) {
        if (linked.has(status.inode)) continue;
        // All names of a file are in the tree, so that their parts add up to one; only with rounding.
        if (linked.size < MOST_LINKED) linked.add(status.inode);
        else share = 1 / status.links;
      }
      usedBytes += status.usedBytes * share;
      inodesUsed += share;
      if (status.isDirectory) walk.enter(entry.name);
    }
  } finally {
    walk.end();
  }
}

/** What is done between two pauses. */
class Step {
  readonly #startedMs = performance.now();
  #entries = 0;

  isLong(): boolean {
    this.#entries += 1;
    if (this.#entries >= ENTRIES_BETWEEN_PAUSES) return true;
    return this.#entries % ENTRIES_BETWEEN_CLOCKS === 0 && performance.now() - this.#startedMs > MOST_STEP_MS;
  }
}
