import type { Field } from '../base/field.ts';
import { readBase64 } from './strict-json.ts';

/** Where a key or a certificate is: in a file, or in the policy itself. */
export type KeySource = { readonly path: string } | { readonly data: Buffer };

/** Of the fields of one kind just one may be there; those that end in `s` are lists. Undefined where none is. @throws InvalidArgument. */
export function readSources(field: Field, ...names: readonly string[]): readonly KeySource[] | undefined {
  const given = names.filter((name) => field.at(name).value !== undefined);
  if (given.length > 1) field.refuse(`given just one of ${given.join(', ')}`);
  const [name] = given;
  if (name === undefined) return undefined;
  const source = field.at(name);
  const read = /Datas?$/.test(name) ? (each: Field): KeySource => ({ data: readBase64(each) }) : readPath;
  const sources = name.endsWith('s') ? source.list(read) : [read(source)];
  return sources.length > 0 ? sources : source.refuse('a list of at least one');
}

function readPath(field: Field): KeySource {
  const path = field.text();
  return path.startsWith('/') && !path.includes('\0') ? { path } : field.refuse('an absolute path');
}
