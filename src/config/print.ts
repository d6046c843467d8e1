import { tomlName } from './schema-nodes.ts';
import type { Key, SchemaKeys, SchemaNode } from './schema-nodes.ts';
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

function writeKey(name: string): string {
  return /^[\w-]+$/.test(name) ? name : writeScalar(name);
}

/** docs/config.md: every key with its kind, default and meaning. */
export function printMarkdown(settings: Settings): string {
  const lines = [
    '# Configuration',
    '',
    '<!-- Printed from src/config/schema.ts by `npm run generate`; a unit test compares. Do not edit. -->',
    '',
    'The daemon reads, and the later wins: the file (`--config`, by default `/etc/podwright/podwright.toml`), the drop-ins',
    '`*.toml` and `*.conf` of a directory (`--config-dir`, by default `/etc/podwright/conf.d`) in name order, and the flags of',
    '`podwright serve`. A default file or directory may be missing, a named one may not. Lists and tables of values are',
    'replaced as a whole; runtime handlers are merged key by key. An unknown key, or a value of the wrong kind, is an error',
    'that names file and key, and the daemon does not start.',
    '',
    'On SIGHUP everything is read and checked again. Keys marked *reloadable* then take effect for what is started from then',
    'on, the log names every difference, and a difference in any other key waits for a restart. If anything is wrong, the old',
    'configuration stays in force as a whole.',
    '',
    '`podwright config` prints what is in force with a comment for each key, `podwright config --default` the defaults.',
  ];
  markdownKeys(lines, 'Top level', undefined, schema, settings, '');
  return `${lines.join('\n')}\n`;
}

function markdownKeys(lines: string[], title: string, doc: string | undefined, keys: SchemaKeys, defaults: Values, path: string): void {
  lines.push('', `## ${title}`, '', ...(doc === undefined ? [] : [doc, '']));
  lines.push('| key | kind | default | meaning | flag |', '|---|---|---|---|---|');
  const tables: [string, Exclude<SchemaNode, Key<unknown>>][] = [];
  for (const [name, node] of Object.entries(keys)) {
    if (node.node !== 'key') {
      tables.push([name, node]);
      continue;
    }
    const cells = [
      `\`${path}${tomlName(name, node)}\``,
      node.kind.is,
      `\`${writeValue(node.kind.write(defaults[name]))}\``,
      markdownDoc(node),
      flagOf(node),
    ];
    lines.push(`| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`);
  }
  for (const [name, node] of tables) {
    const table = path + tomlName(name, node);
    const inner = defaults[name] as Values;
    if (node.node === 'section') markdownKeys(lines, `\`[${table}]\``, node.doc, node.keys, inner, `${table}.`);
    else {
      const flag = flagOf(node);
      const text = `${node.doc} There from the start: ${Object.keys(inner).join(', ')}.${flag === '' ? '' : ` Flag: ${flag}.`}`;
      const entryDefaults = Object.fromEntries(
        Object.entries(node.entry).map(([key, each]) => [key, each.node === 'key' ? each.default : undefined]),
      );
      markdownKeys(lines, `\`[${table}.NAME]\``, text, node.entry, entryDefaults, `${table}.NAME.`);
    }
  }
}

function markdownDoc(key: Key<unknown>): string {
  return key.reloadable === true ? `${key.doc} *Reloadable.*` : key.doc;
}

function flagOf(node: SchemaNode): string {
  if (node.node === 'section' || node.flag === undefined) return '';
  return `\`${node.flag.usage}\`${node.flag.repeatable === true ? ', repeatable' : ''}`;
}
