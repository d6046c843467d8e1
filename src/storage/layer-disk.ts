import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { onThread } from '../linux/kernel-threads.ts';
import type { StorageWorkers } from './storage-workers.ts';

/** What comes from registries before flushes begin: small images are written out once. */
const AHEAD_BYTES = 32 * 1024 * 1024;
/** From the end of a flush to the next, milliseconds: a quarter of a gigabyte is unpacked meanwhile. */
const PAUSE_MS = 700;
/** And while a download is slow, milliseconds. */
const MOST_PAUSE_MS = 10_000;

/**
 * The file system of the layers, as far as what is written there must be on its disk. The kernel waits until much is dirty, so
 * that a flush at the end of a large pull had nearly all of it before it, and the disk had stood idle: while more comes, there is one now and then.
 */
export class LayerDisk {
  readonly #directory: string;
  readonly #workers: StorageWorkers;
  #watches = 0;
  #cameBytes = 0;
  /** While there is a flush, or a pause behind one. */
  #isFlushing = false;

  constructor(directory: string, workers: StorageWorkers) {
    this.#directory = directory;
    this.#workers = workers;
  }

  /** Says that so many bytes more were received, and will be unpacked. Never waits. */
  wrote(sizeBytes: number): void {
    this.#cameBytes += Math.max(0, sizeBytes);
    if (this.#cameBytes >= AHEAD_BYTES && !this.#isFlushing) void this.#flush();
  }

  /**
   * Until nobody writes any more: what was received is unpacked some time later. Less and less often while little comes, since a
   * slow download must not have the whole file system flushed all the time.
   */
  async #flush(): Promise<void> {
    this.#isFlushing = true;
    for (let pauseMs = PAUSE_MS; this.#watches > 0;) {
      this.#cameBytes = 0;
      // What fails here is told to everyone who watches, by the kernel: syncfs(2), errors since the file was opened.
      await onThread('syncFileSystem', { directory: this.#directory }).catch(() => undefined);
      await sleep(pauseMs, undefined, { ref: false });
      pauseMs = this.#cameBytes >= AHEAD_BYTES ? PAUSE_MS : Math.min(pauseMs * 1.5, MOST_PAUSE_MS);
    }
    this.#cameBytes = 0;
    this.#isFlushing = false;
  }

  /** Does work that writes, all of it: {@link DiskWatch.sync} then knows of each failure since its beginning. */
  async watched<T>(work: (disk: DiskWatch) => Promise<T>): Promise<T> {
    const directory = await open(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#watches += 1;
    try {
      return await work(new DiskWatch(directory, this.#workers));
    } finally {
      this.#watches -= 1;
      await directory.close();
    }
  }
}

/** Remembers from when on writing must not have failed. */
export class DiskWatch {
  readonly #directory: FileHandle;
  readonly #workers: StorageWorkers;

  constructor(directory: FileHandle, workers: StorageWorkers) {
    this.#directory = directory;
    this.#workers = workers;
  }

  /**
   * Writes everything that is dirty on the file system to disk: staged layers, and blobs where they share it. syncfs(2).
   * @throws a system error, also where an earlier flush, of anybody's, has failed since this was taken.
   */
  async sync(): Promise<void> {
    await this.#workers.run('sync', { fd: this.#directory.fd });
  }
}
