import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, syncDirectory } from '../base/atomic-file.ts';
import { DaemonError, fail, kindOf, messageOf, unlessMissing, unlessReadOnly } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { bootId } from '../linux/process.ts';
import { BootMarks } from './boot-marks.ts';
import { CHUNK_LIST } from './chunks/chunk-list.ts';
import type { IndexFile } from './chunks/index-file.ts';
import type { ChunkPlan, PlanRequest } from './chunks/plan-chunks.ts';
import type { UnpackChunksRequest } from './chunks/unpack-chunks.ts';
import { chainId } from './chain-id.ts';
import { readLayerRecord } from './layer-record.ts';
import type { LayerRecord } from './layer-record.ts';
import { LayerDisk } from './layer-disk.ts';
import { LazyLayers } from './lazy-layers.ts';
import { askOutside, OUTSIDE_JOB_MS } from './outside-tree.ts';
import type { OutsideTree } from './outside-tree.ts';
import type { FollowingJob, StorageWorkers } from './storage-workers.ts';
import { treeDigestOf } from './tree-sum.ts';
import type { Expected, UnpackResult } from './unpack.ts';
import type { Jobs } from './worker-protocol.ts';

/** What a layer holds, as far as its record says. */
export type LayerContent = Pick<UnpackResult, 'diffId' | 'sizeBytes' | 'inodes' | 'impliedDirectories' | 'notes' | 'tree'>;

/** A layer being made, in a directory that only its maker knows. */
export interface StagedLayer {
  readonly name: string;
  /** Where its tree goes. */
  readonly tree: string;
}

const RECORD = 'layer.json';
const TREE = 'fs';
const STAGING = 'staging';
const REMOVING = 'removing';

/**
 * Unpacked layers, `NAME/fs` with their record `NAME/layer.json`. A layer is there when its directory is: it is made in
 * `staging/` and renamed when it is complete and on disk. Names are 16 digits of the chain id: mount(2) takes a page of
 * options, so that short paths let older kernels stack more layers.
 */
export class LayerStore {
  readonly #directory: string;
  readonly #workers: StorageWorkers;
  readonly #log: Log;
  readonly #layers = new Map<Digest, LayerRecord>();
  /** Layers of additional stores; one that is here as well counts as ours. */
  #additional: ReadonlyMap<Digest, LayerRecord> = new Map<Digest, LayerRecord>();
  /** Those that lie in additional layer stores. */
  readonly lazy: LazyLayers;
  readonly disk: LayerDisk;
  /** A layer may be made anew while the old one of its name is being taken away. */
  readonly #renames = new KeyedMutex<string>();
  readonly #marks: BootMarks;
  readonly #plans = new KeyedMutex<'plan'>();
  /** Layers of boots that ended uncleanly, until they are looked at; and what is being looked at. */
  readonly #suspects = new Set<Digest>();
  readonly #checks = new Map<Digest, Promise<void>>();
  /** Makes a damaged layer anew and says whether it could; who knows of blobs and images sets it. */
  mend: (chain: Digest) => Promise<boolean> = () => Promise.resolve(false);

  constructor(directory: string, workers: StorageWorkers, log: Log) {
    this.#directory = directory;
    this.#workers = workers;
    this.#log = log;
    this.#marks = new BootMarks(directory);
    this.disk = new LayerDisk(directory, workers);
    this.lazy = new LazyLayers(join(directory, 'lazy'), log);
  }

  /** Reads the records and removes what was half made or half removed. A bad record costs its layer, never the start. */
  async start(): Promise<void> {
    await makeDirectoryDurable(this.#directory);
    for (const name of [STAGING, REMOVING]) await mkdir(join(this.#directory, name), { recursive: true, mode: 0o700 });
    this.#layers.clear();
    for (const name of await readdir(this.#directory)) {
      if (!/^[0-9a-f]{16}$/.test(name)) continue;
      try {
        const record = readLayerRecord(await readFile(join(this.#directory, name, RECORD), 'utf8'));
        if (nameOf(record.chain) !== name) throw new Error(`it says it is ${record.chain}`);
        this.#layers.set(record.chain, record);
      } catch (error) {
        this.#log.warn('layer set aside: its record cannot be read', {
          path: join(this.#directory, name, RECORD),
          error: messageOf(error),
        });
        await unlessReadOnly(this.#takeAway(name));
      }
    }
    for (const name of [STAGING, REMOVING]) await this.#empty(name);
    await this.lazy.start();
    const unclean = await this.#marks.begin(await bootId());
    this.#suspects.clear();
    for (const { chain, boot } of this.#layers.values()) if (boot !== undefined && unclean.includes(boot)) this.#suspects.add(chain);
  }

  /** Says that the daemon ends as it should, so that the next start need not look at layers. */
  async close(): Promise<void> {
    this.lazy.close();
    await this.#marks.end();
  }

  /** Layers that were made in a boot that ended uncleanly, and that nobody has looked at since. */
  get suspects(): readonly Digest[] {
    return [...this.#suspects];
  }

  /** Resolves when a layer and all below it may be used: suspects are looked at first, and trees elsewhere must be there. @throws FailedPrecondition where one is damaged for good. */
  async ready(top: Digest): Promise<void> {
    const chain = this.chain(top);
    try {
      await askOutside(chain.flatMap(({ outside }) => outside ?? []));
    } catch (error) {
      await this.lazy.look();
      throw error;
    }
    for (const { chain: next } of this.#suspects.size === 0 ? [] : chain) {
      if (!this.#suspects.has(next)) continue;
      const check = this.#checks.get(next) ?? this.#check(next).finally(() => this.#checks.delete(next));
      this.#checks.set(next, check);
      await check;
    }
  }

  async #check(chain: Digest): Promise<void> {
    const isSound = (await this.verify(chain)) !== 'damaged' || (await this.mend(chain));
    this.#suspects.delete(chain);
    if (this.#suspects.size === 0) await this.#marks.settled(await bootId());
    if (!isSound)
      throw new DaemonError(
        'FailedPrecondition',
        `use layer ${chain}: the node went down and the disk lost part of it: pull or load its image again`,
      );
  }

  /** Compares a layer's tree with what it was when it was made. */
  async verify(chain: Digest, signal?: AbortSignal): Promise<'sound' | 'damaged' | 'unknown' | 'outside'> {
    if (this.get(chain)?.outside !== undefined) return 'outside';
    const tree = this.#layers.get(chain)?.tree;
    if (tree === undefined) return 'unknown';
    try {
      return (await this.#workers.run('digestTree', { path: join(this.#directory, nameOf(chain), TREE) }, signal)) === tree
        ? 'sound'
        : 'damaged';
    } catch (error) {
      if (kindOf(error) !== 'Internal') throw error;
      this.#log.warn('layer cannot be read', { layer: chain, error: messageOf(error) });
      return 'damaged';
    }
  }

  /** The digest of a file of ours, by a worker. */
  async digestOfFile(path: string, signal?: AbortSignal): Promise<Digest> {
    return await this.#workers.run('digestFile', { path }, signal);
  }

  has(chain: Digest): boolean {
    return this.get(chain) !== undefined;
  }

  /** Whether its tree is here. */
  isOurs(chain: Digest): boolean {
    return this.#layers.has(chain);
  }

  get(chain: Digest): LayerRecord | undefined {
    return this.#layers.get(chain) ?? this.lazy.get(chain) ?? this.#additional.get(chain);
  }

  /** The layers of additional stores from now on; of two with one chain id the first counts. */
  setAdditional(layers: readonly LayerRecord[]): void {
    this.#additional = new Map(layers.toReversed().map((layer) => [layer.chain, layer]));
  }

  /** Those that have a record here. */
  list(): LayerRecord[] {
    return [...this.#layers.values(), ...this.lazy.list()];
  }

  /** Sum of the sizes recorded when the layers were made. */
  usage(): { usedBytes: number; inodesUsed: number } {
    let usedBytes = 0;
    let inodesUsed = 0;
    for (const layer of this.#layers.values()) {
      usedBytes += layer.sizeBytes;
      inodesUsed += layer.inodes;
    }
    return { usedBytes, inodesUsed };
  }

  /** A layer and all below it, topmost first. @throws NotFound where one is missing. */
  chain(top: Digest): LayerRecord[] {
    const found: LayerRecord[] = [];
    for (let next: Digest | undefined = top; next !== undefined;) {
      const layer: LayerRecord = this.get(next) ?? fail('NotFound', `find layers of ${top}: layer ${next} is not here`);
      found.push(layer);
      next = layer.parent;
    }
    return found;
  }

  /** The directories of a layer and of all below it, topmost first, as overlayfs wants them. @throws NotFound. */
  lowerDirs(top: Digest): string[] {
    return this.chain(top).map((layer) => layer.outside?.tree ?? join(this.#directory, nameOf(layer.chain), TREE));
  }

  /** What all of {@link lowerDirs} lie in that are ours. */
  get tree(): string {
    return this.#directory;
  }

  /** A place for a new layer, which {@link stage} makes. */
  newStaged(): StagedLayer {
    const name = randomBytes(8).toString('hex');
    return { name, tree: join(this.#directory, STAGING, name, TREE) };
  }

  /** Makes room for a new layer. */
  async stage({ tree }: StagedLayer): Promise<void> {
    await mkdir(tree, { recursive: true, mode: 0o700 });
    await chmod(tree, 0o755); // the root directory of an image that does not describe its own
  }

  /** Unpacks a file into a staged layer while the file grows. */
  unpack(staged: StagedLayer, source: string, expected: Expected, signal?: AbortSignal): FollowingJob<UnpackResult> {
    return this.#workers.follow('unpack', { source, directory: staged.tree, expected }, signal);
  }

  /** Directories of the layers whose chunks are known, the newest first. */
  chunkSources(): string[] {
    return [...this.#layers.values()]
      .filter(({ hasChunks }) => hasChunks)
      .map(({ chain }) => join(this.#directory, nameOf(chain)))
      .reverse();
  }

  /** Plans how a staged layer is put together of chunks that are here and others. One plan at a time: it holds the layer's chunks in memory. */
  async planChunks(staged: StagedLayer, request: Omit<PlanRequest, 'list'>, signal: AbortSignal): Promise<ChunkPlan> {
    const list = this.#chunkList(staged);
    return await this.#plans.run('plan', async () => await this.#workers.run('planChunks', { ...request, list }, signal), signal);
  }

  /** Unpacks a staged layer as it was planned, while what is missing of it is fetched. */
  unpackChunks(staged: StagedLayer, request: Omit<UnpackChunksRequest, 'directory'>, signal: AbortSignal): FollowingJob<UnpackResult> {
    return this.#workers.follow('unpackChunks', { ...request, directory: staged.tree }, signal);
  }

  /** Keeps the list of a staged layer's chunks, from what its blob says. */
  async listChunks(staged: StagedLayer, index: IndexFile, signal: AbortSignal): Promise<void> {
    const list = this.#chunkList(staged);
    try {
      await this.#plans.run(
        'plan',
        async () => {
          await this.#workers.run('listChunks', { index, list }, signal);
        },
        signal,
      );
    } catch (error) {
      await rm(list, { force: true });
      throw error;
    }
  }

  #chunkList({ name }: StagedLayer): string {
    return join(this.#directory, STAGING, name, CHUNK_LIST);
  }

  /** Counts the digest of a file while the file grows. */
  hash(source: string, signal?: AbortSignal): FollowingJob<Digest> {
    return this.#workers.follow('hash', { source }, signal);
  }

  /**
   * Finishes an unpacked, staged layer, once the layers below are known: directories that it does not describe are made to look
   * like theirs, and its record is written. It must then be put on disk ({@link DiskWatch.sync}) and adopted.
   * @param lower the trees of the layers below, topmost first.
   */
  async complete(staged: StagedLayer, parent: Digest | undefined, unpacked: LayerContent, lower: readonly string[]): Promise<LayerRecord> {
    const { diffId, sizeBytes, inodes, notes, impliedDirectories: implied } = unpacked;
    let { tree } = unpacked;
    if (implied.length > 0 && lower.length > 0) tree = await this.readTrees('inherit', { layer: staged.tree, implied, lower, tree }, lower);
    if (notes.length > 0) this.#log.warn('parts of a layer are left out', { diffId, leftOut: notes });
    const list = await unlessMissing(stat(this.#chunkList(staged)), undefined);
    const record: LayerRecord = {
      version: 1,
      chain: chainId(parent, diffId),
      diffId,
      ...(parent === undefined ? {} : { parent }),
      ...(list === undefined ? {} : { hasChunks: true }),
      sizeBytes: sizeBytes + (list?.size ?? 0),
      inodes,
      tree: tree === undefined ? await this.#workers.run('digestTree', { path: staged.tree }) : treeDigestOf(tree),
      boot: await bootId(),
    };
    await writeFile(join(this.#directory, STAGING, staged.name, RECORD), JSON.stringify(record), { mode: 0o600 });
    return record;
  }

  /**
   * Has a worker read trees of layers. Where some lie elsewhere, they must be there, and a worker that hangs in them is left behind.
   * @throws FailedPrecondition, Unavailable, DeadlineExceeded of those; what the job throws.
   */
  async readTrees<K extends 'inherit' | 'describe'>(
    kind: K,
    request: Jobs[K]['request'],
    trees: readonly string[],
  ): Promise<Jobs[K]['result']> {
    const outside = this.#outsideOf(trees);
    if (outside.length === 0) return await this.#workers.run(kind, request);
    await askOutside(outside);
    const place = [...new Set(outside.map(({ store }) => store))].join(' and ');
    return await this.#workers.runAt(place, kind, request, OUTSIDE_JOB_MS);
  }

  #outsideOf(trees: readonly string[]): OutsideTree[] {
    const elsewhere = trees.filter((tree) => !tree.startsWith(`${this.#directory}/`));
    if (elsewhere.length === 0) return [];
    const known = new Map<string, OutsideTree>();
    for (const { outside } of [...this.lazy.list(), ...this.#additional.values()])
      if (outside !== undefined) known.set(outside.tree, outside);
    return elsewhere.map((tree) => known.get(tree) ?? fail('FailedPrecondition', `read layer ${tree}: its store is gone`));
  }

  /** Makes a completed, synced layer one of the store, in one rename. One that is here already wins. */
  async adopt(staged: StagedLayer, record: LayerRecord): Promise<void> {
    const name = nameOf(record.chain);
    const isNew = await this.#renames.run(name, async () => {
      if (this.#layers.has(record.chain)) return false;
      try {
        await rename(join(this.#directory, STAGING, staged.name), join(this.#directory, name));
      } catch (error) {
        // Only another chain id with the same 16 digits can be in the way.
        throw new DaemonError('Internal', `add layer ${record.chain}: ${messageOf(error)}`, { cause: error });
      }
      this.#layers.set(record.chain, record);
      return true;
    });
    if (isNew) await syncDirectory(this.#directory);
    else await this.discard(staged);
  }

  /** Puts a completed, synced layer in the place of the one of its name, which nobody may stand on. */
  async replace(staged: StagedLayer, record: LayerRecord): Promise<void> {
    const name = nameOf(record.chain);
    const away = await this.#renames.run(name, async () => {
      const old = await this.#takeAway(name);
      await rename(join(this.#directory, STAGING, staged.name), join(this.#directory, name));
      this.#layers.set(record.chain, record);
      return old;
    });
    await syncDirectory(this.#directory);
    await this.#workers.run('remove', { parent: join(this.#directory, REMOVING), name: away });
  }

  /** Removes a staged layer. */
  async discard(staged: StagedLayer): Promise<void> {
    await this.#workers.run('remove', { parent: join(this.#directory, STAGING), name: staged.name });
  }

  /** Removes a layer. From now on nobody sees it; resolves when its space is free. */
  async remove(chain: Digest): Promise<void> {
    if (await this.lazy.remove(chain)) return;
    if (!this.#layers.delete(chain)) return;
    this.#suspects.delete(chain);
    const away = await this.#renames.run(nameOf(chain), async () => await this.#takeAway(nameOf(chain)));
    await this.#workers.run('remove', { parent: join(this.#directory, REMOVING), name: away });
  }

  async #takeAway(name: string): Promise<string> {
    const away = `${name}-${randomBytes(4).toString('hex')}`;
    await rename(join(this.#directory, name), join(this.#directory, REMOVING, away));
    return away;
  }

  async #empty(folder: string): Promise<void> {
    const parent = join(this.#directory, folder);
    for (const name of await readdir(parent)) {
      try {
        await this.#workers.run('remove', { parent, name });
      } catch (error) {
        this.#log.warn('half-made layer cannot be removed', { path: join(parent, name), error: messageOf(error) });
      }
    }
  }
}

function nameOf(chain: Digest): string {
  return chain.slice('sha256:'.length, 'sha256:'.length + 16);
}
