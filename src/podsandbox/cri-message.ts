import type { Codec, messages } from '../../api/cri/runtime.ts';
import { shapes } from '../../api/cri/shapes.ts';
import type { Field } from '../base/field.ts';

type Name = keyof typeof shapes;
type Message<N extends Name> = (typeof messages)[N] extends Codec<infer T> ? T : never;

/** The fields of each message with their types, in a form that is quick to go through: every record is read at the start. */
const FIELDS = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]): [string, [string, string][]] => [name, Object.entries(shape)]),
);
const ZERO: Readonly<Record<string, unknown>> = { string: '', number: 0, boolean: false, bigint: 0n };

/**
 * A CRI message as a record keeps it, at every depth as the codec would give it: a field that the record lacks, because it was
 * written before the CRI had it, gets its default. Fields that are not known here stay.
 * @throws InvalidArgument that names a field of another type.
 */
export function readCriMessage<N extends Name>(field: Field, name: N): Message<N> {
  return readMessage(field, name) as Message<N>;
}

function readMessage(message: Field, name: string): Readonly<Record<string, unknown>> {
  const object = message.object();
  const read: Record<string, unknown> = { ...object };
  for (const [field, type] of FIELDS[name] ?? []) {
    const value = Object.hasOwn(object, field) ? object[field] : undefined;
    if (value === undefined) read[field] = defaultOf(type);
    // Most fields are scalars that are as they should be.
    else if (typeof value !== type) read[field] = readField(message.at(field), type);
  }
  return read;
}

function defaultOf(type: string): unknown {
  if (type === 'map') return {};
  if (type.endsWith('[]')) return [];
  return type === 'Uint8Array' ? new Uint8Array(0) : ZERO[type];
}

function readField(field: Field, type: string): unknown {
  if (type.endsWith('[]')) return field.list((entry) => readField(entry, type.slice(0, -2)));
  switch (type.replace('?', '')) {
    case 'map':
      return field.map();
    case 'string':
      return field.text();
    case 'number':
      return field.number();
    case 'boolean':
      return field.flag();
    case 'bigint':
      return field.bigint();
    case 'Uint8Array':
      return field.value instanceof Uint8Array ? field.value : field.refuse('bytes');
    default:
      return readMessage(field, type);
  }
}
