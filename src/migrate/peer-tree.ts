import { readFile } from 'node:fs/promises';
import { parse } from 'smol-toml';
import { DaemonError, messageOf } from '../base/errors.ts';
import { isObject } from '../base/json.ts';
import type { TomlValue } from '../config/kinds.ts';
import { linesOfKeys, pathKey } from './toml-lines.ts';

/** One key of another runtime's configuration, and where it was set. */
export interface Setting {
  readonly path: readonly string[];
  /** No table, unless it is one that stands in a list, or an empty one. */
  readonly value: TomlValue;
  readonly file: string;
  /** From 1; undefined for what the runtime does where no file says anything. */
  readonly line?: number;
}

/** One file, in the order of its keys. */
export interface PeerFile {
  readonly path: string;
  readonly settings: readonly Setting[];
}

/** @throws {DaemonError} InvalidArgument that names the file, and says what is wrong with it. */
export async function readPeerFile(path: string): Promise<PeerFile> {
  try {
    const text = await readFile(path, 'utf8');
    return parsePeerFile(path, text);
  } catch (error) {
    throw new DaemonError('InvalidArgument', `${path}: ${messageOf(error).trimEnd()}`, { cause: error });
  }
}

/** @throws TomlError */
export function parsePeerFile(path: string, text: string): PeerFile {
  const lines = linesOfKeys(text);
  const settings: Setting[] = [];
  const visit = (at: readonly string[], value: unknown, above: number): void => {
    const line = lines.get(pathKey(at)) ?? above;
    if (isObject(value) && !(value instanceof Date) && Object.keys(value).length > 0)
      for (const [name, inner] of Object.entries(value)) visit([...at, name], inner, line);
    else if (at.length > 0)
      settings.push({ path: at, value: (value instanceof Date ? value.toISOString() : value) as TomlValue, file: path, line });
  };
  visit([], parse(text), 1);
  return { path, settings };
}

/** What several files say together. */
export class PeerTree {
  readonly #settings = new Map<string, Setting>();

  /**
   * Lays a file over what is there, key by key.
   * @param replaced whether a table of the file takes the place of the whole table that is there
   */
  lay(settings: readonly Setting[], replaced: (path: readonly string[]) => boolean = () => false): void {
    const gone = new Set<string>();
    for (const { path } of settings)
      for (let length = 1; length <= path.length; length += 1) {
        const table = path.slice(0, length);
        if (!replaced(table) || gone.has(pathKey(table))) continue;
        gone.add(pathKey(table));
        for (const setting of this.below(table)) this.#settings.delete(pathKey(setting.path));
      }
    for (const setting of settings) {
      this.#settings.delete(pathKey(setting.path));
      this.#settings.set(pathKey(setting.path), setting);
    }
  }

  all(): Setting[] {
    return [...this.#settings.values()];
  }

  at(path: readonly string[]): Setting | undefined {
    return this.#settings.get(pathKey(path));
  }

  /** All keys of the table. */
  below(table: readonly string[]): Setting[] {
    return this.all().filter(({ path }) => table.every((part, index) => path[index] === part));
  }

  /** The names of the table's tables. */
  namesIn(table: readonly string[]): string[] {
    const names = this.below(table).flatMap(({ path }) => path[table.length] ?? []);
    return [...new Set(names)];
  }
}
