import { join } from 'node:path';
import { present } from '../../base/field.ts';
import type { Log } from '../../base/log.ts';
import { BaseCgroups, below } from './base-cgroups.ts';
import { CgroupTexts, readOomKills, readOomKillsBeside } from './cgroup-texts.ts';
import type { MemoryEvents } from './cgroups.ts';
import { EarlyMove } from './early-move.ts';
import { hasNoneBelow, treeOf } from './directories.ts';
import { readFigures, readUsage } from './figures-v1.ts';
import type { CgroupFigures, CgroupUsage } from './figures.ts';
import type { Hierarchy } from './hierarchies.ts';
import type { KillBy, MakeIn } from './tree-calls.ts';

const LEAF_CONTROLLERS: ReadonlySet<string> = new Set(['memory', 'cpu', 'cpuacct', 'pids']);

/** A tree for each controller or few. On a hybrid node the unified one is served as well, since runtimes join that too. */
export class CgroupsV1 extends BaseCgroups {
  readonly version = 'v1';
  readonly #earlyMove: EarlyMove;

  constructor(trees: readonly Hierarchy[], primary: Hierarchy, log: Log) {
    super(trees, primary);
    this.#earlyMove = new EarlyMove(primary, log);
  }

  expectMove(): void {
    this.#earlyMove.begin();
  }

  /** memory.oom_control counts its own cgroup only. */
  async oomKills(path: string): Promise<number | undefined> {
    const directory = this.#directoryOf('memory', path);
    if (directory === undefined) return undefined;
    if (hasNoneBelow(directory)) return readOomKills(join(directory, 'memory.oom_control'));
    const counts = await Promise.all((await treeOf(directory)).map(async (each) => readOomKillsBeside(join(each, 'memory.oom_control'))));
    const known = counts.filter((count) => count !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, count) => sum + count, 0);
  }

  /** Not known: no count of version 1 has those of cgroups that are gone. */
  async goneOomKills(): Promise<undefined> {
    return undefined;
  }

  async memoryEvents(path: string): Promise<MemoryEvents | undefined> {
    const files = ['memory.failcnt', 'memory.memsw.failcnt', 'memory.oom_control'];
    const texts = await CgroupTexts.read((controller) => this.#directoryOf(controller, path), files);
    const failcnt = texts.number('memory.failcnt');
    if (failcnt === undefined) return undefined;
    // Where swap has the same limit, as runtimes have it for none, that one is met first.
    const memsw = present({ 'memsw.failcnt': texts.number('memory.memsw.failcnt') });
    return { own: { failcnt, ...memsw, ...texts.flat('memory.oom_control') }, withBelow: {} };
  }

  async usage(path: string): Promise<CgroupUsage | undefined> {
    return readUsage((controller) => this.#directoryOf(controller, path));
  }

  async figures(path: string, hugePageSizes: readonly string[]): Promise<CgroupFigures | undefined> {
    const [figures, oomKills] = await Promise.all([
      readFigures((controller) => this.#directoryOf(controller, path), hugePageSizes),
      this.oomKills(path),
    ]);
    return figures === undefined ? undefined : { ...figures, oomKills };
  }

  /** Nothing is passed on in a hybrid's unified tree: with controllers passed on, a cgroup may not have processes of its own. */
  protected inheritedIn({ controllers }: Hierarchy): MakeIn['inherits'] {
    return controllers.includes('cpuset') ? 'cpuset' : 'nothing';
  }

  protected leafTrees(): readonly Hierarchy[] {
    return this.trees.filter(({ controllers }) => controllers.some((name) => LEAF_CONTROLLERS.has(name)));
  }

  protected killBy(path: string): KillBy {
    const file = join(this.primaryDirectory(path), 'freezer.state');
    return { freezer: { file, frozen: 'FROZEN', thawed: 'THAWED' } };
  }

  /** The directory of `path` for a controller; undefined where the node does not have it here. */
  #directoryOf(controller: string, path: string): string | undefined {
    const tree = this.trees.find((each) => each.controllers.includes(controller));
    return tree === undefined ? undefined : below(tree, path);
  }
}
