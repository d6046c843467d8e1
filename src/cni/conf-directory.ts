import { watch } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { networkFromList, networkFromPlugin } from './network-conf.ts';
import type { BigIntStats, FSWatcher } from 'node:fs';
import type { Log } from '../base/log.ts';
import type { NetworkConf } from './network-conf.ts';

/** A network that pods can be attached to, and where it was read. */
export interface LoadedNetwork {
  readonly file: string;
  readonly conf: NetworkConf;
}

/** A file that is not used, and why. */
export interface SkippedFile {
  readonly file: string;
  readonly error: string;
}

export interface ConfDirectoryOptions {
  readonly dir: string;
  /** The default network's name; where left out, the first file in name order is it. */
  readonly networkName?: string | undefined;
  readonly log: Log;
  /** How often the directory is read without a notice from the kernel, milliseconds. Default 5000. */
  readonly rescanMs?: number | undefined;
}

const EXTENSIONS = ['.conf', '.conflist', '.json'];
const FILE_LIMIT_BYTES = 1024 * 1024;
const RESCAN_MS = 5000;
/** Installers write a file in several steps; wait for them to finish, milliseconds. */
const SETTLE_MS = 100;

interface CachedFile {
  readonly stamp: string;
  readonly outcome: LoadedNetwork | SkippedFile;
}

/**
 * The CNI configuration directory, held in memory: the first valid file in name order is the default network, or the one
 * with the configured name. A file that cannot be used is skipped with one log line. The directory need not exist yet.
 */
export class ConfDirectory {
  readonly #options: ConfDirectoryOptions;
  #cache = new Map<string, CachedFile>();
  #networks: readonly LoadedNetwork[] = [];
  #skipped: readonly SkippedFile[] = [];
  #unreadable: string | undefined;
  #scan: Promise<void> | undefined;
  #scanAgain = false;
  #watcher: FSWatcher | undefined;
  #watched = '';
  #timer: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ConfDirectoryOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.rescan();
    this.#timer = setInterval(() => void this.rescan(), this.#options.rescanMs ?? RESCAN_MS).unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#settle);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** The network that pods are attached to. */
  get current(): LoadedNetwork | undefined {
    const { networkName } = this.#options;
    return networkName === undefined ? this.#networks[0] : this.#networks.find(({ conf }) => conf.name === networkName);
  }

  get skipped(): readonly SkippedFile[] {
    return this.#skipped;
  }

  /** Why there is no current network. */
  get problem(): string {
    const { dir, networkName } = this.#options;
    if (this.#unreadable !== undefined) return this.#unreadable;
    const skipped = this.#skipped.map(({ file, error }) => `; ${file} is skipped: ${error}`).join('');
    if (networkName === undefined) return `no network configuration in ${dir}${skipped}`;
    const names = this.#networks.map(({ conf }) => `"${conf.name}"`).join(', ');
    return `no network configuration with the name "${networkName}" in ${dir}, it has ${names === '' ? 'none' : names}${skipped}`;
  }

  /** Reads what has changed. Never throws: what is wrong is in {@link skipped} and {@link problem}. */
  async rescan(): Promise<void> {
    this.#scanAgain = true;
    this.#scan ??= this.#scanUntilQuiet().finally(() => {
      this.#scan = undefined;
    });
    return this.#scan;
  }

  async #scanUntilQuiet(): Promise<void> {
    while (this.#scanAgain && !this.#closed) {
      this.#scanAgain = false;
      try {
        await this.#read();
        this.#unreadable = undefined;
      } catch (error) {
        this.#networks = [];
        this.#skipped = [];
        const words = `read network configuration directory ${this.#options.dir}: ${messageOf(error)}`;
        if (this.#unreadable !== words) this.#options.log.error(words);
        this.#unreadable = words;
      }
    }
  }

  async #read(): Promise<void> {
    const before = this.current;
    const files = await this.#listFiles();
    const cache = new Map<string, CachedFile>();
    for (const file of files) {
      const entry = await this.#readFile(file);
      if (entry !== undefined) cache.set(file, entry);
    }
    this.#report(cache);
    this.#cache = cache;
    const outcomes = [...cache.values()].map(({ outcome }) => outcome);
    this.#networks = outcomes.filter((outcome) => 'conf' in outcome);
    this.#skipped = outcomes.filter((outcome) => 'error' in outcome);
    this.#reportCurrent(before, this.current);
  }

  /** The configuration files in name order; watches the directory as soon as it is there. */
  async #listFiles(): Promise<string[]> {
    const { dir } = this.#options;
    try {
      // Watched first: what is written after the listing then gives a notice.
      this.#watch(await stat(dir, { bigint: true }));
      return (await readdir(dir))
        .filter((name) => EXTENSIONS.includes(extname(name)))
        .sort()
        .map((name) => join(dir, name));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      this.#unwatch();
      return [];
    }
  }

  async #readFile(file: string): Promise<CachedFile | undefined> {
    let stamp = '';
    try {
      const stats = await stat(file, { bigint: true });
      if (!stats.isFile()) throw new Error('not a regular file');
      if (stats.size > FILE_LIMIT_BYTES) throw new Error(`it has ${stats.size} bytes, must have ${FILE_LIMIT_BYTES} or fewer`);
      stamp = `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
      const known = this.#cache.get(file);
      if (known?.stamp === stamp && !('conf' in known.outcome && known.outcome.conf.readsFolder)) return known;
      const conf = await this.#load(file);
      // The same network stays the same object, so that what was learned about it (network-status.ts) stays true.
      if (known !== undefined && 'conf' in known.outcome && JSON.stringify(known.outcome.conf) === JSON.stringify(conf))
        return { stamp, outcome: known.outcome };
      return { stamp, outcome: { file, conf } };
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      return { stamp, outcome: { file, error: messageOf(error) } };
    }
  }

  async #load(file: string): Promise<NetworkConf> {
    const document = Field.parse(await readFile(file, 'utf8'), '');
    if (!file.endsWith('.conflist')) return networkFromPlugin(document);
    const conf = networkFromList(document);
    const whole = conf.readsFolder ? networkFromList(document, await readFolder(join(this.#options.dir, conf.name))) : conf;
    if (whole.plugins.length === 0) throw new Error('"plugins" is empty, must have at least one plugin');
    return whole;
  }

  #report(cache: Map<string, CachedFile>): void {
    for (const [file, { outcome }] of cache) {
      if (!('error' in outcome)) continue;
      const before = this.#cache.get(file)?.outcome;
      if (before !== undefined && 'error' in before && before.error === outcome.error) continue;
      this.#options.log.warn(`network configuration ${file} is skipped: ${outcome.error}`);
    }
  }

  #reportCurrent(before: LoadedNetwork | undefined, after: LoadedNetwork | undefined): void {
    if (sameNetwork(before, after)) return;
    if (after === undefined) this.#options.log.warn(`cni: ${this.problem}`);
    else {
      const plugins = after.conf.plugins.map(({ type }) => type).join(', ');
      this.#options.log.info(
        `cni network "${after.conf.name}" is in use, from ${after.file}: version ${after.conf.cniVersion}, plugins ${plugins}`,
      );
    }
  }

  #watch(stats: BigIntStats): void {
    const identity = `${stats.dev}:${stats.ino}`;
    if (this.#closed || this.#watched === identity) return;
    this.#unwatch();
    this.#watched = identity; // Also where watching fails: the rescans go on, and one line in the log is enough.
    try {
      this.#watcher = watch(this.#options.dir, { persistent: false }, () => {
        this.#changed();
      });
      this.#watcher.on('error', () => {
        this.#unwatch();
      });
    } catch (error) {
      this.#options.log.warn(`watch network configuration directory ${this.#options.dir}: ${messageOf(error)}; it is read at intervals`);
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = '';
  }

  #changed(): void {
    if (this.#closed) return;
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => void this.rescan(), SETTLE_MS).unref();
  }
}

function sameNetwork(before: LoadedNetwork | undefined, after: LoadedNetwork | undefined): boolean {
  return before?.file === after?.file && before?.conf === after?.conf;
}

/** The further plugins of a network: the `.conf` files of its folder in name order. */
async function readFolder(folder: string): Promise<Field[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => extname(name) === '.conf').sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
  const read = async (path: string): Promise<Field> => {
    try {
      return Field.parse(await readFile(path, 'utf8'), path);
    } catch (error) {
      if (error instanceof DaemonError) throw error;
      throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
    }
  };
  return Promise.all(names.map(async (name) => read(join(folder, name))));
}
