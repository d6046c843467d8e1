import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import { DaemonError, messageOf, unlessReadOnly } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';
import type { Log } from '../base/log.ts';
import { stage } from '../base/stage.ts';
import type { BlobStore } from '../storage/blobs.ts';
import type { LayerStore } from '../storage/layers.ts';
import type { RootfsStore } from '../storage/rootfs.ts';
import { NO_SHORT_NAMES } from '../registry/short-names.ts';
import type { ShortNames } from '../registry/short-names.ts';
import { ImageIndex } from './image-index.ts';
import { fileOf, readImageRecord, union } from './image-record.ts';
import type { ImageRecord } from './image-record.ts';
import { KeptSignatures } from './kept-signatures.ts';

export type { ImageLayer, ImageRecord } from './image-record.ts';

export interface ImageStoreParts {
  /** Of the records; made where it is missing. */
  readonly directory: string;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly rootfs: RootfsStore;
  readonly log: Log;
  /** What names without a registry mean before docker.io, as for a pull. Asked at every look. Default: nothing. */
  readonly shortNames?: () => ShortNames;
  /** Whether the compressed form of a layer is dropped once it is unpacked. Asked whenever it matters. Default false. */
  readonly discardsBlobs?: () => boolean;
  /** Whether layers may lie in stores that come and go: then an image without its layers is not seen, but kept. Default false. */
  readonly hasAdditionalStores?: () => boolean;
}

const WHOLE_STORE = 'all';
const BAD = 'bad';
/** How long the sound layers of a damaged image wait for its next pull, milliseconds. */
const SET_ASIDE_MS = 60 * 60_000;

/**
 * The images of this node: one record file each, and in memory who uses what. An image is there when its record is: records
 * are written after, and removed before, the layers and blobs they name. What no record names is removed.
 */
export class ImageStore {
  readonly signatures: KeptSignatures;
  readonly #parts: ImageStoreParts;
  /** Those that have a record here, also where a layer of theirs is missing for the time. */
  readonly #own = new ImageIndex();
  /** Those of additional stores. */
  #additional = new ImageIndex();
  readonly #users = new Map<ImageId, Set<string>>();
  /** Layers and blobs of images being made, which no record names yet. */
  readonly #retained = new Map<Digest, number>();
  /** Of images that are set aside: ends the keeping of their layers. */
  readonly #setAsides = new Map<ImageId, () => void>();
  readonly #mutex = new KeyedMutex<string>();
  #pinned: readonly { readonly expression: RegExp; readonly isOfDigests: boolean }[] = [];

  constructor(parts: ImageStoreParts) {
    this.#parts = parts;
    this.signatures = new KeptSignatures(join(parts.directory, 'signatures'));
  }

  /** Reads the records, after the stores below have started, and removes layers and blobs that none of them names. */
  async start(): Promise<void> {
    const { directory, log } = this.#parts;
    await makeDirectoryDurable(directory);
    this.#own.clear();
    const found: ImageRecord[] = [];
    for (const file of await readdir(directory)) {
      const path = join(directory, file);
      if (file.endsWith('.tmp')) await unlessReadOnly(rm(path, { force: true }));
      if (!file.endsWith('.json')) continue;
      try {
        const record = readImageRecord(await readFile(path, 'utf8'));
        if (fileOf(record.id) !== file) throw new Error(`it says it is ${record.id}`);
        if (this.#parts.hasAdditionalStores?.() !== true) this.#parts.layers.lowerDirs(record.chain);
        found.push(record);
      } catch (error) {
        log.warn('image set aside: its record or a layer of it is not usable; pull or load it again', { path, error: messageOf(error) });
        await this.#setAside(file);
      }
    }
    await this.#settleNames(found);
    await this.collect();
  }

  /** Whether the blob of a layer that is unpacked is of no use here. */
  get discardsBlobs(): boolean {
    return this.#parts.discardsBlobs?.() ?? false;
  }

  /** All images, in no order. One that is here and in an additional store is told once, with the names of both; of two with one name, the one here has it. */
  list(): ImageRecord[] {
    const own = this.#own.all().filter((record) => this.#isWhole(record));
    const additional = this.#additional.all().filter(({ id }) => this.own(id) === undefined);
    return [...own.map((record) => this.#view(record)), ...additional.map((record) => this.#viewOfStored(record))];
  }

  get(id: ImageId): ImageRecord | undefined {
    const stored = this.#additional.get(id);
    return this.own(id) ?? (stored && this.#viewOfStored(stored));
  }

  /** The image where it has a record here, and all of its layers. */
  own(id: ImageId): ImageRecord | undefined {
    const record = this.#own.get(id);
    return this.#isWhole(record) ? this.#view(record) : undefined;
  }

  /** The images of additional stores from now on, in the order of the stores: of two with one id or one name the first counts. */
  setAdditional(records: readonly ImageRecord[]): void {
    const next = new ImageIndex();
    for (const record of records) {
      if (next.get(record.id) === undefined) next.add({ ...record, names: record.names.filter((name) => !next.hasName(name)) });
    }
    this.#additional = next;
  }

  /**
   * The image that `text` means, as {@link ImageIndex.find} has it: of those that are here, else of the additional stores.
   * Undefined where there is none, also for what is no reference.
   */
  resolve(text: string): ImageRecord | undefined {
    const shortNames = this.#parts.shortNames?.() ?? NO_SHORT_NAMES;
    const id = this.#own.find(text.trim(), shortNames);
    const own = id && this.own(id);
    if (own !== undefined) return own;
    const other = this.#additional.find(text.trim(), shortNames);
    return other && this.get(other);
  }

  /** What its manifest says about itself; nothing where the blob is gone. */
  async annotationsOf(image: ImageRecord): Promise<Readonly<Record<string, unknown>>> {
    try {
      return new Field(await this.#document(image, 'manifest'), '').at('annotations').given?.object() ?? {};
    } catch {
      return {};
    }
  }

  /** The manifest of an image; nothing where the blob is gone. */
  async manifestDocument(image: ImageRecord): Promise<unknown> {
    try {
      return await this.#document(image, 'manifest');
    } catch {
      return {};
    }
  }

  /** The whole config of an image, with what its record does not keep; the record's where the blob is gone. */
  async configDocument(image: ImageRecord): Promise<unknown> {
    try {
      return await this.#document(image, 'config');
    } catch {
      return image.config;
    }
  }

  async #document({ documents, manifestDigest, configDigest }: ImageRecord, which: 'manifest' | 'config'): Promise<unknown> {
    const digest = which === 'manifest' ? manifestDigest : configDigest;
    return JSON.parse(documents?.[which] ?? (await this.#parts.blobs.read(digest)).toString('utf8'));
  }

  /** Says that `user` (a container's id) uses an image, which then cannot be removed. */
  hold(id: ImageId, user: string): void {
    const users = this.#users.get(id) ?? new Set();
    this.#users.set(id, users.add(user));
  }

  release(id: ImageId, user: string): void {
    const users = this.#users.get(id);
    users?.delete(user);
    if (users?.size === 0) this.#users.delete(id);
  }

  /** Who holds an image. */
  usersOf(id: ImageId): string[] {
    return [...(this.#users.get(id) ?? [])];
  }

  /** Names of images the kubelet must keep, with `*` for any text: whole names, or short ones as in a reference. With an `@` they are of digests. */
  setPinned(patterns: readonly string[]): void {
    this.#pinned = patterns.map((pattern) => {
      const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      return { expression: new RegExp(`^${parts.join('.*')}$`), isOfDigests: pattern.includes('@') };
    });
  }

  /** Keeps layers and blobs that an image being made needs from being removed, until the function returned is called. */
  retain(digests: readonly Digest[]): () => void {
    for (const digest of digests) this.#retained.set(digest, (this.#retained.get(digest) ?? 0) + 1);
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      for (const digest of digests) {
        const left = (this.#retained.get(digest) ?? 1) - 1;
        if (left === 0) this.#retained.delete(digest);
        else this.#retained.set(digest, left);
      }
    };
  }

  /**
   * Adds an image whose layers and blobs are on disk, or adds names and digests to one that is here: its manifest and blobs are the
   * new ones where it has lost some of the old. Its names are taken from the images that had them.
   */
  async put(record: ImageRecord): Promise<ImageRecord> {
    return await this.#mutex.run(WHOLE_STORE, async () => {
      const known = this.#own.get(record.id);
      const base = known?.layers.every(({ digest }) => this.#parts.blobs.has(digest)) === true ? known : { ...known, ...record };
      const merged: ImageRecord = {
        ...base,
        names: union(known?.names ?? [], record.names),
        digests: union(known?.digests ?? [], record.digests),
        updatedAtMs: Date.now(),
      };
      await this.#write(merged);
      stage('image.recorded');
      this.#setAsides.get(merged.id)?.(); // its record keeps its layers again
      this.#setAsides.delete(merged.id);
      for (const other of this.#own.all()) {
        const names = other.names.filter((name) => !record.names.includes(name));
        if (other.id !== merged.id && names.length < other.names.length) await this.#write({ ...other, names });
      }
      return this.#view(merged);
    });
  }

  /**
   * Removes an image with all its names, and the layers and blobs that no other image has. `text` as for {@link resolve}. What an
   * additional store has of it stays, as with CRI-O.
   * @returns the removed image's id; undefined where there is none here, which is no error.
   * @throws FailedPrecondition while a container uses it.
   */
  async remove(text: string): Promise<ImageId | undefined> {
    const removed = await this.#mutex.run(WHOLE_STORE, async () => {
      const shortNames = this.#parts.shortNames?.() ?? NO_SHORT_NAMES;
      // The name may be one that only a store has for an image that is here too.
      const id = this.#own.find(text.trim(), shortNames) ?? this.#additional.find(text.trim(), shortNames);
      const record = id && this.#own.get(id);
      if (record === undefined) {
        const store = this.resolve(text)?.store;
        if (store !== undefined) this.#parts.log.warn('image is not removed: it lies in an additional store', { image: text, path: store });
        return undefined;
      }
      const [user] = this.usersOf(record.id);
      if (user !== undefined) {
        throw new DaemonError('FailedPrecondition', `remove image ${text}: container ${user} uses it, must be removed first`);
      }
      this.#own.delete(record.id);
      try {
        await rm(join(this.#parts.directory, fileOf(record.id)), { force: true });
        await syncDirectory(this.#parts.directory);
      } catch (error) {
        this.#own.add(record);
        throw error;
      }
      return record.id;
    });
    if (removed === undefined) return undefined;
    stage('image-remove.forgotten');
    await this.collect();
    return removed;
  }

  /**
   * Takes an image away whose layer is damaged, whoever uses it. Its other layers and blobs are kept until it is here again, an
   * hour at most, so that a pull need not fetch them. @returns whether it was here.
   */
  async setAside(id: ImageId): Promise<boolean> {
    return await this.#mutex.run(WHOLE_STORE, async () => {
      const record = this.#own.get(id);
      if (record === undefined) return false;
      const release = this.retain(record.layers.flatMap(({ chain, digest }) => [chain, digest]));
      this.#setAsides.set(id, release);
      setTimeout(release, SET_ASIDE_MS).unref();
      this.#own.delete(id);
      await this.#setAside(fileOf(id));
      await syncDirectory(this.#parts.directory);
      return true;
    });
  }

  /** Removes layers, blobs and signatures that no image, no image being made and no container needs. A failure is logged, the next time tries again. */
  async collect(): Promise<void> {
    const { layers, blobs, rootfs, log } = this.#parts;
    const mounted = await rootfs.chains();
    // Nothing is awaited from here to the first removal of each store, so nobody can begin to need what is about to go.
    const [needed, reached] = [new Set<Digest>([...mounted, ...this.#retained.keys()]), new Set<Digest>()];
    for (const { chain, layers: own, configDigest, manifestDigest, artifact } of this.#own.all()) {
      needed.add(configDigest).add(manifestDigest);
      for (const layer of own) {
        // Each by itself: one between them may be missing for the time.
        needed.add(layer.chain);
        if (!this.discardsBlobs || artifact !== undefined || !layers.has(layer.chain)) needed.add(layer.digest);
      }
      this.#needLayers(reached, chain);
    }
    // A container that is being made of an image of an additional store is not among the mounted yet.
    const used = [...this.#users.keys()].flatMap((id) => this.#additional.get(id)?.chain ?? []);
    for (const chain of [...mounted, ...used, ...this.#retained.keys()]) this.#needLayers(reached, chain);
    const work = [
      this.signatures.collect((manifest) => this.#retained.has(manifest) || this.#own.byDigest(manifest) !== undefined),
      ...layers
        .list()
        .filter(({ chain }) => !needed.has(chain) && !reached.has(chain))
        .map(async ({ chain }) => {
          await layers.remove(chain);
        }),
      ...blobs
        .list()
        .filter((digest) => !needed.has(digest))
        .map(async (digest) => {
          await blobs.remove(digest);
        }),
    ];
    for (const result of await Promise.allSettled(work)) {
      if (result.status === 'rejected') log.warn('unused layer, blob or signature cannot be removed', { error: messageOf(result.reason) });
    }
  }

  /** What the images take on disk, by sizes recorded when they were made; writable layers are RootfsStore.totalUsage. */
  usage(): { usedBytes: number; inodesUsed: number } {
    const { layers, blobs } = this.#parts;
    const { usedBytes, inodesUsed } = layers.usage();
    return { usedBytes: usedBytes + blobs.usedBytes, inodesUsed: inodesUsed + blobs.list().length };
  }

  /** Adds a layer and all below it, down to one that was reached before. */
  #needLayers(reached: Set<Digest>, top: Digest): void {
    for (let layer = this.#parts.layers.get(top); layer !== undefined && !reached.has(layer.chain);) {
      reached.add(layer.chain);
      layer = layer.parent === undefined ? undefined : this.#parts.layers.get(layer.parent);
    }
  }

  #view(record: ImageRecord): ImageRecord {
    const pinned = this.#pinned.some(({ expression, isOfDigests }) =>
      (isOfDigests ? record.digests : record.names).some(
        (name) => expression.test(name) || expression.test(name.replace(/^docker\.io\/(library\/)?/, '')),
      ),
    );
    const stored = this.#additional.get(record.id);
    return {
      ...record,
      names: union(record.names, stored?.names.filter((name) => !this.#own.hasName(name)) ?? []),
      digests: union(record.digests, stored?.digests ?? []),
      pinned,
      sizeBytes: record.artifact === undefined ? this.#sizeOf(record) : record.sizeBytes,
    };
  }

  /** An image of an additional store, without the names that another one here has. */
  #viewOfStored(record: ImageRecord): ImageRecord {
    return { ...record, names: record.names.filter((name) => !this.#isWhole(this.#own.named(name))) };
  }

  /** Whether all of its layers are here, or in an additional store that is. */
  #isWhole(record: ImageRecord | undefined): record is ImageRecord {
    return record !== undefined && (record.artifact !== undefined || record.layers.every(({ chain }) => this.#parts.layers.has(chain)));
  }

  /** What it takes by itself: unpacked layers, and the blobs that are kept. */
  #sizeOf({ layers: own, configDigest, manifestDigest }: ImageRecord): number {
    const { layers, blobs } = this.#parts;
    const documents = blobs.sizeOf(configDigest) + blobs.sizeOf(manifestDigest);
    return own.reduce((sum, { chain, digest }) => sum + (layers.get(chain)?.sizeBytes ?? 0) + blobs.sizeOf(digest), documents);
  }

  async #write(record: ImageRecord): Promise<void> {
    await writeFileAtomic(join(this.#parts.directory, fileOf(record.id)), JSON.stringify({ ...record, pinned: false }));
    this.#own.add(record);
  }

  /** A crash may leave a name with two images: the one written last has it. */
  async #settleNames(found: ImageRecord[]): Promise<void> {
    const taken = new Set<string>();
    for (const record of found.sort((a, b) => b.updatedAtMs - a.updatedAtMs)) {
      const names = record.names.filter((name) => !taken.has(name));
      names.forEach((name) => taken.add(name));
      this.#own.add({ ...record, names });
      if (names.length !== record.names.length) await unlessReadOnly(this.#write({ ...record, names }));
    }
  }

  async #setAside(file: string): Promise<void> {
    const { directory, log } = this.#parts;
    try {
      await mkdir(join(directory, BAD), { recursive: true, mode: 0o700 });
      await rename(join(directory, file), join(directory, BAD, file));
    } catch (error) {
      log.warn('bad image record cannot be moved away', { path: join(directory, file), error: messageOf(error) });
    }
  }
}
