import { readFile, stat } from 'node:fs/promises';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { listStamped, type StampedFile } from '../base/stamped-files.ts';
import { matches, type HookSubject } from './match-hook.ts';
import { readHook, type HookFile } from './read-hook.ts';

/** What has more is no hook, bytes. */
const FILE_LIMIT_BYTES = 256 * 1024;

/**
 * The hooks.d directories. They are looked at for each container, so what was written before its request counts; without a directory
 * there is no work. A file of a later directory takes the place of one with the same name. One that cannot be used is left out with
 * one line in the log.
 */
export class HookDirectories {
  readonly #directories: () => readonly string[];
  readonly #log: Log;
  readonly #known = new Map<string, { readonly stamp: string; readonly file: HookFile }>();
  /** What the log has of each file and directory. */
  readonly #told = new Map<string, string>();

  constructor(directories: () => readonly string[], log: Log) {
    this.#directories = directories;
    this.#log = log;
  }

  /** The hooks for a container, in the order of their files' names in lower case. */
  async matching(subject: HookSubject): Promise<HookFile[]> {
    const directories = this.#directories();
    if (directories.length === 0) return [];
    const byName = new Map<string, HookFile>();
    for (const directory of directories) {
      for (const listed of await this.#list(directory)) {
        const file = await this.#read(listed);
        if (file !== undefined) byName.set(listed.name, file);
      }
    }
    const inOrder = [...byName].toSorted(([one], [other]) => (one.toLowerCase() < other.toLowerCase() ? -1 : 1));
    return inOrder.map(([, file]) => file).filter(({ when }) => matches(when, subject));
  }

  async #list(directory: string): Promise<StampedFile[]> {
    try {
      return await listStamped(directory, ['.json']);
    } catch (error) {
      this.#tell(directory, messageOf(error));
      return [];
    }
  }

  /** A program that is not there may come without a change of the file, so it is looked for again. */
  async #read({ path, stamp }: StampedFile): Promise<HookFile | undefined> {
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.file;
    try {
      const stats = await stat(path);
      if (!stats.isFile() || stats.size > FILE_LIMIT_BYTES)
        throw new Error(`it must be a regular file of at most ${FILE_LIMIT_BYTES} bytes`);
      const file = readHook(await readFile(path, 'utf8'));
      await stat(file.hook.path);
      this.#known.set(path, { stamp, file });
      this.#told.delete(path);
      return file;
    } catch (error) {
      this.#tell(path, messageOf(error));
      return undefined;
    }
  }

  #tell(path: string, error: string): void {
    if (this.#told.get(path) === error) return;
    this.#told.set(path, error);
    this.#log.warn(`OCI hook ${path} is not used: ${error}`);
  }
}
