import { isAbsolute, join, posix } from 'node:path';
import { fail } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import type { TlsPaths } from './tls-files.ts';

/** One host of a hosts.toml, or its `server`. */
export interface HostEntry {
  /** Undefined for a `server` that is not named: the registry itself. */
  readonly at: { readonly scheme: 'http' | 'https'; readonly host: string; readonly root: string } | undefined;
  readonly pulls: boolean;
  readonly resolves: boolean;
  /** Undefined where the file names neither ca nor client. */
  readonly tls: TlsPaths | undefined;
  readonly skipsVerify: boolean | undefined;
  readonly headers: Readonly<Record<string, string[]>>;
  readonly dialTimeoutMs: number | undefined;
  /** Where it stands, for people: `host "https://mirror.test"`, `server`. */
  readonly name: string;
}

export interface HostsToml {
  /** In the order of the file; the server comes last. */
  readonly entries: readonly HostEntry[];
  /** Keys that have no effect, with their place. */
  readonly unknown: readonly string[];
}

const KEYS = ['capabilities', 'ca', 'client', 'skip_verify', 'header', 'override_path', 'dial_timeout'];
const CAPABILITIES = ['pull', 'resolve', 'push', 'referrers'] as const;
/** Go's time.ParseDuration. */
const UNITS_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads containerd's hosts.toml (docs/hosts.md). Paths in it may be relative to `directory`. @throws InvalidArgument that names the field. */
export function readHostsToml(document: Field, directory: string): HostsToml {
  const hosts = document.at('host').given;
  const names = hosts === undefined ? [] : Object.keys(hosts.object());
  const unknown = keysBut(document, [...KEYS, 'server', 'host']);
  const entries = names.map((name) => {
    const table = (hosts as Field).at(name);
    unknown.push(...keysBut(table, KEYS));
    return readEntry(table, readUrl(new Field(name, 'host'), name), `host "${name}"`, directory);
  });
  const server = document.at('server').given;
  const at = server === undefined || server.text() === '' ? undefined : readUrl(server, server.text());
  return { entries: [...entries, readEntry(document, at, 'server', directory)], unknown };
}

function keysBut(table: Field, known: readonly string[]): string[] {
  const keys = Object.keys(table.object()).filter((key) => !known.includes(key));
  return keys.map((key) => table.at(key).place);
}

function readUrl(field: Field, text: string): URL {
  const full = text.startsWith('http') ? text : `https://${text}`;
  const must = 'a URL with http or https, a host and maybe a path';
  if (!URL.canParse(full)) return field.refuse(must);
  const url = new URL(full);
  const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return isPlain && (url.protocol === 'http:' || url.protocol === 'https:') ? url : field.refuse(must);
}

function readEntry(table: Field, url: URL | undefined, name: string, directory: string): HostEntry {
  const capabilities = table.at('capabilities').given?.list(readCapability);
  const can = capabilities === undefined || capabilities.length === 0 ? CAPABILITIES : capabilities;
  const [ca, client] = [table.at('ca').given, table.at('client').given];
  const path = (field: Field): string => {
    const text = field.text();
    return isAbsolute(text) ? text : join(directory, text);
  };
  return {
    at: url === undefined ? undefined : place(url, table.at('override_path').given?.flag() ?? false),
    pulls: can.includes('pull'),
    resolves: can.includes('resolve'),
    tls:
      ca === undefined && client === undefined
        ? undefined
        : { authorities: ca === undefined ? [] : oneOrList(ca, path), clients: client === undefined ? [] : readClients(client, path) },
    skipsVerify: table.at('skip_verify').given?.flag(),
    headers: readHeaders(table.at('header').given),
    dialTimeoutMs: readDuration(table.at('dial_timeout').given),
    name,
  };
}

function readCapability(field: Field): (typeof CAPABILITIES)[number] {
  const text = field.text().toLowerCase();
  return CAPABILITIES.find((name) => name === text) ?? field.oneOf(CAPABILITIES);
}

function place(url: URL, isOverridden: boolean): NonNullable<HostEntry['at']> {
  const path = posix.normalize(url.pathname).replace(/\/+$/, '');
  const root = isOverridden || path.endsWith('/v2') ? path : `${path}/v2`;
  return { scheme: url.protocol === 'http:' ? 'http' : 'https', host: url.host, root };
}

function oneOrList(field: Field, read: (field: Field) => string): string[] {
  return typeof field.value === 'string' ? [read(field)] : field.list(read);
}

/** A path, a list of paths, or a list of pairs of paths, of which the second may be empty. */
function readClients(field: Field, path: (field: Field) => string): [string, string][] {
  if (typeof field.value === 'string') return [[path(field), '']];
  return field.list((entry): [string, string] => {
    if (typeof entry.value === 'string') return [path(entry), ''];
    const [certificate, key, ...more] = entry.list((part) => (part.text() === '' ? '' : path(part)));
    if (certificate === undefined || certificate === '' || key === undefined || more.length > 0)
      return entry.refuse('a path, or a pair of certificate and key');
    return [certificate, key];
  });
}

function readHeaders(table: Field | undefined): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const name of Object.keys(table?.object() ?? {})) {
    const field = (table as Field).at(name);
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) new Field(name, 'header').refuse('the name of a header');
    const read = ({ value, place: where }: Field): string => {
      if (typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
      // It may be secret, so it is not shown.
      return fail('InvalidArgument', `${where}: must be text that a header may have`);
    };
    headers[name.toLowerCase()] = Array.isArray(field.value) ? field.list(read) : [read(field)];
  }
  return headers;
}

/** Milliseconds; undefined where it is not set, or 0, which sets no limit of its own. */
function readDuration(field: Field | undefined): number | undefined {
  const text = field?.text() ?? '';
  if (field === undefined || text === '' || text === '0') return undefined;
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|\u00b5s|ms|s|m|h))+$/.test(text)) return field.refuse('a duration such as "5s" or "1m30s"');
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([a-z\u00b5]+)/g)) ms += Number(count) * (UNITS_MS[unit ?? ''] ?? 0);
  return ms === 0 ? undefined : Math.max(1, Math.round(ms));
}
