import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sleep } from '../../base/deadline.ts';
import { DaemonError } from '../../base/errors.ts';
import { KeyedMutex } from '../../base/keyed-mutex.ts';
import { onThread } from '../kernel-threads.ts';
import type { CgroupFigures, CgroupUsage } from './figures.ts';
import type { Cgroups, CgroupVersion, GoneOomKills, MemoryEvents } from './cgroups.ts';
import { isDirectory, treeOf } from './directories.ts';
import type { Hierarchy } from './hierarchies.ts';
import type { KillBy, MakeIn } from './tree-calls.ts';

/** How long killed processes may take to go, milliseconds. */
const KILL_WAIT_MS = 2000;
/** How long the kernel may take to let a cgroup's last process go after its end, milliseconds. */
const REMOVE_WAIT_MS = 1000;
/** Between two looks, milliseconds: the first time, which is enough for most, and after some doublings at most. */
const RETRY_AFTER_MS = 2;
const RETRY_EVERY_MS = 20;

/**
 * What both versions have in common: cgroups are directories, in each of the mounted trees. What is done in all trees is one job of a
 * kernel thread, which waits for nothing but the kernel: what has to be tried again later is another job.
 */
export abstract class BaseCgroups implements Cgroups {
  abstract readonly version: CgroupVersion;
  protected readonly trees: readonly Hierarchy[];
  readonly #primary: Hierarchy;
  readonly #ensuring = new KeyedMutex<'ensure'>();

  /** @param primary the tree to ask which processes are in a cgroup */
  constructor(trees: readonly Hierarchy[], primary: Hierarchy) {
    this.trees = trees;
    this.#primary = primary;
  }

  abstract expectMove(): void;
  abstract oomKills(path: string): Promise<number | undefined>;
  abstract goneOomKills(path: string, gone: ReadonlySet<string>): Promise<GoneOomKills | undefined>;
  abstract memoryEvents(path: string): Promise<MemoryEvents | undefined>;
  abstract usage(path: string): Promise<CgroupUsage | undefined>;
  abstract figures(path: string, hugePageSizes: readonly string[]): Promise<CgroupFigures | undefined>;

  /** What a new child in the tree has to be given by its parent, so that a process may be moved into it. */
  protected abstract inheritedIn(tree: Hierarchy): MakeIn['inherits'];

  /** Where a cgroup without processes is made. */
  protected abstract leafTrees(): readonly Hierarchy[];

  protected abstract killBy(path: string): KillBy;

  async exists(path: string): Promise<boolean> {
    const found = await Promise.all(this.trees.map((tree) => isDirectory(below(tree, path))));
    return found.includes(true);
  }

  async ensure(path: string): Promise<boolean> {
    const request = {
      trees: this.trees.map((tree) => ({ directory: tree.directory, inherits: this.inheritedIn(tree) })),
      names: parts(path),
    };
    // One at a time. A directory that another call has just made has no cpus yet, and one made in it would stay without.
    return this.#ensuring.run('ensure', async () => onThread('makeCgroup', request));
  }

  async makeLeaf(path: string): Promise<void> {
    await onThread('makeCgroupLeaf', { directories: inEach(this.leafTrees(), path) });
  }

  async removeLeaf(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    if (await onThread('removeCgroup', { directories: inEach(this.trees, path), isLast: false })) return;
    await onThread('killInCgroup', { directories: inEach(this.leafTrees(), path) });
    await this.remove(path);
  }

  async move(path: string, pid: number): Promise<void> {
    // For the first process that is moved after a while the kernel waits, 10 to 20 ms (a grace period of RCU), in whichever tree that is.
    // Mounts, which need a kernel thread, do not stand behind that.
    const [first = '', ...others] = inEach(this.trees, path);
    await writeFile(join(first, 'cgroup.procs'), String(pid));
    if (others.length > 0) await onThread('moveToCgroup', { directories: others, pid });
  }

  async remove(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    const giveUpAt = performance.now() + REMOVE_WAIT_MS;
    const directories = inEach(this.trees, path);
    for (let attempt = 0; !(await onThread('removeCgroup', { directories, isLast: performance.now() > giveUpAt })); attempt += 1) {
      await beforeRetry(attempt);
    }
  }

  async removeIfEmpty(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    await onThread('removeEmptyCgroup', { directories: inEach(this.trees, path) });
  }

  async children(path: string): Promise<string[]> {
    return onThread('cgroupChildren', { directories: inEach(this.trees, path) });
  }

  async named(part: string): Promise<string[]> {
    const found = new Set<string>();
    for (const { directory } of this.trees) {
      for (const each of await treeOf(directory)) if (basename(each).includes(part)) found.add(each.slice(directory.length));
    }
    return [...found];
  }

  async processes(path: string): Promise<number[]> {
    return onThread('cgroupProcesses', { directory: this.primaryDirectory(path) });
  }

  async kill(path: string): Promise<void> {
    refuseRoot(path, 'kill');
    const request = { path, directory: this.primaryDirectory(path), by: this.killBy(path) };
    const giveUpAt = performance.now() + KILL_WAIT_MS;
    for (let attempt = 0; ; attempt += 1) {
      const pids = await onThread('killCgroup', request);
      if (pids.length === 0) return;
      if (performance.now() > giveUpAt) {
        throw new DaemonError('DeadlineExceeded', `kill cgroup ${path}: ${pids.join(', ')} still there after ${KILL_WAIT_MS / 1000} s`);
      }
      await beforeRetry(attempt);
    }
  }

  async killAndRemove(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    if (await onThread('removeUnusedCgroup', { directories: inEach(this.trees, path), used: this.primaryDirectory(path) })) return;
    await this.kill(path);
    await this.remove(path);
  }

  protected primaryDirectory(path: string): string {
    return below(this.#primary, path);
  }
}

export function below(hierarchy: Hierarchy, path: string): string {
  return join(hierarchy.directory, ...parts(path));
}

async function beforeRetry(attempt: number): Promise<void> {
  await sleep(Math.min(RETRY_AFTER_MS * 2 ** attempt, RETRY_EVERY_MS));
}

function inEach(trees: readonly Hierarchy[], path: string): string[] {
  return trees.map((tree) => below(tree, path));
}

function parts(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  if (names.includes('..') || names.includes('.')) throw new DaemonError('InvalidArgument', `cgroup ${path}: must not have . or .. in it`);
  return names;
}

function refuseRoot(path: string, what: string): void {
  if (parts(path).length === 0) throw new DaemonError('Internal', `${what} cgroup ${path}: is the root, must be one below`);
}
