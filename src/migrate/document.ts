import type { TomlValue } from '../config/kinds.ts';
import { writeValue } from '../config/print.ts';
import { tomlKey } from './report.ts';
import type { Entry } from './report.ts';

interface Table {
  readonly keys: Map<string, Entry>;
  readonly tables: Map<string, Table>;
}

/**
 * Our configuration, with where each key comes from. Of entries for one key the last counts.
 * @param handlers runtime handlers that must be there though no key of theirs was carried
 */
export function writeDocument(peer: string, files: readonly string[], entries: readonly Entry[], handlers: readonly string[]): string {
  const root: Table = emptyTable();
  for (const entry of entries) tableAt(root, entry.to.slice(0, -1)).keys.set(entry.to.at(-1) ?? '', entry);
  for (const handler of handlers) tableAt(root, ['runtime', 'handlers', handler]);
  const lines = [
    `# Made by podwright config migrate from the configuration of ${peer}: ${files.join(', ')}`,
    '# What is not here is by default: podwright config prints every key with its meaning.',
  ];
  writeTable(lines, root, []);
  return `${lines.join('\n')}\n`;
}

function emptyTable(): Table {
  return { keys: new Map(), tables: new Map() };
}

function tableAt(root: Table, path: readonly string[]): Table {
  let table = root;
  for (const name of path) {
    const next = table.tables.get(name) ?? emptyTable();
    table.tables.set(name, next);
    table = next;
  }
  return table;
}

function writeTable(lines: string[], table: Table, path: readonly string[]): void {
  if (path.length > 0 && (table.keys.size > 0 || table.tables.size === 0)) lines.push('', `[${tomlKey(path)}]`);
  else if (table.keys.size > 0) lines.push('');
  for (const [name, { value, from }] of table.keys)
    lines.push(`# ${oneLine(from)}`, `${tomlKey([name])} = ${writeValue(value satisfies TomlValue)}`);
  for (const [name, inner] of table.tables) writeTable(lines, inner, [...path, name]);
}

/** A key may have any character, a comment none that ends it. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}]/gu, '?');
}
