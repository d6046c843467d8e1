import protobuf from 'protobufjs';
import { camelCase } from '../../scripts/generate-codec.ts';

/** A repeatable source of numbers in [0, 1): mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const STRINGS = [
  '',
  'a',
  'pod-1',
  'ñandú',
  '日本語のラベル',
  '😀',
  '\0',
  'x'.repeat(200),
  '\ufeffbom',
  '\ufffd',
  '__proto__',
  'constructor',
];
const INT64 = [
  0n,
  1n,
  -1n,
  2n ** 31n,
  -(2n ** 31n),
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  1_700_000_000_123_456_789n,
];
const UINT64 = [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];
const INT32 = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 255];
const UINT32 = [0, 1, 2 ** 31, 2 ** 32 - 1];
const DOUBLE = [0, -0, 1.5, -1e300, NaN, Infinity, 5e-324];

type Message = Record<string, unknown>;

/** Random messages of any type, as the generated codecs have them and as protobufjs's reflection has them. */
export class RandomMessages {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)]!;
  }

  #bytes(): Uint8Array {
    return Uint8Array.from({ length: Math.floor(this.#random() * 40) }, () => Math.floor(this.#random() * 256));
  }

  #scalar(type: string): unknown {
    const values: Readonly<Record<string, () => unknown>> = {
      string: () => this.#pick(STRINGS),
      bytes: () => this.#bytes(),
      bool: () => this.#random() < 0.5,
      int32: () => this.#pick(INT32),
      uint32: () => this.#pick(UINT32),
      int64: () => this.#pick(INT64),
      uint64: () => this.#pick(UINT64),
      double: () => this.#pick(DOUBLE),
    };
    return values[type]!();
  }

  #value(field: protobuf.Field, depth: number): unknown {
    const { resolvedType } = field;
    if (resolvedType instanceof protobuf.Type) return this.message(resolvedType, depth + 1);
    // Also numbers that the enum does not have.
    if (resolvedType instanceof protobuf.Enum) return this.#pick([...Object.values(resolvedType.values), 99, -1]);
    return this.#scalar(field.type);
  }

  /** A message with every field, of which about half have a value other than the default. */
  message(type: protobuf.Type, depth = 0): Message {
    const fields = type.fieldsArray.map((field): [string, unknown] => {
      const length = this.#random() < 0.4 ? 0 : Math.ceil(this.#random() * 3);
      const name = camelCase(field.name);
      if (field instanceof protobuf.MapField) {
        const map = Object.create(null) as Record<string, unknown>;
        for (let i = 0; i < length; i += 1)
          map[field.keyType === 'string' ? this.#pick(STRINGS) : this.#pick(INT32)] = this.#value(field, depth);
        return [name, withOwnKeys(map)];
      }
      if (field.repeated) return [name, Array.from({ length }, () => this.#value(field, depth))];
      if (field.resolvedType instanceof protobuf.Type) return [name, this.#random() < 0.3 ? undefined : this.#value(field, depth)];
      return [name, this.#random() < 0.3 ? emptyOf(field) : this.#value(field, depth)];
    });
    return Object.fromEntries(fields);
  }
}

function withOwnKeys(map: object): object {
  return Object.defineProperties({}, Object.getOwnPropertyDescriptors(map));
}

function mapEntries(map: unknown, change: (value: unknown) => unknown): object {
  const changed = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of Object.entries(map as object)) changed[key] = change(value);
  return withOwnKeys(changed);
}

function emptyOf(field: protobuf.Field): unknown {
  if (field.type === 'string') return '';
  if (field.type === 'bytes') return new Uint8Array(0);
  if (field.type === 'bool') return false;
  return field.type.endsWith('int64') ? 0n : 0;
}

interface LongLike {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
}

function toLong(value: bigint, unsigned: boolean): LongLike {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned };
}

function fromLong({ low, high, unsigned }: LongLike): bigint {
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return unsigned ? bits : BigInt.asIntN(64, bits);
}

/** A message of a generated codec as protobufjs's reflection takes it. */
export function toReflection(type: protobuf.Type, message: Message): Message {
  const one = (field: protobuf.Field, value: unknown): unknown => {
    if (typeof value === 'bigint') return toLong(value, field.type === 'uint64');
    return field.resolvedType instanceof protobuf.Type ? toReflection(field.resolvedType, value as Message) : value;
  };
  return Object.fromEntries(
    type.fieldsArray.flatMap((field) => {
      const value = message[camelCase(field.name)];
      if (value === undefined) return [];
      if (field instanceof protobuf.MapField) return [[field.name, mapEntries(value, (item) => one(field, item))]];
      return [[field.name, field.repeated ? (value as unknown[]).map((item) => one(field, item)) : one(field, value)]];
    }),
  );
}

/** What protobufjs's reflection decoded, as the generated codecs have it. */
export function fromReflection(type: protobuf.Type, message: Message): Message {
  const one = (field: protobuf.Field, value: unknown): unknown => {
    if (field.resolvedType instanceof protobuf.Type) return fromReflection(field.resolvedType, value as Message);
    if (field.type.endsWith('int64')) return fromLong(value as LongLike);
    return field.type === 'bytes' ? new Uint8Array(value as Uint8Array) : value;
  };
  return Object.fromEntries(
    type.fieldsArray.map((field) => {
      const name = camelCase(field.name);
      const value = Object.hasOwn(message, field.name) ? message[field.name] : undefined;
      if (field instanceof protobuf.MapField) return [name, mapEntries(value ?? {}, (item) => one(field, item))];
      if (field.repeated) return [name, ((value as unknown[] | undefined) ?? []).map((item) => one(field, item))];
      if (field.resolvedType instanceof protobuf.Type) return [name, value === undefined ? undefined : one(field, value)];
      return [name, value === undefined ? emptyOf(field) : one(field, value)];
    }),
  );
}
