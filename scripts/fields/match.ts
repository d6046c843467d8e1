/** Brings the rows together with the fields of api.proto, by which a field without a row and a row without a field are found. */
import protobuf from 'protobufjs';
import { camelCase } from '../generate-codec.ts';
import type { Row, Whole } from './row.ts';

/** A field of a request by its path in the words of the proto: `config.metadata.name`. */
export interface FieldRow {
  readonly field: string;
  readonly row: Row;
  /** The message that the row stands for as a whole. */
  readonly whole?: string;
}

export interface RpcRows {
  readonly rpc: string;
  readonly rows: readonly FieldRow[];
}

export interface Match {
  readonly rpcs: readonly RpcRows[];
  /** What is wrong with the table, in words; empty where nothing is. */
  readonly faults: readonly string[];
}

type Entry = Row | Whole | { readonly [field: string]: Entry };

/** A message of one field `value` counts as a scalar that may be missing. */
const isLeaf = ({ resolvedType }: protobuf.Field): boolean =>
  !(resolvedType instanceof protobuf.Type) || /^(Int64|UInt64)Value$/.test(resolvedType.name);

const isRow = (entry: Entry): entry is Row => 'is' in entry && typeof entry.is === 'string';
const isWhole = (entry: Entry): entry is Whole => 'whole' in entry && isRow(entry.whole);

class Matcher {
  readonly faults: string[] = [];
  readonly rows: FieldRow[] = [];
  readonly #listed: Set<string>;

  constructor(listed: Set<string>) {
    this.#listed = listed;
  }

  /** Goes through a message and its entries side by side. */
  message(type: protobuf.Type, entries: Entry | undefined, path: readonly string[]): void {
    const at = (name: string): string => [...path, name].join('.');
    if (entries === undefined || isRow(entries) || isWhole(entries)) {
      this.faults.push(`${path.join('.')}: ${type.name} has no rows of its fields`);
      return;
    }
    this.#listed.add(type.name);
    const fields = type.fieldsArray.filter(({ name }) => name !== 'windows');
    const known = new Set(fields.map(({ name }) => camelCase(name)));
    for (const name of Object.keys(entries)) if (!known.has(name)) this.faults.push(`${at(name)}: a row, but no such field`);
    for (const field of fields)
      this.#field(field, Object.hasOwn(entries, camelCase(field.name)) ? entries[camelCase(field.name)] : undefined, [...path, field.name]);
  }

  #field(field: protobuf.Field, entry: Entry | undefined, path: readonly string[]): void {
    const name = path.slice(1).join('.');
    if (entry === undefined) this.faults.push(`${path.join('.')}: no row`);
    else if (isLeaf(field)) {
      if (isRow(entry)) this.rows.push({ field: name, row: entry });
      else this.faults.push(`${path.join('.')}: must have one row, it is no message`);
    } else if (isWhole(entry)) this.rows.push({ field: name, row: entry.whole, whole: field.resolvedType?.name ?? '' });
    else this.message(field.resolvedType as protobuf.Type, entry, path);
  }
}

/** @param table a RequestTable. @param proto the text of api.proto. */
export function matchRows(table: object, proto: string): Match {
  const { root } = protobuf.parse(proto, { keepCase: true });
  root.resolveAll();
  const namespace = root.lookup('runtime.v1') as protobuf.Namespace;
  const services = namespace.nestedArray.filter((object) => object instanceof protobuf.Service);
  const entries = table as { readonly [request: string]: Entry };
  const listed = new Set<string>();
  const faults: string[] = [];
  const methods = services.flatMap(({ methodsArray }) => methodsArray);
  const rpcs = methods.map(({ name, requestType }) => {
    const matcher = new Matcher(listed);
    matcher.message(namespace.lookupType(requestType), entries[requestType], [requestType]);
    faults.push(...matcher.faults);
    return { rpc: name, rows: matcher.rows };
  });
  for (const request of Object.keys(entries))
    if (!methods.some(({ requestType }) => requestType === request)) faults.push(`${request}: rows, but no such request`);
  // A new field in a message that is only told of as a whole would be seen by nobody.
  for (const { rpc, rows } of rpcs)
    for (const { field, row, whole } of rows)
      if (whole !== undefined && row.is !== 'refused' && !listed.has(whole))
        faults.push(`${rpc}: ${field}: ${whole} stands as a whole, and nowhere field by field`);
  return { rpcs, faults };
}
