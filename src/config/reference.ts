import { writeKey, writeValue } from './print.ts';
import { tomlName } from './schema-nodes.ts';
import type { Key, SchemaKeys, SchemaNode } from './schema-nodes.ts';
import { schema } from './schema.ts';
import type { Settings } from './schema.ts';

/** One key, as the pages about the configuration show it. */
export interface KeyReference {
  /** With its table: `runtime.handlers.NAME.path`. */
  readonly name: string;
  readonly kind: string;
  /** Its default as TOML. */
  readonly fallback: string;
  readonly doc: string;
  readonly isReloadable: boolean;
  /** Undefined where no flag sets it. */
  readonly flag: string | undefined;
  readonly isRepeatable: boolean;
}

/** One table of the file, with the keys that are directly in it. */
export interface TableReference {
  /** Undefined: the top level. */
  readonly name: string | undefined;
  readonly paragraphs: readonly string[];
  readonly keys: readonly KeyReference[];
}

/** How the configuration is read; commands, files and keys are between backticks. */
export const READING = [
  'The daemon reads, and the later wins: the file (`--config`, by default `/etc/podwright/podwright.toml`), the drop-ins ' +
    '`*.toml` and `*.conf` of a directory (`--config-dir`, by default `/etc/podwright/conf.d`) in name order, and the flags of ' +
    '`podwright serve`. A default file or directory may be missing, a named one may not. Lists and tables of values are ' +
    'replaced as a whole; runtime handlers are merged key by key. An unknown key, or a value of the wrong kind, is an error ' +
    'that names file and key, and the daemon does not start.',
  'On SIGHUP everything is read and checked again. Keys marked `reloadable` then take effect for what is started from then ' +
    'on, the log names every difference, and a difference in any other key waits for a restart. If anything is wrong, the old ' +
    'configuration stays in force as a whole.',
  '`podwright config` prints what is in force with a comment for each key, `podwright config --default` the defaults.',
] as const;

/** Every table of the schema with its keys, in the schema's order. */
export function configReference(defaults: Settings): readonly TableReference[] {
  return tablesOf(undefined, [], schema, defaults, '');
}

type Values = Readonly<Record<string, unknown>>;

function tablesOf(
  name: string | undefined,
  paragraphs: readonly string[],
  keys: SchemaKeys,
  defaults: Values,
  path: string,
): TableReference[] {
  const all = Object.entries(keys);
  const own = all.flatMap(([key, node]) => (node.node === 'key' ? [keyReference(path + tomlName(key, node), node, defaults[key])] : []));
  const inner = all.flatMap(([key, node]) =>
    node.node === 'key' ? [] : innerTables(path + tomlName(key, node), node, defaults[key] as Values),
  );
  return [{ name, paragraphs, keys: own }, ...inner];
}

function innerTables(table: string, node: Exclude<SchemaNode, Key<unknown>>, defaults: Values): TableReference[] {
  if (node.node === 'section') return tablesOf(table, [node.doc], node.keys, defaults, `${table}.`);
  const flag = node.flag === undefined ? '' : ` Flag: \`${node.flag.usage}\`${node.flag.repeatable === true ? ', repeatable' : ''}.`;
  const doc = `${node.doc} There from the start: ${Object.keys(defaults).map(writeKey).join(', ')}.${flag}`;
  const ofEntry = Object.fromEntries(
    Object.entries(node.entry).map(([key, each]) => [key, each.node === 'key' ? each.default : undefined]),
  );
  return tablesOf(`${table}.NAME`, [doc], node.entry, ofEntry, `${table}.NAME.`);
}

function keyReference(name: string, node: Key<unknown>, fallback: unknown): KeyReference {
  return {
    name,
    kind: node.kind.is,
    fallback: writeValue(node.kind.write(fallback)),
    doc: node.doc,
    isReloadable: node.reloadable === true,
    flag: node.flag?.usage,
    isRepeatable: node.flag?.repeatable === true,
  };
}
