import { isDeepStrictEqual } from 'node:util';
import { loadConfig } from './load.ts';
import type { ConfigSources, LoadedConfig } from './load.ts';
import { tomlName } from './schema-nodes.ts';
import type { Key, Named, SchemaKeys } from './schema-nodes.ts';
import { schema } from './schema.ts';
import type { Config } from './schema.ts';

/** A key whose value a reload found changed. */
export interface ConfigChange {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
  /** Whether the new value is in force; else it waits for a restart. */
  readonly applied: boolean;
}

/** A configuration that was read and is not in force yet. */
export interface NextConfig {
  /** What is in force after {@link use}: the new values of the reloadable keys, the old ones of the others. */
  readonly config: Config;
  readonly changes: readonly ConfigChange[];
  use(): void;
}

/** The configuration in force, and its reload. Read {@link current} each time where a key is reloadable. */
export class LiveConfig {
  readonly #sources: ConfigSources;
  #loaded: LoadedConfig;

  private constructor(sources: ConfigSources, loaded: LoadedConfig) {
    this.#sources = sources;
    this.#loaded = loaded;
  }

  /** @throws {DaemonError} InvalidArgument, see {@link loadConfig}. */
  static async load(sources: ConfigSources): Promise<LiveConfig> {
    return new LiveConfig(sources, await loadConfig(sources));
  }

  get current(): Config {
    return this.#loaded.config;
  }

  /** The files read, in their order. */
  get files(): readonly string[] {
    return this.#loaded.files;
  }

  /**
   * Reads everything again. Nothing changes before what it returns is used.
   * @throws {DaemonError} InvalidArgument when the new configuration is wrong.
   */
  async read(): Promise<NextConfig> {
    const next = await loadConfig(this.#sources);
    const changes: ConfigChange[] = [];
    const config = mergeKeys(schema, this.#loaded.config, next.config, '', changes) as unknown as Config;
    return {
      config,
      changes,
      use: () => {
        this.#loaded = { config, files: next.files };
      },
    };
  }
}

type Values = Readonly<Record<string, unknown>>;

/** What is in force after a reload: of each key the new value where it may change, the old one elsewhere. */
function mergeKeys(keys: SchemaKeys, before: Values, after: Values, path: string, changes: ConfigChange[]): Values {
  const merged: Record<string, unknown> = {};
  for (const [name, node] of Object.entries(keys)) {
    const key = path + tomlName(name, node);
    if (node.node === 'section') {
      merged[name] = mergeKeys(node.keys, before[name] as Values, after[name] as Values, `${key}.`, changes);
      continue;
    }
    if (node.node === 'named') {
      merged[name] = mergeEntries(node, before[name] as Entries, after[name] as Entries, `${key}.`, changes);
      continue;
    }
    const applied = (node as Key<unknown>).reloadable === true;
    merged[name] = applied ? after[name] : before[name];
    if (!isDeepStrictEqual(before[name], after[name])) changes.push({ key, before: before[name], after: after[name], applied });
  }
  return Object.freeze(merged);
}

type Entries = Readonly<Record<string, Values>>;

/** Which entries there are is fixed at the start; of one that stays, keys may change like any other. */
function mergeEntries({ entry }: Named<SchemaKeys>, before: Entries, after: Entries, path: string, changes: ConfigChange[]): Entries {
  const merged: Record<string, Values> = {};
  for (const [name, values] of Object.entries(before)) {
    const next = after[name];
    if (next === undefined) changes.push({ key: path + name, before: values, after: undefined, applied: false });
    merged[name] = next === undefined ? values : mergeKeys(entry, values, next, `${path}${name}.`, changes);
  }
  for (const [name, values] of Object.entries(after))
    if (before[name] === undefined) changes.push({ key: path + name, before: undefined, after: values, applied: false });
  return Object.freeze(merged);
}
