import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError, hasErrno } from '../base/errors.ts';

/** Where plugin binaries are. What was found is remembered. */
export class PluginFinder {
  readonly dirs: readonly string[];
  readonly #found = new Map<string, string>();

  constructor(dirs: readonly string[]) {
    this.dirs = dirs;
  }

  /**
   * The path of a plugin: the first executable file of that name in the directories.
   * @throws {DaemonError} Unavailable where there is none: plugins are often installed after the daemon started.
   */
  async find(type: string): Promise<string> {
    return this.#found.get(type) ?? this.look(type);
  }

  /** As {@link PluginFinder.find}, but looks at the disk in any case. */
  async look(type: string): Promise<string> {
    this.#found.delete(type);
    for (const dir of this.dirs) {
      const path = join(dir, type);
      if (!(await isExecutable(path))) continue;
      this.#found.set(type, path);
      return path;
    }
    throw new DaemonError('Unavailable', `plugin binary ${type} not found in ${this.dirs.join(', ')}`);
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    const stats = await stat(path);
    return stats.isFile() && (stats.mode & 0o111) !== 0;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
}
