import { Field } from '../../../api/nri/enums.ts';
import type { FieldOwners, OwningPlugins } from '../../../api/nri/messages.ts';
import { DaemonError } from '../../base/errors.ts';
import { shortened } from '../limits.ts';
import { parseKey, removalOf } from './removal.ts';

/** One thing that a plugin wants to be the only one to set: a field, or an entry of a field that has many. */
export interface Claim {
  readonly field: Field;
  /** The name of the entry: an environment variable's, a mount's destination. */
  readonly key?: string;
}

const FIELD_NAMES = new Map<Field, string>(Object.entries(Field).map(([name, field]) => [field, name]));

/**
 * Which plugin has set what of which container (pkg/api/owners.go of the module). Whoever comes second is refused, be it the same
 * plugin, but for a plugin that has taken it away itself before.
 *
 * An owner with a minus before its name has taken away what another plugin had set.
 */
export class Owners {
  readonly #simple = new Map<string, Map<Field, string>>();
  readonly #compound = new Map<string, Map<Field, Map<string, string>>>();

  /** @throws DaemonError with the field and both plugins. */
  claim(container: string, plugin: string, claim: Claim): void {
    const owner = this.#ownerOf(container, claim);
    if (owner !== undefined) checkOwner(owner, container, plugin, claim);
    this.#set(container, claim, plugin);
  }

  /** All of them or, where one is refused, none. @throws DaemonError with the field and both plugins. */
  claimAll(container: string, plugin: string, claims: readonly Claim[]): void {
    const wanted = new Set<string>();
    for (const claim of claims) {
      const owner = this.#ownerOf(container, claim);
      const name = `${claim.field} ${claim.key ?? ''}`;
      if (owner !== undefined) checkOwner(owner, container, plugin, claim);
      if (wanted.has(name)) throw conflict(container, plugin, plugin, claim);
      wanted.add(name);
    }
    for (const claim of claims) this.#set(container, claim, plugin);
  }

  /** Takes something from whoever has set it: this plugin may set it then, and no other. */
  clear(container: string, plugin: string, claim: Claim): void {
    this.#set(container, claim, removalOf(plugin));
  }

  /** What needs an owner for validators to see, but may be done by many. */
  note(container: string, plugin: string, claim: Claim): void {
    this.#set(container, claim, plugin);
  }

  /** For what plugins add to side by side. */
  join(container: string, plugin: string, field: Field): void {
    const others = this.#ownerOf(container, { field });
    this.#set(container, { field }, others === undefined ? plugin : `${others},${plugin}`);
  }

  toMessage(): OwningPlugins {
    const containers = new Set([...this.#simple.keys(), ...this.#compound.keys()]);
    return { owners: Object.fromEntries([...containers].map((container) => [container, this.#ownersOf(container)])) };
  }

  #ownersOf(container: string): FieldOwners {
    const compound = [...(this.#compound.get(container) ?? [])];
    return {
      simple: Object.fromEntries(this.#simple.get(container) ?? []),
      compound: Object.fromEntries(compound.map(([field, owners]) => [field, { owners: Object.fromEntries(owners) }])),
    };
  }

  #ownerOf(container: string, { field, key }: Claim): string | undefined {
    if (key === undefined) return this.#simple.get(container)?.get(field);
    return this.#compound.get(container)?.get(field)?.get(key);
  }

  #set(container: string, { field, key }: Claim, owner: string): void {
    if (key === undefined) {
      entryOf(this.#simple, container, () => new Map<Field, string>()).set(field, owner);
      return;
    }
    const fields = entryOf(this.#compound, container, () => new Map<Field, Map<string, string>>());
    entryOf(fields, field, () => new Map<string, string>()).set(key, owner);
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function checkOwner(owner: string, container: string, plugin: string, claim: Claim): void {
  const { key: other, removal } = parseKey(owner);
  if (!removal || other !== plugin) throw conflict(container, plugin, other, claim);
}

function conflict(container: string, plugin: string, other: string, { field, key }: Claim): DaemonError {
  const name = FIELD_NAMES.get(field) ?? String(field);
  const what = `${name}${key === undefined ? '' : ` "${shortened(key)}"`} of container ${shortened(container)}`;
  const who = other === plugin ? `NRI plugin ${plugin} sets ${what} twice` : `NRI plugins ${plugin} and ${other} both set ${what}`;
  return new DaemonError('FailedPrecondition', who);
}
