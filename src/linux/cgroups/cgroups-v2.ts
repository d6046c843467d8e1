import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno, unlessMissing } from '../../base/errors.ts';
import { BaseCgroups } from './base-cgroups.ts';
import type { GoneOomKills, MemoryEvents } from './cgroups.ts';
import { CgroupTexts, readOomKills } from './cgroup-texts.ts';
import { makeDirectory, tryWrite } from './directories.ts';
import { readFigures, readUsage } from './figures-v2.ts';
import type { CgroupFigures, CgroupUsage } from './figures.ts';
import type { Hierarchy } from './hierarchies.ts';

/** How often the counts of a cgroup and its children are read until no kill falls in between. */
const STEADY_ROUNDS = 20;

/** One tree, and all controllers in it. */
export class CgroupsV2 extends BaseCgroups {
  readonly version = 'v2';
  readonly #countsBelow: boolean;

  /** @param options.countsBelow whether memory.events of a cgroup counts what is in those below it: not with `memory_localevents` */
  constructor(tree: Hierarchy, { countsBelow }: { readonly countsBelow: boolean }) {
    super([tree], tree);
    this.#countsBelow = countsBelow;
  }

  async oomKills(path: string): Promise<number | undefined> {
    return readOomKills(join(this.primaryDirectory(path), 'memory.events'));
  }

  async goneOomKills(path: string, gone: ReadonlySet<string>): Promise<GoneOomKills | undefined> {
    if (!this.#countsBelow) return undefined;
    const directory = this.primaryDirectory(path);
    const file = join(directory, 'memory.events');
    for (let round = 1; ; round += 1) {
      const before = await readOomKills(file);
      if (before === undefined) return undefined;
      const kills = before === 0 ? 0 : before - (await sumOfChildren(directory, gone));
      // A kill meanwhile may be in one of the numbers alone.
      if (before !== 0 && round < STEADY_ROUNDS && (await readOomKills(file)) !== before) continue;
      const status = await unlessMissing(stat(directory, { bigint: true }), undefined);
      return status === undefined ? undefined : { kills, cgroup: status.ino.toString() };
    }
  }

  async memoryEvents(path: string): Promise<MemoryEvents | undefined> {
    const texts = await CgroupTexts.read(() => this.primaryDirectory(path), ['memory.events', 'memory.events.local']);
    if (texts.text('memory.events') === undefined) return undefined;
    return { own: texts.flat('memory.events.local'), withBelow: texts.flat('memory.events') };
  }

  async usage(path: string): Promise<CgroupUsage | undefined> {
    return readUsage(this.primaryDirectory(path));
  }

  async figures(path: string, hugePageSizes: readonly string[]): Promise<CgroupFigures | undefined> {
    return readFigures(this.primaryDirectory(path), hugePageSizes);
  }

  protected async makeChild(_tree: Hierarchy, parent: string, child: string): Promise<void> {
    await passControllersOn(parent);
    await makeDirectory(child);
  }

  protected leafTrees(): readonly Hierarchy[] {
    return this.trees;
  }

  protected async killAll(path: string): Promise<void> {
    const directory = this.primaryDirectory(path);
    // A file since Linux 5.14.
    if (await tryWrite(join(directory, 'cgroup.kill'), '1')) await this.untilEmpty(path, () => undefined);
    else await this.killFrozen(path, { file: join(directory, 'cgroup.freeze'), frozen: '1', thawed: '0' });
  }
}

/** Lets the children of `parent` have its controllers. A parent with processes of its own (EBUSY) stays as it is. */
async function passControllersOn(parent: string): Promise<void> {
  const names = (await readFile(join(parent, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  for (const name of names.filter((each) => each !== '')) {
    await writeFile(join(parent, 'cgroup.subtree_control'), `+${name}`).catch((error: unknown) => {
      if (!hasErrno(error, 'EBUSY', 'ENOENT', 'EINVAL', 'EACCES', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    });
  }
}

async function sumOfChildren(directory: string, except: ReadonlySet<string>): Promise<number> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), []);
  const names = entries.filter((entry) => entry.isDirectory() && !except.has(entry.name)).map((entry) => entry.name);
  const counts = await Promise.all(names.map(async (name) => readOomKills(join(directory, name, 'memory.events'))));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
