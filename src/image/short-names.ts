import { DaemonError } from '../base/errors.ts';
import type { ShortNames } from '../registry/short-names.ts';
import { hostOf } from './reference.ts';

/** What a name as written may mean. */
export interface Meanings {
  /** In the order in which they are tried; never none. */
  readonly names: readonly string[];
  /** Why, for people. */
  readonly reason: string;
}

/**
 * The names that a name as written may mean: itself, where it says its registry; else its alias, alone; else one for each registry
 * that is searched. Tag and digest count for nothing in an alias, and go over to what it stands for.
 */
export function meaningsOf(name: string, { aliases, searchRegistries }: ShortNames): Meanings {
  if (hostOf(name) !== undefined) return { names: [name], reason: 'it says its registry' };
  const repository = repositoryIn(name);
  const alias = aliases.get(repository);
  if (alias?.target !== undefined) {
    const target = `${alias.target}${name.slice(repository.length)}`;
    return { names: [target], reason: `alias "${repository}" = "${alias.target}" in ${alias.file}` };
  }
  if (searchRegistries.length === 0) return { names: [name], reason: 'a name without registry, with no alias and no search registries' };
  return { names: searchRegistries.map((registry) => `${registry}/${name}`), reason: 'unqualified-search-registries' };
}

/** The same for a pull. @throws InvalidArgument where short-name-mode is enforcing and the name may mean several registries. */
export function meaningsToPull(name: string, shortNames: ShortNames): Meanings {
  const meanings = meaningsOf(name, shortNames);
  if (meanings.names.length > 1 && shortNames.mode === 'enforcing') {
    const words = `it may mean ${meanings.names.join(', ')}, and short-name-mode is enforcing in registries.conf`;
    throw new DaemonError('InvalidArgument', `pull ${name}: ${words}: name its registry, or give it an alias there`);
  }
  return meanings;
}

/** Without tag and digest. */
function repositoryIn(name: string): string {
  const [named = ''] = name.split('@');
  const colon = named.lastIndexOf(':');
  return colon > named.lastIndexOf('/') ? named.slice(0, colon) : named;
}
