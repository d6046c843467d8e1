import type { Kind } from './kinds.ts';

/** A flag of `podwright serve` that sets a key. */
export interface Flag {
  /** As the help shows it: `--root <DIR>`. */
  readonly usage: string;
  /** Whether it may be given several times; the values then make up the list or table. */
  readonly repeatable?: true;
}

/** One setting. Its TOML key is the field's name in snake_case, less the unit. */
export interface Key<T> {
  readonly node: 'key';
  readonly kind: Kind<T>;
  readonly default: NoInfer<T>;
  readonly doc: string;
  /** Whether SIGHUP puts a new value in force, for what is started from then on. */
  readonly reloadable?: true;
  readonly flag?: Flag;
}

/** A TOML table with fixed keys. */
export interface Section<S extends SchemaKeys> {
  readonly node: 'section';
  readonly doc: string;
  readonly keys: S;
}

/** A TOML table whose entries the user names, each with the same keys. */
export interface Named<S extends SchemaKeys> {
  readonly node: 'named';
  readonly doc: string;
  readonly entry: S;
  /** The entries that are there without any configuration. */
  readonly names: readonly string[];
  readonly flag?: Flag;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- keys of every type stand in one table, and Kind<T> is invariant
export type SchemaNode = Key<any> | Section<SchemaKeys> | Named<SchemaKeys>;

export interface SchemaKeys {
  readonly [name: string]: SchemaNode;
}

type ValueOf<N> =
  N extends Key<infer T>
    ? T
    : N extends Section<infer S>
      ? ValuesOf<S>
      : N extends Named<infer S>
        ? Readonly<Record<string, ValuesOf<S>>>
        : never;
export type ValuesOf<S> = { readonly [K in keyof S]: ValueOf<S[K]> };

export function key<T>(kind: Kind<T>, fallback: NoInfer<T>, doc: string, more: { reloadable?: true; flag?: Flag } = {}): Key<T> {
  return { node: 'key', kind, default: fallback, doc, ...more };
}

export function section<const S extends SchemaKeys>(doc: string, keys: S): Section<S> {
  return { node: 'section', doc, keys };
}

export function named<const S extends SchemaKeys>(doc: string, entry: S, names: readonly string[], flag?: Flag): Named<S> {
  return { node: 'named', doc, entry, names, ...(flag === undefined ? {} : { flag }) };
}

/** The name of a key in TOML: of `cniAddMs`, a duration, `cni_add`. */
export function tomlName(name: string, node: SchemaNode): string {
  const suffix = node.node === 'key' ? (node.kind.suffix ?? '') : '';
  const bare = suffix !== '' && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
  return bare.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
