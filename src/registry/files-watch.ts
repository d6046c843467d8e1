import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** Files are often written in several steps; wait for the last, milliseconds. */
const SETTLE_MS = 200;
/** The longest that a file which is written again and again is waited for, milliseconds. */
const MAX_SETTLE_MS = 2000;

/** What is waited for in a directory; undefined: anything. */
type Names = ReadonlySet<string> | undefined;

/**
 * Tells when files or directories change, by the kernel's notices: at rest it costs nothing. What is not there yet is waited for in
 * the nearest directory above it that is there.
 */
export class FilesWatch {
  readonly #changed: () => void;
  readonly #log: Log;
  readonly #watchers = new Map<string, { readonly identity: string; readonly watcher: FSWatcher; names: Names }>();
  #settle: NodeJS.Timeout | undefined;
  #firstAtMs: number | undefined;
  #closed = false;
  /** What is watched changes by one call at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(changed: () => void, log: Log) {
    this.#changed = changed;
    this.#log = log;
  }

  /** Watches just these from now on. @returns whether some were not watched before: what changed until now may not have been seen. */
  async follow(files: Iterable<string>, directories: Iterable<string>): Promise<boolean> {
    return await this.#inTurn(async () => this.#follow(files, directories));
  }

  /** Watches these as well: what is called before a reading misses no change after it. */
  async add(files: Iterable<string>, directories: Iterable<string>): Promise<void> {
    await this.#inTurn(async () => {
      for (const [path, names] of await this.#placesOf(files, directories)) {
        const known = this.#watchers.get(path);
        const all = known === undefined ? names : known.names && names && new Set([...known.names, ...names]);
        await this.#watch(path, all);
      }
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return await done;
  }

  async #placesOf(files: Iterable<string>, directories: Iterable<string>): Promise<Map<string, Set<string> | undefined>> {
    const wanted = new Map<string, Set<string> | undefined>();
    for (const directory of directories) await this.#want(wanted, directory, undefined);
    for (const file of files) await this.#want(wanted, dirname(file), basename(file));
    return wanted;
  }

  async #follow(files: Iterable<string>, directories: Iterable<string>): Promise<boolean> {
    const wanted = await this.#placesOf(files, directories);
    if (this.#closed) return false;
    for (const [path, { watcher }] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    let isNew = false;
    for (const [path, names] of wanted) if (await this.#watch(path, names)) isNew = true;
    return isNew;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#settle);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Of a directory that is missing, the place where it will come. */
  async #want(wanted: Map<string, Set<string> | undefined>, directory: string, name: string | undefined): Promise<void> {
    if (!(await isDirectory(directory)) && dirname(directory) !== directory) {
      await this.#want(wanted, dirname(directory), basename(directory));
      return;
    }
    const known = wanted.get(directory);
    if (name === undefined || (wanted.has(directory) && known === undefined)) wanted.set(directory, undefined);
    else wanted.set(directory, (known ?? new Set()).add(name));
  }

  async #watch(path: string, names: Names): Promise<boolean> {
    const identity = await stat(path, { bigint: true }).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      () => '',
    );
    const known = this.#watchers.get(path);
    if (known?.identity === identity) {
      known.names = names;
      return false;
    }
    known?.watcher.close();
    this.#watchers.delete(path);
    if (this.#closed || identity === '') return false;
    try {
      const watcher = watch(path, { persistent: false }, (_, name) => {
        this.#noticed(path, name);
      });
      watcher.on('error', () => {
        this.#watchers.delete(path);
      });
      this.#watchers.set(path, { identity, watcher, names });
      return true;
    } catch (error) {
      this.#log.warn(`watch ${path}: ${messageOf(error)}; what changes there is read at SIGHUP`);
      return false;
    }
  }

  #noticed(path: string, name: string | null): void {
    const names = this.#watchers.get(path)?.names;
    // A mounted ConfigMap or Secret changes all its files by one link, `..data`.
    if (names !== undefined && name !== null && !names.has(name) && !name.startsWith('..')) return;
    if (this.#closed) return;
    const nowMs = performance.now();
    this.#firstAtMs ??= nowMs;
    clearTimeout(this.#settle);
    const waitMs = Math.max(0, Math.min(SETTLE_MS, this.#firstAtMs + MAX_SETTLE_MS - nowMs));
    this.#settle = setTimeout(() => {
      this.#firstAtMs = undefined;
      this.#changed();
    }, waitMs).unref();
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
