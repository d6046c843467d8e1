import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hierarchiesOf, eventCount } from './cgroup-files.ts';
import { readMounts } from './mounts.ts';
import { sleep } from '../base/deadline.ts';
import { DaemonError, hasErrno, unlessMissing } from '../base/errors.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { CgroupVersion, Hierarchies, Hierarchy } from './cgroup-files.ts';
import type { MountEntry } from './mountinfo.ts';

export type { CgroupVersion } from './cgroup-files.ts';

/** How long the kernel may take to let a cgroup's last process go after its end. */
const REMOVE_RETRY_MS = 1000;
const KILL_RETRY_MS = 2000;
const RETRY_EVERY_MS = 20;
/** How often the counts of a cgroup and its children are read until no kill falls in between. */
const STEADY_ROUNDS = 20;

export interface GoneOomKills {
  readonly kills: number;
  /** Which cgroup this is: another one of the same path has another. */
  readonly cgroup: string;
}

/**
 * The node's cgroups. Paths are relative to the mount of each hierarchy and start with a slash (`/kubepods/pod1/abc`). On
 * version 1 every hierarchy is served, and the unified one of a hybrid node as well, since runtimes join that too.
 * cgroups(7), https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
export class Cgroups {
  readonly version: CgroupVersion;
  readonly #hierarchies: readonly Hierarchy[];
  /** The one to ask which processes are in a cgroup. */
  readonly #primary: Hierarchy;
  readonly #countsBelow: boolean;
  readonly #ensuring = new KeyedMutex<'ensure'>();

  private constructor(found: Hierarchies, countsBelow: boolean) {
    this.version = found.version;
    this.#countsBelow = found.version === 'v2' && countsBelow;
    this.#hierarchies = found.hierarchies;
    this.#primary = found.primary;
  }

  /** Looks at what is mounted. @throws {DaemonError} FailedPrecondition when no cgroups are. */
  static async detect(): Promise<Cgroups> {
    return Cgroups.of(await readMounts());
  }

  /** The cgroups of these mounts; for tests that take one of several trees. */
  static of(mounts: readonly MountEntry[]): Cgroups {
    const countsBelow = mounts.every(({ type, superOptions }) => type !== 'cgroup2' || !superOptions.includes('memory_localevents'));
    return new Cgroups(hierarchiesOf(mounts), countsBelow);
  }

  /** The directory of `path` for a controller (`memory`, `pids`), for reading its files; undefined when there is none. */
  directoryOf(controller: string, path: string): string | undefined {
    const hierarchy = this.version === 'v2' ? this.#primary : this.#hierarchies.find((each) => each.controllers.includes(controller));
    return hierarchy === undefined ? undefined : below(hierarchy, path);
  }

  /** Whether any hierarchy has the cgroup. */
  async exists(path: string): Promise<boolean> {
    const found = await Promise.all(this.#hierarchies.map((hierarchy) => isDirectory(below(hierarchy, path))));
    return found.includes(true);
  }

  /**
   * Makes the cgroup, and its parents, in every hierarchy that lacks it.
   * @returns whether it was in none of them before: then it is ours to remove.
   */
  async ensure(path: string): Promise<boolean> {
    // One at a time: a directory that another call has just made has no cpus yet, and what is made in it would stay without.
    return this.#ensuring.run('ensure', async () => {
      const existed = await this.exists(path);
      await Promise.all(this.#hierarchies.map(async (hierarchy) => this.#ensureIn(hierarchy, parts(path))));
      return !existed;
    });
  }

  /** Moves a process with all its threads. @throws ESRCH when it is gone, ENOENT when the cgroup is. */
  async move(path: string, pid: number): Promise<void> {
    await Promise.all(this.#hierarchies.map(async (hierarchy) => writeFile(join(below(hierarchy, path), 'cgroup.procs'), String(pid))));
  }

  /**
   * Removes the cgroup and those below it; that it is gone is fine. Waits up to a second for processes that just ended.
   * @throws EBUSY when processes are still in it.
   */
  async remove(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    await Promise.all(
      this.#hierarchies.map(async (hierarchy) => {
        const tree = await treeOf(below(hierarchy, path));
        for (const directory of tree.toReversed()) await removeDirectory(directory);
      }),
    );
  }

  /** Removes the cgroup where nothing is in it or below it; else it stays, and that is fine. */
  async removeIfEmpty(path: string): Promise<void> {
    refuseRoot(path, 'remove');
    await Promise.all(
      this.#hierarchies.map(async (hierarchy) =>
        rmdir(below(hierarchy, path)).catch((error: unknown) => {
          if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EBUSY')) throw error;
        }),
      ),
    );
  }

  /** The pids in the cgroup and those below it; none when it does not exist. */
  async processes(path: string): Promise<number[]> {
    const tree = await treeOf(below(this.#primary, path));
    return (await Promise.all(tree.map(processesIn))).flat();
  }

  /**
   * Kills every process in the cgroup and below with SIGKILL, and waits until none is left there: zombies do not count.
   * @throws {DaemonError} FailedPrecondition when this process is among them, DeadlineExceeded when some do not die.
   */
  async kill(path: string): Promise<void> {
    refuseRoot(path, 'kill');
    if ((await this.processes(path)).includes(process.pid)) {
      throw new DaemonError('FailedPrecondition', `kill cgroup ${path}: this process is in it, must not be`);
    }
    const directory = below(this.#primary, path);
    if (this.version === 'v2' && (await tryWrite(join(directory, 'cgroup.kill'), '1'))) await this.#untilEmpty(path, () => undefined);
    else await this.#killFrozen(path, directory);
  }

  /**
   * How many processes the kernel killed for lack of memory in the cgroup and below, since it was made. undefined when
   * there is no such cgroup, or no memory controller.
   */
  async oomKills(path: string): Promise<number | undefined> {
    const directory = this.directoryOf('memory', path);
    if (directory === undefined) return undefined;
    // memory.events counts what is below as well; v1's memory.oom_control only its own.
    if (this.version === 'v2') return countIn(join(directory, 'memory.events'));
    const counts = await Promise.all((await treeOf(directory)).map((each) => countIn(join(each, 'memory.oom_control'))));
    const known = counts.filter((count) => count !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0);
  }

  /**
   * How many processes the kernel killed for lack of memory below the cgroup, in cgroups that are gone, or are those of `gone`
   * (names of direct children). The kernel counts a kill before it sends the signal, so that no end of a process is ahead
   * of this. undefined on version 1, or where the counts do not include those below (`memory_localevents`).
   */
  async goneOomKills(path: string, gone: ReadonlySet<string>): Promise<GoneOomKills | undefined> {
    const directory = this.directoryOf('memory', path);
    if (directory === undefined || !this.#countsBelow) return undefined;
    const file = join(directory, 'memory.events');
    for (let round = 1; ; round += 1) {
      const before = await countIn(file);
      if (before === undefined) return undefined;
      const kills = before === 0 ? 0 : before - (await sumOfChildren(directory, gone));
      // A kill meanwhile may be in one of the numbers alone.
      if (before !== 0 && round < STEADY_ROUNDS && (await countIn(file)) !== before) continue;
      const status = await unlessMissing(stat(directory, { bigint: true }), undefined);
      return status === undefined ? undefined : { kills, cgroup: status.ino.toString() };
    }
  }

  /** The cgroups below `prefix`, at any depth, in any hierarchy, sorted; `prefix` itself not. */
  async list(prefix: string): Promise<string[]> {
    const found = new Set<string>();
    for (const hierarchy of this.#hierarchies) {
      const directory = below(hierarchy, prefix);
      for (const each of await treeOf(directory)) {
        if (each !== directory) found.add(`/${each.slice(hierarchy.directory.length).replace(/^\/+/, '')}`);
      }
    }
    return [...found].sort();
  }

  async #ensureIn(hierarchy: Hierarchy, names: readonly string[]): Promise<void> {
    let directory = hierarchy.directory;
    for (const name of names) {
      const parent = directory;
      directory = join(parent, name);
      if (await isDirectory(directory)) continue;
      // Not in a hybrid's unified tree: with controllers passed on, a cgroup may not have processes of its own.
      if (this.version === 'v2') await passControllersOn(parent);
      await mkdir(directory, { mode: 0o755 }).catch((error: unknown) => {
        if (!hasErrno(error, 'EEXIST')) throw error;
      });
      if (hierarchy.controllers.includes('cpuset')) await inheritCpuset(parent, directory);
    }
  }

  /** Without cgroup.kill: what forks meanwhile is caught by freezing first, and by looking again. */
  async #killFrozen(path: string, directory: string): Promise<void> {
    const [file, frozen, thawed] = this.version === 'v2' ? ['cgroup.freeze', '1', '0'] : ['freezer.state', 'FROZEN', 'THAWED'];
    await this.#untilEmpty(path, async (pids) => {
      await tryWrite(join(directory, file), frozen);
      for (const pid of pids) killOne(pid);
      // v1 delivers the signal only to a thawed process.
      await tryWrite(join(directory, file), thawed);
    });
  }

  async #untilEmpty(path: string, act: (pids: readonly number[]) => Promise<void> | void): Promise<void> {
    const giveUpAt = performance.now() + KILL_RETRY_MS;
    for (;;) {
      const pids = await this.processes(path);
      if (pids.length === 0) return;
      if (performance.now() > giveUpAt) {
        throw new DaemonError('DeadlineExceeded', `kill cgroup ${path}: ${pids.join(', ')} still there after ${KILL_RETRY_MS / 1000} s`);
      }
      await act(pids);
      await sleep(RETRY_EVERY_MS);
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

function below(hierarchy: Hierarchy, path: string): string {
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

async function isDirectory(path: string): Promise<boolean> {
  return (await unlessMissing(readdir(path), undefined)) !== undefined;
}

/** The directory and all below it, parents first; none when it is gone. */
async function treeOf(directory: string): Promise<string[]> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), undefined);
  if (entries === undefined) return [];
  const children = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  return [directory, ...(await Promise.all(children.map(treeOf))).flat()];
}

async function processesIn(directory: string): Promise<number[]> {
  try {
    const text = await readFile(join(directory, 'cgroup.procs'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } catch (error) {
    // ENODEV: removed while open. EOPNOTSUPP: a threaded cgroup, whose processes its parent lists.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'ENOTSUP', 'EOPNOTSUPP')) return [];
    throw error;
  }
}

async function removeDirectory(directory: string): Promise<void> {
  const giveUpAt = performance.now() + REMOVE_RETRY_MS;
  for (;;) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      if (!hasErrno(error, 'EBUSY') || performance.now() > giveUpAt) throw error;
    }
    await sleep(RETRY_EVERY_MS);
  }
}

/** v2: lets the children of `parent` have its controllers. A parent with processes of its own (EBUSY) stays as it is. */
async function passControllersOn(parent: string): Promise<void> {
  const names = (await readFile(join(parent, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  for (const name of names.filter((each) => each !== '')) {
    await writeFile(join(parent, 'cgroup.subtree_control'), `+${name}`).catch((error: unknown) => {
      if (!hasErrno(error, 'EBUSY', 'ENOENT', 'EINVAL', 'EACCES', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    });
  }
}

/** v1: a new cpuset is empty and takes no process before it has processors and memory nodes. */
async function inheritCpuset(parent: string, child: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if ((await readFile(join(child, file), 'utf8')).trim() !== '') continue;
    await writeFile(join(child, file), await readFile(join(parent, file)));
  }
}

/** @returns false when the file is not there. */
async function tryWrite(file: string, text: string): Promise<boolean> {
  try {
    // r+, as the default would try to create it.
    await writeFile(file, text, { flag: 'r+' });
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return false;
    throw error;
  }
}

async function sumOfChildren(directory: string, except: ReadonlySet<string>): Promise<number> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), []);
  const names = entries.filter((entry) => entry.isDirectory() && !except.has(entry.name)).map((entry) => entry.name);
  const counts = await Promise.all(names.map(async (name) => countIn(join(directory, name, 'memory.events'))));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

async function countIn(file: string): Promise<number | undefined> {
  try {
    return eventCount(await readFile(file, 'utf8'), 'oom_kill');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return undefined;
    throw error;
  }
}
