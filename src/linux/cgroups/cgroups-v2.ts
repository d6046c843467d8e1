import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../../base/errors.ts';
import { BaseCgroups } from './base-cgroups.ts';
import type { GoneOomKills, MemoryEvents } from './cgroups.ts';
import { CgroupTexts, readOomKills, readOomKillsBeside } from './cgroup-texts.ts';
import { readFigures, readUsage } from './figures-v2.ts';
import type { CgroupFigures, CgroupUsage } from './figures.ts';
import type { Hierarchy } from './hierarchies.ts';
import type { KillBy, MakeIn } from './tree-calls.ts';

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

  expectMove(): void {
    // See Cgroups: there is nothing to wait for.
  }

  async oomKills(path: string): Promise<number | undefined> {
    return readOomKills(join(this.primaryDirectory(path), 'memory.events'));
  }

  async goneOomKills(path: string, gone: ReadonlySet<string>): Promise<GoneOomKills | undefined> {
    if (!this.#countsBelow) return undefined;
    const directory = this.primaryDirectory(path);
    const file = join(directory, 'memory.events');
    for (let round = 1; ; round += 1) {
      const before = readOomKills(file);
      if (before === undefined) return undefined;
      const kills = before === 0 ? 0 : before - (await sumOfChildren(directory, gone));
      // A kill meanwhile may be in one of the numbers alone.
      if (before !== 0 && round < STEADY_ROUNDS && readOomKills(file) !== before) continue;
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

  protected inheritedIn(): MakeIn['inherits'] {
    return 'controllers';
  }

  protected leafTrees(): readonly Hierarchy[] {
    return this.trees;
  }

  protected killBy(path: string): KillBy {
    const directory = this.primaryDirectory(path);
    const freezer = { file: join(directory, 'cgroup.freeze'), frozen: '1', thawed: '0' };
    return { killFile: join(directory, 'cgroup.kill'), freezer }; // since Linux 5.14
  }
}

async function sumOfChildren(directory: string, except: ReadonlySet<string>): Promise<number> {
  const entries = await unlessMissing(readdir(directory, { withFileTypes: true }), []);
  const names = entries.filter((entry) => entry.isDirectory() && !except.has(entry.name)).map((entry) => entry.name);
  const counts = await Promise.all(names.map(async (name) => readOomKillsBeside(join(directory, name, 'memory.events'))));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}
