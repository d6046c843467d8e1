import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import { messageOf, unlessMissing, unlessReadOnly } from '../base/errors.ts';
import { Field, present } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { stage } from '../base/stage.ts';
import { runAt } from '../linux/reluctant-place.ts';
import { noteRelease, noteUse } from './layer-stores.ts';
import type { LayerRecord } from './layer-record.ts';
import type { OutsideTree } from './outside-tree.ts';

/** A layer whose tree is in an additional layer store, which fetches it while it is read. */
export interface LazyLayer extends LayerRecord {
  readonly outside: OutsideTree;
}

/** How often the stores are asked whether the layers are still there, milliseconds, and how long they may take. */
const LOOK_MS = 10_000;
const LOOK_TIMEOUT_MS = 5_000;
/** How many are asked for by one command: their paths are its arguments, and what it says. */
const LOOK_AT_ONCE = 200;

/**
 * The layers of images here that lie in additional layer stores: a record for each, `CHAIN.json`. While its store does not show it, a layer is
 * lost: nobody sees it, so that its images are pulled again, whole where the store has not come back.
 */
export class LazyLayers {
  readonly #directory: string;
  readonly #log: Log;
  readonly #layers = new Map<Digest, LazyLayer>();
  readonly #lost = new Set<Digest>();
  /** Its record and what its store hears of a layer go together, in one order. */
  readonly #turns = new KeyedMutex<Digest>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Reads the records, and asks the stores for the layers. */
  async start(): Promise<void> {
    for (const name of await unlessMissing(readdir(this.#directory), [])) {
      const path = join(this.#directory, name);
      if (!name.endsWith('.json')) {
        await unlessReadOnly(rm(path, { force: true }));
        continue;
      }
      try {
        const record = readRecord(await readFile(path, 'utf8'));
        this.#layers.set(record.chain, record);
      } catch (error) {
        this.#log.warn('lazily loaded layer is left out: its record cannot be read', { path, error: messageOf(error) });
        await unlessReadOnly(rm(path, { force: true }));
      }
    }
    await this.look();
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Undefined while it is lost. */
  get(chain: Digest): LazyLayer | undefined {
    return this.#lost.has(chain) ? undefined : this.#layers.get(chain);
  }

  /** The lost ones too. */
  list(): LazyLayer[] {
    return [...this.#layers.values()];
  }

  /**
   * Adds a layer, or one that was lost again, perhaps at another place, and tells its store. One that is there stays as it is.
   *
   * The place of a lost layer is not released. A store that died has no count of it, and would take the release for one of the use that it has
   * just heard of. One that only hung keeps a count that is one too high, and the layer until it ends: containers may still read there.
   */
  async add(layer: LazyLayer): Promise<void> {
    await this.#turns.run(layer.chain, async () => {
      if (this.get(layer.chain) !== undefined) return; // two images that were pulled at once have it
      await makeDirectoryDurable(this.#directory);
      // First the record: after a crash between the two the store hears once too often that the layer is used no longer, not never.
      await writeFileAtomic(this.#pathOf(layer.chain), JSON.stringify(layer));
      this.#layers.set(layer.chain, layer);
      this.#lost.delete(layer.chain);
      await noteUse(layer.outside);
    });
  }

  /**
   * From now on nobody sees it.
   *
   * Its store hears of it first. After a crash between the two the next start finds the record, which no image names, and releases the layer once
   * more: its store has no count of it then. Without the record nobody would ever release it.
   * @returns whether there was one.
   */
  async remove(chain: Digest): Promise<boolean> {
    const found = this.#take(chain);
    if (found === undefined) return false;
    await this.#turns.run(chain, async () => {
      await this.#release(this.#take(chain) ?? found); // one that was lost may have got another place meanwhile
      stage('lazy-layer.released');
      await rm(this.#pathOf(chain), { force: true });
      await syncDirectory(this.#directory);
    });
    return true;
  }

  #take(chain: Digest): LazyLayer | undefined {
    const layer = this.#layers.get(chain);
    this.#layers.delete(chain);
    this.#lost.delete(chain);
    return layer;
  }

  /** Asks each store for its layers: those that it does not show are lost until it does. */
  async look(): Promise<void> {
    this.#looking ??= this.#lookAtAll().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    const stores = new Set(this.list().map(({ outside }) => outside.store));
    await Promise.all([...stores].map(async (store) => this.#lookAt(store)));
  }

  async #lookAt(store: string): Promise<void> {
    const layers = this.list().filter(({ outside }) => outside.store === store);
    for (let at = 0; at < layers.length; at += LOOK_AT_ONCE) await this.#lookFor(layers.slice(at, at + LOOK_AT_ONCE), store);
  }

  async #lookFor(layers: readonly LazyLayer[], store: string): Promise<void> {
    let shown = new Set<string>();
    let words = 'the store does not show it';
    try {
      const args = ['--format=%n', '--', ...layers.map(({ outside }) => outside.tree)];
      const { stdout, stderr } = await runAt(store, 'stat', { args, timeoutMs: LOOK_TIMEOUT_MS });
      shown = new Set(stdout.toString().split('\n'));
      words = stderr.toString().split('\n')[0] ?? words;
    } catch (error) {
      words = messageOf(error);
    }
    for (const { chain, outside } of layers) this.#note(chain, shown.has(outside.tree), store, words);
  }

  #note(chain: Digest, isThere: boolean, path: string, reason: string): void {
    if (!this.#layers.has(chain) || this.#lost.has(chain) === !isThere) return;
    if (isThere) this.#lost.delete(chain);
    else this.#lost.add(chain);
    if (isThere) this.#log.info('lazily loaded layer is there again', { layer: chain, path });
    else this.#log.warn('lazily loaded layer is lost: images that have it must be pulled again', { layer: chain, path, reason });
  }

  /** A store that does not hear it keeps the layer until it ends. */
  async #release({ chain, outside }: LazyLayer): Promise<void> {
    try {
      await noteRelease(outside);
    } catch (error) {
      this.#log.warn('additional layer store was not told of a release', { layer: chain, path: outside.store, error: messageOf(error) });
    }
  }

  #pathOf(chain: Digest): string {
    return join(this.#directory, `${chain.slice('sha256:'.length)}.json`);
  }
}

/** @throws InvalidArgument that names the field. */
function readRecord(text: string): LazyLayer {
  const record = Field.parse(text, '');
  const outside = record.at('outside');
  return {
    version: record.at('version').oneOf([1]),
    chain: record.at('chain').digest(),
    diffId: record.at('diffId').digest(),
    ...present({ parent: record.at('parent').given?.digest() }),
    sizeBytes: 0,
    inodes: 0,
    outside: { tree: outside.at('tree').text(), store: outside.at('store').text() },
  };
}
