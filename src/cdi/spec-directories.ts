import { settledWithin } from '../base/deadline.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { listStamped, type StampedFile } from '../base/stamped-files.ts';
import type { CdiSpec } from './spec.ts';
import { SpecThread, type ReadFile } from './spec-thread.ts';

/** A spec file that is in use. */
export interface SpecFile {
  readonly path: string;
  /** The place of its directory among the directories: a later one wins. */
  readonly priority: number;
  readonly spec: CdiSpec;
}

/** A spec file, or a directory of them, that cannot be used. */
export interface BrokenFile {
  readonly path: string;
  readonly error: string;
  /** What it is of, where it says so. */
  readonly kind?: string;
}

/** All that the directories hold. */
export interface Specs {
  readonly directories: readonly string[];
  readonly files: readonly SpecFile[];
  readonly broken: readonly BrokenFile[];
}

const EXTENSIONS = ['.json', '.yaml'];
/** How long a directory may take to be listed, milliseconds: it may lie on a file system that hangs. */
const LIST_MS = 5_000;

/**
 * The directories of CDI spec files. They are looked at when somebody asks, so what was written before the question counts, and a
 * node whose pods ask for no device has no work with them. Only files that have changed are read. One that cannot be used is
 * left out with one line in the log, and so is a directory or a file that hangs: only one look at a directory is under way.
 */
export class SpecDirectories {
  readonly #directories: () => readonly string[];
  readonly #log: Log;
  readonly #thread: SpecThread;
  #known = new Map<string, { readonly stamp: string; readonly file: ReadFile }>();
  #last: Promise<unknown> = Promise.resolve();
  /** Listings that have not come back. Each has one of libuv's threads. */
  readonly #hung = new Map<string, Promise<StampedFile[]>>();

  /** @param readMs how long one file may take; default as {@link SpecThread} has it. */
  constructor(directories: () => readonly string[], log: Log, readMs?: number) {
    this.#thread = new SpecThread(readMs);
    this.#directories = directories;
    this.#log = log;
  }

  /** What the directories hold now. Those that are not there hold nothing. */
  async current(): Promise<Specs> {
    const next = this.#last.then(async () => this.#look());
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #look(): Promise<Specs> {
    const directories = this.#directories();
    const unreadable: BrokenFile[] = [];
    const lists = directories.map(async (directory, priority) => {
      try {
        return (await this.#list(directory)).map((file) => ({ ...file, priority }));
      } catch (error) {
        unreadable.push({ path: directory, error: messageOf(error) });
        return [];
      }
    });
    const listed = (await Promise.all(lists)).flat();
    const changed = listed.filter(({ path, stamp }) => this.#known.get(path)?.stamp !== stamp).map(({ path }) => path);
    const read = new Map((await this.#thread.read(changed)).map((file) => [file.path, file]));
    const before = this.#known;
    this.#known = new Map();
    const files: SpecFile[] = [];
    const broken = unreadable.map((file) => this.#note(file, `${file.path}: ${file.error}`, before));
    for (const { path, priority, stamp } of listed) {
      const file = read.get(path) ?? before.get(path)?.file;
      if (file === undefined) continue;
      if ('spec' in file) {
        this.#known.set(path, { stamp, file });
        files.push({ path, priority, spec: file.spec });
      } else broken.push(this.#note(file, file.mayPass === true ? '' : stamp, before));
    }
    return { directories, files, broken };
  }

  /** @throws Error where the directory cannot be read, or does not answer in time. */
  async #list(directory: string): Promise<StampedFile[]> {
    const listing = this.#hung.get(directory) ?? listStamped(directory, EXTENSIONS);
    if (!(await settledWithin(listing, this.#hung.has(directory) ? 0 : LIST_MS))) {
      this.#hung.set(directory, listing);
      throw new Error(`it cannot be listed within ${LIST_MS / 1000} s, its file system may hang`);
    }
    // What a listing found that hung is old.
    return this.#hung.delete(directory) ? this.#list(directory) : listing;
  }

  /** Keeps what cannot be used, and says so where that is new. */
  #note(file: BrokenFile, stamp: string, before: ReadonlyMap<string, { readonly file: ReadFile }>): BrokenFile {
    this.#known.set(file.path, { stamp, file });
    const earlier = before.get(file.path)?.file;
    if (earlier === undefined || 'spec' in earlier || earlier.error !== file.error)
      this.#log.warn(`CDI spec ${file.path} is not used: ${file.error}`);
    return file;
  }
}
