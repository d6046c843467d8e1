import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { makeDirectoryDurable } from '../base/atomic-file.ts';
import { sleep } from '../base/deadline.ts';
import { fail, unlessMissing } from '../base/errors.ts';
import { isDigest, isObjectId } from '../base/ids.ts';
import type { ContainerId, Digest } from '../base/ids.ts';
import { stage } from '../base/stage.ts';
import { measureTree } from '../linux/measure-tree.ts';
import type { TreeUsage } from '../linux/measure-tree.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { bootId } from '../linux/process.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import { describeLike } from './implied-directories.ts';
import type { LayerStore } from './layers.ts';
import type { StorageWorkers } from './storage-workers.ts';
import { OLDER_UPPER, WritableLayer } from './writable-layer.ts';

export interface RootfsMount {
  /** An existing directory. */
  readonly target: string;
  readonly readOnly?: boolean;
  /** A tar of what is already written in it, as a layer would have it. */
  readonly changes?: string | undefined;
  /** Images mounted beside it, each read-only at a directory that is made. */
  readonly volumes?: readonly { readonly chain: Digest; readonly target: string }[];
  /** The SELinux label of all that is in it, and in its volumes. */
  readonly context?: string | undefined;
  /** The user namespace that all of it is for: it sees the owners that the images have. */
  readonly user?: RootfsUser | undefined;
}

/** A user namespace: its ids, and where all layers are mounted with them. */
export interface RootfsUser {
  readonly layers: string;
  readonly mapping: UserMapping;
}

/** Least time between two walks of one writable layer, milliseconds; a long walk waits longer for the next. */
const MEASURE_INTERVAL_MS = 10_000;
const MEASURE_SHARE = 20;

/** How long callers wait for a new figure where there is an older one, milliseconds. */
const MEASURE_PATIENCE_MS = 1_000;

/** Up to so many files of a container are removed at once: 400. See removeTrees(). */
const MOST_PAUSES = 1;

interface Measured {
  readonly usage: Promise<TreeUsage>;
  /** The figure before this one. */
  readonly earlier: TreeUsage | undefined;
  /** This figure, once it is known. */
  known: TreeUsage | undefined;
  validUntilMs: number;
}

/** The writable layers of containers: `ID/diff` and `ID/work` of an overlay over an image's layers, `ID/chain` naming all of those and of its volumes', `ID/boot` the boot it was mounted in. */
export class RootfsStore {
  readonly #directory: string;
  readonly #layers: LayerStore;
  readonly #workers: StorageWorkers;
  readonly #measured = new Map<ContainerId, Measured>();
  /** Those that an older daemon has made. */
  readonly #older = new Set<ContainerId>();

  constructor(directory: string, layers: LayerStore, workers: StorageWorkers) {
    this.#directory = directory;
    this.#layers = layers;
    this.#workers = workers;
  }

  async start(): Promise<void> {
    await makeDirectoryDurable(this.#directory);
    for (const id of await this.list()) {
      const older = new WritableLayer(join(this.#directory, id), OLDER_UPPER);
      if ((await unlessMissing(stat(older.upper), undefined)) !== undefined) this.#older.add(id);
    }
  }

  /**
   * Mounts the root file system of a container: the layers of `chain`, and a writable layer of its own, which is made at the
   * first time and kept until the node boots again; and its image volumes. @throws NotFound where a layer is missing; the system error of a failed mount.
   */
  async mount(
    containerId: ContainerId,
    chain: Digest,
    { target, readOnly = false, volumes = [], user, changes, context }: RootfsMount,
  ): Promise<void> {
    const lower = this.#layers.lowerDirs(chain);
    const tops = [chain, ...volumes.map((volume) => volume.chain)];
    // Each by itself: while the additional store of one is gone, nothing else tells what lies below it.
    const below = tops.flatMap((top) => this.#layers.chain(top));
    for (const top of tops) await this.#layers.ready(top);
    const own = this.#layerOf(containerId);
    const { upper, work } = own;
    const boot = await bootId();
    if ((await mkdir(own.directory, { recursive: true, mode: 0o700 })) === undefined) await prepareAgain(own, boot);
    const [made] = await Promise.all([
      mkdir(upper, { recursive: true, mode: 0o755 }),
      mkdir(work, { recursive: true, mode: 0o700 }),
      writeFile(own.chainFile, below.map((layer) => layer.chain).join('\n'), { mode: 0o600 }),
      writeFile(own.bootFile, boot, { mode: 0o600 }),
    ]);
    const isNew = made !== undefined;
    // The root directory of a container is the upper one: it must look like the image's.
    if (isNew && lower[0] !== undefined) await this.#describe(lower[0], upper, user?.mapping);
    if (isNew && changes !== undefined) await this.#fill(upper, changes, lower);
    const shown = (directories: readonly string[]): readonly string[] => this.#shownTo(user, directories);
    const options = context === undefined ? [] : [`context=${context}`];
    const all = ['index=off', ...options];
    await onThread('mountOverlay', { lower: shown(lower), upper, work, target, readOnly, options: all, volatile: true });
    for (const volume of volumes) {
      const empty = `${volume.target}.empty`;
      for (const directory of [volume.target, empty]) await mkdir(directory, { recursive: true, mode: 0o755 });
      // An overlay without an upper directory must have two at least; a bind mount of one layer would show its whiteouts.
      const layers = [...shown(this.#layers.lowerDirs(volume.chain)), empty];
      await onThread('mountOverlay', { lower: layers, target: volume.target, readOnly: true, options });
      stage('container.volume.mounted');
    }
  }

  /** The same directories of layers, with the owners of a user namespace. @throws FailedPrecondition for those of additional stores. */
  #shownTo(user: RootfsUser | undefined, directories: readonly string[]): readonly string[] {
    if (user === undefined) return directories;
    const outside = directories.find((path) => !this.#isOurs(path));
    if (outside !== undefined)
      fail('FailedPrecondition', `mount root file system: the layer ${outside} is of an additional store, whose layers have no owners of a user namespace: the pod must have none`); // prettier-ignore
    return directories.map((path) => join(user.layers, relative(this.#layers.tree, path)));
  }

  #isOurs(path: string): boolean {
    return path.startsWith(`${this.#layers.tree}/`);
  }

  /** That of others may be slow. */
  async #describe(source: string, target: string, user: UserMapping | undefined): Promise<void> {
    if (this.#isOurs(source)) describeLike(source, target, user);
    else await this.#layers.readTrees('describe', { source, target, user }, [source]);
  }

  /** What a container has written, and the directories below it, topmost first. @throws NotFound where a layer is missing. */
  directoriesOf(containerId: ContainerId, chain: Digest): { readonly upper: string; readonly lower: readonly string[] } {
    return { upper: this.#layerOf(containerId).upper, lower: this.#layers.lowerDirs(chain) };
  }

  /** The directory of what a container has written, whose `diff` is that. */
  directoryOf(containerId: ContainerId): string {
    return this.#layerOf(containerId).directory;
  }

  /** Whether layers lie where we keep ours. Others are in additional stores, which may hang, or be gone by now. */
  areOurs(chains: readonly Digest[]): boolean {
    return chains.every((chain) => this.#layers.isOurs(chain));
  }

  /** The directories of the layers of an image, topmost first. @throws NotFound where a layer is missing. */
  lowerDirectories(chain: Digest): readonly string[] {
    return this.#layers.lowerDirs(chain);
  }

  /** Unmounts a container's root file system; one that is not mounted is unmounted already. */
  async unmount(_containerId: ContainerId, target: string): Promise<void> {
    await onThread('unmount', { path: target });
  }

  /**
   * Removes the writable layer, which must be unmounted, and with it other files and directories of the container, by their absolute paths.
   * What is not there is removed already.
   */
  async remove(containerId: ContainerId, others: readonly string[] = []): Promise<void> {
    this.#measured.delete(containerId);
    this.#older.delete(containerId);
    // Starting a storage worker takes longer than removing a few files.
    const paths = [this.#layerOf(containerId).directory, ...others];
    for (const left of await onThread('removeTrees', { paths, mostPauses: MOST_PAUSES }))
      await this.#workers.run('remove', { parent: dirname(left), name: basename(left) });
  }

  /** The containers that have a writable layer here. */
  async list(): Promise<ContainerId[]> {
    return (await unlessMissing(readdir(this.#directory), [])).filter(isObjectId) as ContainerId[];
  }

  /** The layers that writable layers stand on: they must stay, whatever became of their image. */
  async chains(): Promise<Digest[]> {
    const found = await Promise.all(
      (await this.list()).map(async (id) => await unlessMissing(readFile(this.#layerOf(id).chainFile, 'utf8'), '')),
    );
    return found.flatMap((text) => text.split('\n')).filter(isDigest);
  }

  /** What all containers together have written. */
  async totalUsage(): Promise<TreeUsage> {
    let usedBytes = 0;
    let inodesUsed = 0;
    for (const id of await this.list()) {
      const usage = await this.usage(id);
      usedBytes += usage.usedBytes;
      inodesUsed += usage.inodesUsed;
    }
    return { usedBytes, inodesUsed };
  }

  /**
   * What a container has written, without its image. It is measured by walking, at most every 10 s and for at most a
   * twentieth of the time; callers in between, and those of a long walk, get the last figure. A container without a
   * writable layer has 0.
   */
  async usage(containerId: ContainerId): Promise<TreeUsage> {
    const last = this.#measured.get(containerId);
    const current = last !== undefined && Date.now() < last.validUntilMs ? last : this.#measureAgain(containerId, last?.known);
    if (current.known !== undefined) return current.known;
    if (current.earlier === undefined) return await current.usage;
    const { earlier } = current;
    const patience = new AbortController();
    try {
      return await Promise.race([current.usage, sleep(MEASURE_PATIENCE_MS, patience.signal).then(() => earlier)]);
    } finally {
      patience.abort();
    }
  }

  async #fill(upper: string, changes: string, lower: readonly string[]): Promise<void> {
    const job = this.#workers.follow('unpack', { source: changes, directory: upper, expected: {} });
    job.grown((await stat(changes)).size, true);
    const { impliedDirectories } = await job.result;
    if (impliedDirectories.length > 0) await this.#layers.readTrees('inherit', { layer: upper, implied: impliedDirectories, lower }, lower);
  }

  #measureAgain(containerId: ContainerId, earlier: TreeUsage | undefined): Measured {
    const startedMs = Date.now();
    const usage = unlessMissing(this.#measure(containerId), { usedBytes: 0, inodesUsed: 0 });
    const fresh: Measured = { usage, earlier, known: undefined, validUntilMs: Infinity };
    this.#measured.set(containerId, fresh);
    const ended = (known: TreeUsage | undefined): void => {
      const nowMs = Date.now();
      fresh.known = known;
      fresh.validUntilMs = nowMs + Math.max(MEASURE_INTERVAL_MS, MEASURE_SHARE * (nowMs - startedMs));
    };
    usage.then(ended, () => {
      ended(earlier);
    });
    return fresh;
  }

  #layerOf(containerId: ContainerId): WritableLayer {
    return new WritableLayer(join(this.#directory, containerId), this.#older.has(containerId) ? OLDER_UPPER : undefined);
  }

  async #measure(containerId: ContainerId): Promise<TreeUsage> {
    const { upper } = this.#layerOf(containerId);
    const steps = measureTree(upper);
    const first = steps.next();
    if (first.done === true) return first.value;
    steps.return({ usedBytes: 0, inodesUsed: 0 }); // too big for the event loop
    return await this.#workers.run('measure', { path: upper });
  }
}

/**
 * The kernel refuses a writable layer that was mounted volatile before. In the same boot nothing of it is lost, so the kernel's
 * mark is removed. After another boot any part of it may be missing, so it is made anew.
 */
async function prepareAgain({ bootFile, upper, work, volatileMark }: WritableLayer, boot: string): Promise<void> {
  const before = await unlessMissing(readFile(bootFile, 'utf8'), '');
  for (const path of before === boot ? [volatileMark] : [upper, work]) await rm(path, { recursive: true, force: true });
}
