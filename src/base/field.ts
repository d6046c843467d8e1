import { fail, messageOf } from './errors.ts';
import { isDigest } from './ids.ts';
import { isObject, type JsonObject } from './json.ts';
import type { Digest } from './ids.ts';

/** Most of a wrong text that a refusal repeats, characters. */
const SHOWN_LIMIT = 64;

/**
 * One value of a document that was not checked yet, with its place in it. A reader asks for the fields it needs, one by one, and
 * the first wrong one ends it, by its name: `read manifest x: layers[3].digest: must be sha256:<64 hex>, is "sha512:0a"`.
 *
 * Every method named `as...` is for a field that may be odd: what is of another kind counts as not there. All others throw
 * InvalidArgument. Only an object's own fields are seen, never those of Object.prototype.
 */
export class Field {
  readonly value: unknown;
  readonly #what: string;
  readonly #parent: Field | undefined;
  readonly #key: string | number;

  /** The root of a document; `what` stands first in every refusal, where it is not empty. */
  constructor(value: unknown, what: string, parent?: Field, key: string | number = '') {
    this.value = value;
    this.#what = what;
    this.#parent = parent;
    this.#key = key;
  }

  /** The root of a JSON text. */
  static parse(text: string, what: string, reviver?: Parameters<typeof JSON.parse>[1]): Field {
    let value: unknown;
    try {
      value = JSON.parse(text, reviver);
    } catch (error) {
      return fail('InvalidArgument', `${what === '' ? '' : `${what}: `}must be JSON: ${messageOf(error)}`);
    }
    return new Field(value, what);
  }

  /** Itself, or undefined where it is missing or null. */
  get given(): Field | undefined {
    return this.value === undefined || this.value === null ? undefined : this;
  }

  /** Where in its document it is: `layers[3].digest`; nothing for the root. */
  get place(): string {
    if (this.#parent === undefined) return '';
    const outer = this.#parent.place;
    const key = this.#key;
    if (typeof key === 'number' || !/^[\w-]{1,64}$/.test(key)) return `${outer}[${shown(key)}]`;
    return outer === '' ? key : `${outer}.${key}`;
  }

  /** A field of this object; one that it does not have has the value undefined. */
  at(name: string): Field {
    const object = this.object();
    return new Field(Object.hasOwn(object, name) ? object[name] : undefined, this.#what, this, name);
  }

  object(): JsonObject {
    return isObject(this.value) ? this.value : this.refuse('an object');
  }

  /** What `read` makes of each entry of this list. */
  list<T>(read: (entry: Field) => T): T[] {
    if (!Array.isArray(this.value)) return this.refuse('a list');
    return this.value.map((entry: unknown, index) => read(new Field(entry, this.#what, this, index)));
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.refuse('text');
  }

  texts(): string[] {
    return this.list((entry) => entry.text());
  }

  /** This object, all of whose fields are text. */
  map(): Readonly<Record<string, string>> {
    const object = this.object();
    for (const [name, value] of Object.entries(object)) if (typeof value !== 'string') this.at(name).text();
    return object as Readonly<Record<string, string>>;
  }

  flag(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.refuse('true or false');
  }

  number(): number {
    return typeof this.value === 'number' ? this.value : this.refuse('a number');
  }

  /** A whole number from 0. */
  count(must = 'a whole number from 0'): number {
    const { value } = this;
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : this.refuse(must);
  }

  /** A whole number from 0, a bigint where a number would round it. */
  unsigned(): number | bigint {
    return typeof this.value === 'bigint' && this.value >= 0n ? this.value : this.count();
  }

  bigint(): bigint {
    return typeof this.value === 'bigint' ? this.value : this.refuse('a 64-bit number');
  }

  digest(): Digest {
    const { value } = this;
    return typeof value === 'string' && isDigest(value) ? value : this.refuse('sha256:<64 hex>');
  }

  oneOf<T extends string | number>(values: readonly T[]): T {
    return (
      values.find((value) => value === this.value) ?? this.refuse(values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`)
    );
  }

  asText(): string | undefined {
    return typeof this.value === 'string' ? this.value : undefined;
  }

  asNumber(): number | undefined {
    return typeof this.value === 'number' ? this.value : undefined;
  }

  asObject(): Field | undefined {
    return isObject(this.value) ? this : undefined;
  }

  /** @throws InvalidArgument that names this field: `PLACE: must be MUST, is ...`. */
  refuse(must: string): never {
    const before = [this.#what, this.place].filter((part) => part !== '').map((part) => `${part}: `);
    return fail('InvalidArgument', `${before.join('')}must be ${must}, is ${shown(this.value)}`);
  }
}

/** The fields that are there: of an optional one that is missing there is no trace. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A value in a sentence, never long. */
function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'string') return JSON.stringify(value.length > SHOWN_LIMIT ? `${value.slice(0, SHOWN_LIMIT)}...` : value);
  return typeof value === 'object' && value !== null ? 'an object' : `${value as number | bigint | boolean | null}`;
}
