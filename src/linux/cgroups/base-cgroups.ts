import { rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../base/deadline.ts';
import { DaemonError, hasErrno } from '../../base/errors.ts';
import { KeyedMutex } from '../../base/keyed-mutex.ts';
import type { CgroupFigures, CgroupUsage } from './figures.ts';
import type { Cgroups, CgroupVersion, GoneOomKills, MemoryEvents } from './cgroups.ts';
import { childrenOf, isDirectory, makeDirectory, processesIn, removeDirectory, treeOf, tryWrite } from './directories.ts';
import type { Hierarchy } from './hierarchies.ts';

/** How long killed processes may take to go, milliseconds. */
const KILL_WAIT_MS = 2000;
const RETRY_EVERY_MS = 20;

/** The file that freezes a cgroup, and what is written to it. */
export interface Freezer {
  readonly file: string;
  readonly frozen: string;
  readonly thawed: string;
}

/** What both versions have in common: cgroups are directories, in each of the mounted trees. */
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

  abstract oomKills(path: string): Promise<number | undefined>;
  abstract goneOomKills(path: string, gone: ReadonlySet<string>): Promise<GoneOomKills | undefined>;
  abstract memoryEvents(path: string): Promise<MemoryEvents | undefined>;
  abstract usage(path: string): Promise<CgroupUsage | undefined>;
  abstract figures(path: string, hugePageSizes: readonly string[]): Promise<CgroupFigures | undefined>;

  /** Makes one directory, so that a process may be moved into it. */
  protected abstract makeChild(tree: Hierarchy, parent: string, child: string): Promise<void>;

  /** Where a cgroup without processes is made. */
  protected abstract leafTrees(): readonly Hierarchy[];

  /** Kills all in a cgroup that is not the root and that we are not in, and waits until none is left. */
  protected abstract killAll(path: string): Promise<void>;

  async exists(path: string): Promise<boolean> {
    const found = await Promise.all(this.trees.map((tree) => isDirectory(below(tree, path))));
    return found.includes(true);
  }

  async ensure(path: string): Promise<boolean> {
    // One at a time. A directory that another call has just made has no cpus yet, and one made in it would stay without.
    return this.#ensuring.run('ensure', async () => {
      const existed = await this.exists(path);
      await Promise.all(this.trees.map(async (tree) => this.#ensureIn(tree, parts(path))));
      return !existed;
    });
  }

  async makeLeaf(path: string): Promise<void> {
    await Promise.all(
      this.leafTrees().map(async (tree) =>
        makeDirectory(below(tree, path)).catch((error: unknown) => {
          if (!hasErrno(error, 'ENOENT')) throw error;
        }),
      ),
    );
  }

  async removeLeaf(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    await Promise.all(
      this.leafTrees().map(async (tree) => {
        const directory = below(tree, path);
        for (const pid of await processesIn(directory)) if (pid !== process.pid) killOne(pid);
      }),
    );
    await this.remove(path);
  }

  async move(path: string, pid: number): Promise<void> {
    await Promise.all(this.trees.map(async (tree) => writeFile(join(below(tree, path), 'cgroup.procs'), String(pid))));
  }

  async remove(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    await Promise.all(
      this.trees.map(async (tree) => {
        const directories = await treeOf(below(tree, path));
        for (const directory of directories.toReversed()) await removeDirectory(directory);
      }),
    );
  }

  async removeIfEmpty(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    await Promise.all(
      this.trees.map(async (tree) =>
        rmdir(below(tree, path)).catch((error: unknown) => {
          if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EBUSY')) throw error;
        }),
      ),
    );
  }

  async children(path: string): Promise<string[]> {
    return [...new Set((await Promise.all(this.trees.map(async (tree) => childrenOf(below(tree, path))))).flat())];
  }

  async processes(path: string): Promise<number[]> {
    const directories = await treeOf(this.primaryDirectory(path));
    return (await Promise.all(directories.map(processesIn))).flat();
  }

  async kill(path: string): Promise<void> {
    refuseRoot(path, 'kill');
    if ((await this.processes(path)).includes(process.pid)) {
      throw new DaemonError('FailedPrecondition', `kill cgroup ${path}: this process is in it, must not be`);
    }
    await this.killAll(path);
  }

  protected primaryDirectory(path: string): string {
    return below(this.#primary, path);
  }

  /** Kills one by one: what forks meanwhile is caught by freezing first, and by looking again. */
  protected async killFrozen(path: string, { file, frozen, thawed }: Freezer): Promise<void> {
    await this.untilEmpty(path, async (pids) => {
      await tryWrite(file, frozen);
      for (const pid of pids) killOne(pid);
      // v1 delivers the signal only to a thawed process.
      await tryWrite(file, thawed);
    });
  }

  protected async untilEmpty(path: string, act: (pids: readonly number[]) => Promise<void> | void): Promise<void> {
    const giveUpAt = performance.now() + KILL_WAIT_MS;
    for (;;) {
      const pids = await this.processes(path);
      if (pids.length === 0) return;
      if (performance.now() > giveUpAt) {
        throw new DaemonError('DeadlineExceeded', `kill cgroup ${path}: ${pids.join(', ')} still there after ${KILL_WAIT_MS / 1000} s`);
      }
      await act(pids);
      await sleep(RETRY_EVERY_MS);
    }
  }

  async #ensureIn(tree: Hierarchy, names: readonly string[]): Promise<void> {
    let directory = tree.directory;
    for (const name of names) {
      const parent = directory;
      directory = join(parent, name);
      if (!(await isDirectory(directory))) await this.makeChild(tree, parent, directory);
    }
  }
}

function killOne(pid: number): void {
  try {
    // 0: a process of a pid namespace that we cannot see.
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

export function below(hierarchy: Hierarchy, path: string): string {
  return join(hierarchy.directory, ...parts(path));
}

function parts(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  if (names.includes('..') || names.includes('.')) throw new DaemonError('InvalidArgument', `cgroup ${path}: must not have . or .. in it`);
  return names;
}

function refuseRoot(path: string, what: string): void {
  if (parts(path).length === 0) throw new DaemonError('Internal', `${what} cgroup ${path}: is the root, must be one below`);
}
