import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settledWithin, sleep } from '../base/deadline.ts';
import { fail, messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { runAt } from '../linux/reluctant-place.ts';
import type { LayerRecord } from '../storage/layer-record.ts';
import type { LayerStore } from '../storage/layers.ts';
import type { StoredImage } from './read-additional-store.ts';
import type { ImageRecord, ImageStore } from './store.ts';

// In production this file is part of the bundle, and the reader a bundle of its own beside it.
const READER = new URL(import.meta.url.endsWith('.ts') ? './additional-store-worker.ts' : './additional-store-worker.js', import.meta.url);
/** How often a store is looked at, milliseconds; it costs a process of a millisecond. */
const LOOK_MS = 10_000;
/** After so many looks it is read again though its lists are as they were: a layer of it may be gone, looks. */
const LOOKS_BETWEEN_READS = 30;
/** How long a look may take, and a reading, before the store counts as gone, milliseconds. */
const LOOK_TIMEOUT_MS = 5_000;
const READ_TIMEOUT_MS = 30_000;
/** How long a start waits for the first reading, milliseconds: a store that hangs costs its images, not the node. */
const START_MS = 10_000;
/** Most of what a store's images may say, bytes: some 1,500 images. */
const MAX_READ_BYTES = 32 * 1024 * 1024;
const LINES_BETWEEN_TURNS = 16;

/** What of a store is in force. */
interface Seen {
  /** Changes when its lists do; empty where it could not be read. */
  readonly stamp: string;
  readonly images: readonly ImageRecord[];
  readonly layers: readonly LayerRecord[];
  /** What was logged about it last. */
  readonly told: string;
  readonly looks: number;
}

export interface AdditionalStoresParts {
  readonly directories: () => readonly string[];
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly log: Log;
}

/**
 * Image stores that others have filled and that are only read (`image.additional_stores`): looked at every 10 s, and read when their lists have
 * changed. A store that is gone, hangs or is damaged has no images, and its words are in the log; nothing here touches what is
 * mounted. All file work is done by processes, each with a deadline: one that hangs in a dead file system is left there.
 */
export class AdditionalStores {
  readonly #parts: AdditionalStoresParts;
  readonly #seen = new Map<string, Seen>();
  /** Looks under way: a store that hangs is not asked twice at once. */
  readonly #looking = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();

  constructor(parts: AdditionalStoresParts) {
    this.#parts = parts;
  }

  /** Resolves when all stores are read, or the first of them has taken too long: what it has comes later. */
  async start(): Promise<void> {
    await settledWithin(this.look(), START_MS);
    void this.#lookAgain();
  }

  /** Looks at all stores that are configured now; the others are forgotten. */
  async look(): Promise<void> {
    const directories = this.#parts.directories();
    for (const directory of this.#seen.keys()) if (!directories.includes(directory)) this.#seen.delete(directory);
    this.#use();
    await Promise.all(
      directories.map(async (directory) => {
        const looking = this.#looking.get(directory) ?? this.#lookAt(directory).finally(() => this.#looking.delete(directory));
        this.#looking.set(directory, looking);
        await looking;
      }),
    );
  }

  close(): void {
    this.#closed.abort();
  }

  async #lookAgain(): Promise<void> {
    for (;;) {
      await sleep(LOOK_MS, this.#closed.signal);
      if (this.#closed.signal.aborted) return;
      // Nobody waits: a store that hangs is not asked again meanwhile, and its neighbours are.
      if (this.#parts.directories().length > 0) void this.look();
    }
  }

  async #lookAt(directory: string): Promise<void> {
    const before = this.#seen.get(directory);
    try {
      const stamp = await stampOf(directory);
      if (before?.stamp === stamp && before.looks < LOOKS_BETWEEN_READS) {
        this.#seen.set(directory, { ...before, looks: before.looks + 1 });
        return;
      }
      const read = await readStore(directory);
      this.#take(directory, { ...read, stamp, looks: 0 }, before);
    } catch (error) {
      const told = messageOf(error);
      if (before?.told !== told)
        this.#parts.log.warn('additional store has no images: it cannot be read', { path: directory, error: told });
      this.#put(directory, { stamp: '', images: [], layers: [], told, looks: 0 });
    }
  }

  #take(
    directory: string,
    { stamp, looks, images, layers, leftOut }: Omit<Seen, 'told'> & { leftOut: string[] },
    before: Seen | undefined,
  ): void {
    const told = JSON.stringify([images.map(({ id, names }) => [id, names]), leftOut]);
    if (before?.told !== told) {
      const count = `additional store read: ${images.length} images`;
      if (leftOut.length === 0) this.#parts.log.info(count, { path: directory });
      else this.#parts.log.warn(count, { path: directory, leftOut });
    }
    this.#put(directory, { stamp, images, layers, told, looks });
  }

  #put(directory: string, seen: Seen): void {
    if (!this.#parts.directories().includes(directory)) return;
    this.#seen.set(directory, seen);
    this.#use();
  }

  /** Puts what was seen into force, in the order of the configuration. */
  #use(): void {
    const seen = this.#parts.directories().flatMap((directory) => this.#seen.get(directory) ?? []);
    // Layers first: an image is seen when its layers are there.
    this.#parts.layers.setAdditional(seen.flatMap(({ layers }) => layers));
    this.#parts.images.setAdditional(seen.flatMap(({ images }) => images));
  }
}

/** What changes when a list does: it is replaced by a rename. @throws what `stat` says, or that it took too long. */
async function stampOf(directory: string): Promise<string> {
  const files = ['overlay-images/images.json', 'overlay-layers/layers.json'].map((file) => `${directory}/${file}`);
  const args = ['--dereference', '--format=%d:%i:%s:%y:%z', '--', ...files];
  const { exit, stdout, stderr } = await runAt(directory, 'stat', { args, timeoutMs: LOOK_TIMEOUT_MS });
  if (exit.code !== 0) fail('Unavailable', stderr.toString().trim().split('\n')[0] ?? '');
  return stdout.toString();
}

async function readStore(directory: string): Promise<{ images: ImageRecord[]; layers: LayerRecord[]; leftOut: string[] }> {
  const { exit, stdout, stderr } = await runAt(directory, process.execPath, {
    args: [fileURLToPath(READER), directory],
    timeoutMs: READ_TIMEOUT_MS,
    outputLimitBytes: MAX_READ_BYTES,
  });
  const lines = stdout.toString().split('\n');
  if (exit.code !== 0 || lines.at(-2) !== '{"is":"end"}') fail('Unavailable', stderr.toString().trim() || 'the process that reads it died');
  const images: ImageRecord[] = [];
  const layers = new Map<Digest, LayerRecord>();
  const leftOut: string[] = [];
  for (const [index, line] of lines.slice(0, -2).entries()) {
    if (index % LINES_BETWEEN_TURNS === LINES_BETWEEN_TURNS - 1) await nextTurn();
    const found = JSON.parse(line) as StoredImage;
    if (found.is === 'left out') {
      leftOut.push(`${found.name}: ${found.why}`);
      continue;
    }
    images.push(found.image);
    for (const layer of found.layers) layers.set(layer.chain, layer);
  }
  return { images, layers: [...layers.values()], leftOut };
}
