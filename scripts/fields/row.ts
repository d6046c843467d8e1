/** What the daemon does with a field of a request: a row of docs/fields.md. */
import type { Codec, Int64Value, messages } from '../../api/cri/runtime.ts';

/** A test by its file, from the top of the repository, and its title as it stands there. */
export interface NamedTest {
  readonly file: string;
  readonly title: string;
}

export type Row = HonouredRow | RefusedRow | AcceptedRow;

/** It has the effect that the CRI says; `tests` see it where it lands. */
interface HonouredRow {
  readonly is: 'honoured';
  readonly how: string;
  readonly tests: readonly NamedTest[];
}

/** A request that sets it fails with `words`, which stand in the source just so. */
interface RefusedRow {
  readonly is: 'refused';
  readonly words: string;
  readonly why: string;
  readonly tests: readonly NamedTest[];
}

/** It may be set and changes nothing. `peers`: what CRI-O and containerd do with it. */
interface AcceptedRow {
  readonly is: 'accepted';
  readonly because: string;
  readonly peers: string;
  readonly tests: readonly NamedTest[];
}

export function honoured(how: string, ...tests: [NamedTest, ...NamedTest[]]): HonouredRow {
  return { is: 'honoured', how, tests };
}

export function refused(words: string, why: string, ...tests: [NamedTest, ...NamedTest[]]): RefusedRow {
  return { is: 'refused', words, why, tests };
}

export function accepted(because: string, peers: string, ...tests: NamedTest[]): AcceptedRow {
  return { is: 'accepted', because, peers, tests };
}

/** The tests of one file: `pods('a test of it')`. */
export function testsOf(file: string): (title: string) => NamedTest {
  return (title) => ({ file, title });
}

/** One row for a message and all that is in it. Only where another place of the table has the same message field by field. */
export interface Whole {
  readonly whole: Row;
}

export function whole(row: Row): Whole {
  return { whole: row };
}

type Leaf = string | number | bigint | boolean | Uint8Array | Int64Value | Record<string, string>;
type Entry<V> = V extends readonly (infer E)[] ? Entry<E> : V extends Leaf ? Row : Fields<V> | Whole;

/** A row for each field of a message, at every depth. Windows' fields have none. */
export type Fields<T> = { readonly [K in Exclude<keyof T, 'windows'>]-?: Entry<NonNullable<T[K]>> };

type Message<N extends keyof typeof messages> = (typeof messages)[N] extends Codec<infer T> ? T : never;

/** A row for each field of each request. */
export type RequestTable = { readonly [N in keyof typeof messages as N extends `${string}Request` ? N : never]: Fields<Message<N>> };
