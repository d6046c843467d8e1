import { tomlName } from './schema-nodes.ts';
import type { Key, SchemaKeys } from './schema-nodes.ts';
import { schema } from './schema.ts';
import type { Config, Settings } from './schema.ts';
import type { TomlValue } from './kinds.ts';

const COMMENT_WIDTH = 110;

/** The settings as a TOML file with every key documented; loading it again gives the same settings. */
export function printToml(settings: Settings | Config): string {
  const lines = ['# Configuration of podwright. Drop-ins (conf.d/*.toml) and flags come after this file and win.', ''];
  printKeys(lines, schema, settings, '');
  return `${lines.join('\n').trimEnd()}\n`;
}

type Values = Readonly<Record<string, unknown>>;

/** Keys first, tables after them: in TOML a key that follows a table header is the table's. */
function printKeys(lines: string[], keys: SchemaKeys, values: Values, path: string): void {
  for (const [name, node] of Object.entries(keys)) {
    if (node.node !== 'key') continue;
    lines.push(...comment(docOf(node)), `${tomlName(name, node)} = ${writeValue(node.kind.write(values[name]))}`, '');
  }
  for (const [name, node] of Object.entries(keys)) {
    if (node.node === 'key') continue;
    const table = path + tomlName(name, node);
    const inner = values[name] as Values;
    lines.push(...comment(node.doc));
    if (node.node === 'section') {
      lines.push(`[${table}]`, '');
      printKeys(lines, node.keys, inner, `${table}.`);
      continue;
    }
    for (const [entry, entryValues] of Object.entries(inner)) {
      lines.push(`[${table}.${writeKey(entry)}]`, '');
      printKeys(lines, node.entry, entryValues as Values, `${table}.${writeKey(entry)}.`);
    }
  }
}

function docOf(key: Key<unknown>): string {
  return key.reloadable === true ? `${key.doc} (reloadable)` : key.doc;
}

function comment(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + word.length > COMMENT_WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => `# ${line}`);
}

/** A value in TOML: JSON's strings, numbers and lists are TOML's too, tables are not. */
export function writeValue(value: TomlValue): string {
  if (Array.isArray(value)) return `[${value.map(writeValue).join(', ')}]`;
  if (typeof value !== 'object') return writeScalar(value);
  const entries = Object.entries(value).map(([name, inner]) => `${writeKey(name)} = ${writeValue(inner)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

/** JSON leaves DEL as it is, TOML wants it escaped. */
function writeScalar(value: string | number | boolean): string {
  return JSON.stringify(value).replaceAll('\x7f', String.raw`\u007f`);
}

export function writeKey(name: string): string {
  return /^[\w-]+$/.test(name) ? name : writeScalar(name);
}
