import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurable, syncDirectory } from '../base/atomic-file.ts';
import { DaemonError, unlessMissing, unlessReadOnly } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';
import { KeyedMutex } from '../base/keyed-mutex.ts';

export interface Blob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Content by digest: `sha256/HEX`, and half-received content in `ingest/`, which a start empties. */
export class BlobStore {
  readonly #directory: string;
  readonly #ingest: string;
  readonly #final: string;
  readonly #sizes = new Map<Digest, number>();
  /** A blob may come again while its old file is being removed. */
  readonly #names = new KeyedMutex<Digest>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#ingest = join(directory, 'ingest');
    this.#final = join(directory, 'sha256');
  }

  /** Makes the directories, forgets what was half received, and counts what is there. */
  async start(): Promise<void> {
    await makeDirectoryDurable(this.#directory);
    await mkdir(this.#ingest, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#ingest)) await unlessReadOnly(rm(join(this.#ingest, name), { recursive: true, force: true }));
    await makeDirectoryDurable(this.#final);
    this.#sizes.clear();
    for (const name of await readdir(this.#final)) {
      const digest = `sha256:${name}`;
      if (isDigest(digest)) this.#sizes.set(digest, (await stat(join(this.#final, name))).size);
    }
  }

  /** Where the blob is, or would be. */
  path(digest: Digest): string {
    return join(this.#final, digest.slice('sha256:'.length));
  }

  has(digest: Digest): boolean {
    return this.#sizes.has(digest);
  }

  list(): Digest[] {
    return [...this.#sizes.keys()];
  }

  /** Bytes of one blob; 0 where it is not here. */
  sizeOf(digest: Digest): number {
    return this.#sizes.get(digest) ?? 0;
  }

  get usedBytes(): number {
    let sum = 0;
    for (const size of this.#sizes.values()) sum += size;
    return sum;
  }

  /** The whole of a small blob. @throws NotFound. */
  async read(digest: Digest): Promise<Buffer> {
    const handle = await unlessMissing(open(this.path(digest), 'r'), undefined);
    if (handle === undefined) throw new DaemonError('NotFound', `read blob ${digest}: it is not here`);
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  }

  /** A new name in `ingest/` for content to come. Made, removed or handed to {@link adopt} by the caller. */
  newIngestPath(): string {
    return join(this.#ingest, randomBytes(8).toString('hex'));
  }

  /** Gives a finished file of `ingest/`, whose data is on disk already, its final name. The caller follows with {@link sync}. */
  async adopt(path: string, blob: Blob): Promise<void> {
    await this.#names.run(blob.digest, async () => {
      if (this.has(blob.digest)) {
        await rm(path, { force: true });
        return;
      }
      await rename(path, this.path(blob.digest));
      this.#sizes.set(blob.digest, blob.sizeBytes);
    });
  }

  /** Makes new names survive a loss of power. */
  async sync(): Promise<void> {
    await syncDirectory(this.#final);
  }

  /** Removes a blob; one that is not here is removed already. */
  async remove(digest: Digest): Promise<void> {
    if (!this.#sizes.delete(digest)) return;
    await this.#names.run(digest, async () => {
      if (!this.has(digest)) await rm(this.path(digest), { force: true });
    });
  }
}
