import { Field } from '../base/field.ts';

/** containers-registries.conf(5), "Short-Name Aliasing: Modes". */
export const SHORT_NAME_MODES = ['enforcing', 'permissive', 'disabled'] as const;

/** What a name without a registry stands for. */
export interface Alias {
  /** Registry and repository, without tag and digest; undefined where a file takes the alias away. */
  readonly target: string | undefined;
  readonly file: string;
}

/** What names without a registry may mean. */
export interface ShortNames {
  /** `enforcing`: a name that may mean several registries is refused, as here is nobody to ask. The others try all. */
  readonly mode: (typeof SHORT_NAME_MODES)[number];
  /** Looked through in this order; none: docker.io. */
  readonly searchRegistries: readonly string[];
  readonly aliases: ReadonlyMap<string, Alias>;
}

export const NO_SHORT_NAMES: ShortNames = { mode: 'permissive', searchRegistries: [], aliases: new Map() };

const PART = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);
const TARGET = new RegExp(`^(?:localhost|[\\w-]+(?:\\.[\\w-]+)+|[\\w.-]+:[0-9]+|\\[[0-9a-fA-F:]+\\](?::[0-9]+)?)(?:/${PART})+$`);
const LOOKS_LIKE_HOST = /^(?:localhost|[^/]*[.:][^/]*)\//;

/** Reads a table `[aliases]`: `"busybox" = "docker.io/library/busybox"`. */
export function readAliases(table: Field, file: string): Map<string, Alias> {
  const aliases = new Map<string, Alias>();
  for (const name of Object.keys(table.object())) {
    if (!NAME.test(name) || LOOKS_LIKE_HOST.test(name))
      new Field(name, 'aliases').refuse('a name without registry, tag and digest on the left');
    const entry = table.at(name);
    const target = entry.text();
    if (target !== '' && !TARGET.test(target)) entry.refuse('a registry and a repository, without tag and digest, or empty');
    aliases.set(name, { target: target === '' ? undefined : target, file });
  }
  return aliases;
}
