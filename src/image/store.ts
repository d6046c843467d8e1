import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, syncDirectory, writeFileAtomic } from '../base/atomic-file.ts';
import { DaemonError, messageOf, unlessReadOnly } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
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
import { readImageRecord } from './image-record.ts';
import type { ImageRecord } from './image-record.ts';
import { KeptSignatures } from './kept-signatures.ts';
import { formatReference, parseReference, repositoryOf, withTag } from './reference.ts';
import { meaningsOf } from './short-names.ts';

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
}

const WHOLE_STORE = 'all';
const BAD = 'bad';
/** How long the sound layers of a damaged image wait for its next pull, milliseconds. */
const SET_ASIDE_MS = 60 * 60_000;
/** With fewer digits, nearly any word made of the letters a to f would be taken for an id. */
const MIN_PREFIX_DIGITS = 3;

/**
 * The images of this node: one record file each, and in memory who uses what. An image is there when its record is: records
 * are written after, and removed before, the layers and blobs they name. What no record names is removed.
 */
export class ImageStore {
  readonly signatures: KeptSignatures;
  readonly #parts: ImageStoreParts;
  readonly #images = new Map<ImageId, ImageRecord>();
  readonly #byName = new Map<string, ImageId>();
  readonly #users = new Map<ImageId, Set<string>>();
  /** Layers and blobs of images being made, which no record names yet. */
  readonly #retained = new Map<Digest, number>();
  readonly #mutex = new KeyedMutex<string>();
  #pinned: readonly RegExp[] = [];

  constructor(parts: ImageStoreParts) {
    this.#parts = parts;
    this.signatures = new KeptSignatures(join(parts.directory, 'signatures'));
  }

  /** Reads the records, after the stores below have started, and removes layers and blobs that none of them names. */
  async start(): Promise<void> {
    const { directory, log } = this.#parts;
    await makeDirectoryDurable(directory);
    this.#images.clear();
    const found: ImageRecord[] = [];
    for (const file of await readdir(directory)) {
      const path = join(directory, file);
      if (file.endsWith('.tmp')) await unlessReadOnly(rm(path, { force: true }));
      if (!file.endsWith('.json')) continue;
      try {
        const record = readImageRecord(await readFile(path, 'utf8'));
        if (fileOf(record.id) !== file) throw new Error(`it says it is ${record.id}`);
        this.#parts.layers.lowerDirs(record.chain);
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

  /** All images, in no order. */
  list(): ImageRecord[] {
    return [...this.#images.values()].map((record) => this.#view(record));
  }

  get(id: ImageId): ImageRecord | undefined {
    const record = this.#images.get(id);
    return record === undefined ? undefined : this.#view(record);
  }

  /**
   * The image that `text` means: an id, `repository:tag` (short names as a pull has them, and as docker), `repository@digest` (a tag before
   * it counts for nothing), or the first digits of just one id. Undefined where there is none, also for what is no reference.
   */
  resolve(text: string): ImageRecord | undefined {
    const id = this.#find(text.trim());
    return id === undefined ? undefined : this.get(id);
  }

  /** What its manifest says about itself; nothing where the blob is gone. */
  async annotationsOf(image: ImageRecord): Promise<Readonly<Record<string, unknown>>> {
    try {
      const manifest = Field.parse((await this.#parts.blobs.read(image.manifestDigest)).toString('utf8'), '');
      return manifest.at('annotations').given?.object() ?? {};
    } catch {
      return {};
    }
  }

  /** The manifest of an image; nothing where the blob is gone. */
  async manifestDocument(image: ImageRecord): Promise<unknown> {
    try {
      return JSON.parse((await this.#parts.blobs.read(image.manifestDigest)).toString('utf8'));
    } catch {
      return {};
    }
  }

  /** The whole config of an image, with what its record does not keep; the record's where the blob is gone. */
  async configDocument(image: ImageRecord): Promise<unknown> {
    try {
      return JSON.parse((await this.#parts.blobs.read(image.configDigest)).toString('utf8'));
    } catch {
      return image.config;
    }
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

  /** Names of images the kubelet must keep, with `*` for any text: whole names, or short ones as in a reference. */
  setPinned(patterns: readonly string[]): void {
    this.#pinned = patterns.map(
      (pattern) =>
        new RegExp(
          `^${pattern
            .split('*')
            .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
            .join('.*')}$`,
        ),
    );
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
   * Adds an image whose layers and blobs are on disk, or adds names and digests to it where it is here already. Its names are
   * taken from the images that had them.
   */
  async put(record: ImageRecord): Promise<ImageRecord> {
    return await this.#mutex.run(WHOLE_STORE, async () => {
      const known = this.#images.get(record.id);
      const base = known ?? record;
      const merged: ImageRecord = {
        ...base,
        names: union(known?.names ?? [], record.names),
        digests: union(known?.digests ?? [], record.digests),
        updatedAtMs: Date.now(),
      };
      await this.#write(merged);
      stage('image.recorded');
      for (const other of [...this.#images.values()]) {
        const names = other.names.filter((name) => !record.names.includes(name));
        if (other.id !== merged.id && names.length < other.names.length) await this.#write({ ...other, names });
      }
      return this.#view(merged);
    });
  }

  /**
   * Removes an image with all its names, and the layers and blobs that no other image has. `text` as for {@link resolve}.
   * @returns the removed image's id; undefined where there is none, which is no error.
   * @throws FailedPrecondition while a container uses it.
   */
  async remove(text: string): Promise<ImageId | undefined> {
    const removed = await this.#mutex.run(WHOLE_STORE, async () => {
      const record = this.resolve(text);
      if (record === undefined) return undefined;
      const [user] = this.usersOf(record.id);
      if (user !== undefined) {
        throw new DaemonError('FailedPrecondition', `remove image ${text}: container ${user} uses it, must be removed first`);
      }
      this.#forget(record.id);
      try {
        await rm(join(this.#parts.directory, fileOf(record.id)), { force: true });
        await syncDirectory(this.#parts.directory);
      } catch (error) {
        this.#remember(record);
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
   * hour at most, so that a pull need not fetch them.
   */
  async setAside(id: ImageId): Promise<void> {
    await this.#mutex.run(WHOLE_STORE, async () => {
      const record = this.#images.get(id);
      if (record === undefined) return;
      setTimeout(this.retain(record.layers.flatMap(({ chain, digest }) => [chain, digest])), SET_ASIDE_MS).unref();
      this.#forget(id);
      await this.#setAside(fileOf(id));
      await syncDirectory(this.#parts.directory);
    });
  }

  /** Removes layers, blobs and signatures that no image, no image being made and no container needs. A failure is logged, the next time tries again. */
  async collect(): Promise<void> {
    const { layers, blobs, rootfs, log } = this.#parts;
    const mounted = await rootfs.chains();
    // Nothing is awaited from here to the first removal of each store, so nobody can begin to need what is about to go.
    const needed = new Set<Digest>(this.#retained.keys());
    for (const { chain, layers: own, configDigest, manifestDigest, artifact } of this.#images.values()) {
      needed.add(configDigest).add(manifestDigest);
      for (const layer of own) if (!this.discardsBlobs || artifact !== undefined || !layers.has(layer.chain)) needed.add(layer.digest);
      this.#needLayers(needed, chain);
    }
    for (const chain of [...mounted, ...this.#retained.keys()]) this.#needLayers(needed, chain);
    const work = [
      this.signatures.collect((manifest) => this.#retained.has(manifest) || this.#byDigest(manifest) !== undefined),
      ...layers
        .list()
        .filter(({ chain }) => !needed.has(chain))
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

  #needLayers(needed: Set<Digest>, top: Digest): void {
    for (let layer = this.#parts.layers.get(top); layer !== undefined;) {
      needed.add(layer.chain);
      layer = layer.parent === undefined ? undefined : this.#parts.layers.get(layer.parent);
    }
  }

  #find(text: string): ImageId | undefined {
    const asId = (isDigest(text) ? text : `sha256:${text}`) as ImageId;
    if (this.#images.has(asId)) return asId;
    if (isDigest(asId)) return isDigest(text) ? this.#byDigest(text) : undefined;
    return this.#findByName(text) ?? this.#findByPrefix(text);
  }

  #findByName(text: string): ImageId | undefined {
    for (const name of [...meaningsOf(text, this.#parts.shortNames?.() ?? NO_SHORT_NAMES).names, text]) {
      const id = this.#findByWholeName(name);
      if (id !== undefined) return id;
    }
    return undefined;
  }

  #findByWholeName(text: string): ImageId | undefined {
    let reference;
    try {
      reference = withTag(parseReference(text));
    } catch {
      return undefined;
    }
    if (reference.digest === undefined) return this.#byName.get(formatReference(reference));
    const wanted = `${repositoryOf(reference)}@${reference.digest}`;
    for (const { id, digests } of this.#images.values()) if (digests.includes(wanted)) return id;
    return undefined;
  }

  #byDigest(digest: Digest): ImageId | undefined {
    for (const { id, digests } of this.#images.values()) if (digests.some((name) => name.endsWith(`@${digest}`))) return id;
    return undefined;
  }

  #findByPrefix(text: string): ImageId | undefined {
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    if (!/^sha256:[0-9a-f]+$/.test(prefix) || prefix.length < 'sha256:'.length + MIN_PREFIX_DIGITS) return undefined;
    const matches = [...this.#images.keys()].filter((id) => id.startsWith(prefix));
    return matches.length === 1 ? matches[0] : undefined;
  }

  #view(record: ImageRecord): ImageRecord {
    const pinned = this.#pinned.some((pattern) =>
      record.names.some((name) => pattern.test(name) || pattern.test(name.replace(/^docker\.io\/(library\/)?/, ''))),
    );
    return { ...record, pinned, sizeBytes: record.artifact === undefined ? this.#sizeOf(record) : record.sizeBytes };
  }

  /** What it takes by itself: unpacked layers, and the blobs that are kept. */
  #sizeOf({ layers: own, configDigest, manifestDigest }: ImageRecord): number {
    const { layers, blobs } = this.#parts;
    const documents = blobs.sizeOf(configDigest) + blobs.sizeOf(manifestDigest);
    return own.reduce((sum, { chain, digest }) => sum + (layers.get(chain)?.sizeBytes ?? 0) + blobs.sizeOf(digest), documents);
  }

  #remember(record: ImageRecord): void {
    this.#forget(record.id);
    this.#images.set(record.id, record);
    for (const name of record.names) this.#byName.set(name, record.id);
  }

  #forget(id: ImageId): void {
    for (const name of this.#images.get(id)?.names ?? []) if (this.#byName.get(name) === id) this.#byName.delete(name);
    this.#images.delete(id);
  }

  async #write(record: ImageRecord): Promise<void> {
    await writeFileAtomic(join(this.#parts.directory, fileOf(record.id)), JSON.stringify({ ...record, pinned: false }));
    this.#remember(record);
  }

  /** A crash may leave a name with two images: the one written last has it. */
  async #settleNames(found: ImageRecord[]): Promise<void> {
    const taken = new Set<string>();
    for (const record of found.sort((a, b) => b.updatedAtMs - a.updatedAtMs)) {
      const names = record.names.filter((name) => !taken.has(name));
      names.forEach((name) => taken.add(name));
      this.#remember({ ...record, names });
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

function fileOf(id: ImageId): string {
  return `${id.slice('sha256:'.length)}.json`;
}

function union(old: readonly string[], fresh: readonly string[]): string[] {
  return [...new Set([...old, ...fresh])];
}
