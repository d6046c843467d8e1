import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';

/** What is asked of a registry, as in a reference: `docker.io`, `library/busybox`, and a tag or digest with its mark. */
export interface Asked {
  readonly domain: string;
  readonly path: string;
  /** `:1`, `@sha256:...` */
  readonly suffix: string;
}

/** Where to ask for a repository. */
export interface Endpoint {
  /** Host with a port where it has one. */
  readonly host: string;
  readonly path: string;
  /** Whether a certificate that cannot be verified, and plain http, will do. */
  readonly insecure: boolean;
  /** Whether it stands in for the registry; it gets no credentials that were given for that. */
  readonly isMirror: boolean;
}

interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly from: 'all' | 'digest-only' | 'tag-only';
}

interface Rule {
  readonly prefix: string;
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

type Table = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * registries.conf, version 2, with its drop-ins: where repositories are really fetched from. containers-registries.conf(5).
 * Read are unqualified-search-registries, and of each registry prefix, location, insecure, blocked, mirror and
 * mirror-by-digest-only.
 */
export class RegistriesConf {
  readonly #rules = new Map<string, Rule>();
  #searchRegistries: readonly string[] = [];

  /** Reads the file and the `.conf` files of the directory in the order of their names; either may be missing. @throws InvalidArgument that names the file. */
  static async load(file: string, directory: string): Promise<RegistriesConf> {
    const conf = new RegistriesConf();
    for (const path of [file, ...(await dropIns(directory))]) {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ENOTDIR')) continue;
        throw new DaemonError('InvalidArgument', `read ${path}: ${messageOf(error)}`, { cause: error });
      }
      try {
        conf.#take(parse(text));
      } catch (error) {
        throw new DaemonError('InvalidArgument', `read ${path}: ${messageOf(error)}`, { cause: error });
      }
    }
    return conf;
  }

  /** Registries that a name without one is looked for in, in this order; none: it means docker.io. */
  get searchRegistries(): readonly string[] {
    return this.#searchRegistries;
  }

  /** Where to ask, in this order. @throws PermissionDenied for a blocked registry. */
  endpoints(asked: Asked): Endpoint[] {
    const name = `${asked.domain}/${asked.path}`;
    const rule = this.#find(asked);
    if (rule === undefined) return [endpoint(name, false, false)];
    if (rule.blocked)
      throw new DaemonError('PermissionDenied', `fetch ${name}${asked.suffix}: registry ${rule.prefix} is blocked in registries.conf`);
    const isDigest = asked.suffix.startsWith('@');
    const mirrors = rule.mirrors.filter(({ from }) => from === 'all' || (from === 'digest-only') === isDigest);
    return [
      ...mirrors.map(({ location, insecure }) => endpoint(rewrite(name, rule.prefix, location), insecure, true)),
      endpoint(rewrite(name, rule.prefix, rule.location), rule.insecure, false),
    ];
  }

  /** The rule with the longest prefix; a part of a name matches only as a whole, `*.example.com` any host below it. */
  #find({ domain, path, suffix }: Asked): Rule | undefined {
    const whole = `${domain}/${path}${suffix}`;
    let best: Rule | undefined;
    for (const rule of this.#rules.values()) {
      const { prefix } = rule;
      const next = whole.charAt(prefix.length);
      const fits = prefix.startsWith('*.')
        ? domain.replace(/:[0-9]+$/, '').endsWith(prefix.slice(1))
        : whole.startsWith(prefix) && (next === '' || (prefix.includes('/') ? '/:@' : '/').includes(next));
      if (fits && prefix.length > (best?.prefix.length ?? -1)) best = rule;
    }
    return best;
  }

  #take(document: Table): void {
    const { registry = [], 'unqualified-search-registries': search, registries } = document;
    if (registries !== undefined) throw new Error('it has the format of version 1 ([registries.search]), must have that of version 2');
    if (search !== undefined) {
      if (!Array.isArray(search) || !search.every((entry) => typeof entry === 'string'))
        throw new Error('unqualified-search-registries must be a list of hosts');
      for (const host of search)
        if (!isHost(host)) throw new Error(`"${host}" in unqualified-search-registries must be a host, with a port where it has one`);
      this.#searchRegistries = search;
    }
    if (!Array.isArray(registry)) throw new Error('registry must be a list: [[registry]]');
    for (const entry of registry) {
      if (!isTable(entry)) throw new Error('registry must be a list of tables');
      const rule = readRule(entry);
      this.#rules.set(rule.prefix, rule);
    }
  }
}

async function dropIns(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory))
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw new DaemonError('InvalidArgument', `read ${directory}: ${messageOf(error)}`, { cause: error });
  }
}

function text(table: Table, key: string): string {
  const value = table[key] ?? '';
  if (typeof value !== 'string') throw new Error(`${key} must be text`);
  return value.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}

function flag(table: Table, key: string): boolean {
  const value = table[key] ?? false;
  if (typeof value !== 'boolean') throw new Error(`${key} must be true or false`);
  return value;
}

/** Refuses what would make no URL when the file is read, and not at every pull. */
function checkHost(location: string): void {
  const [host = ''] = location.split('/');
  if (!isHost(host)) throw new Error(`location "${location}" must begin with a host, with a port where it has one`);
}

function isHost(text: string): boolean {
  return /^[\w.-]+(:[0-9]+)?$|^\[[0-9a-fA-F:]+\](:[0-9]+)?$/.test(text) && URL.canParse(`https://${text}`);
}

function readRule(table: Table): Rule {
  const location = text(table, 'location');
  const prefix = text(table, 'prefix') || location;
  if (prefix === '') throw new Error('a registry must have a prefix or a location');
  checkHost(location || prefix.replace(/^\*\./, ''));
  const mirrors: unknown = table['mirror'] ?? [];
  if (!Array.isArray(mirrors) || !mirrors.every(isTable)) throw new Error(`mirror of ${prefix} must be a list: [[registry.mirror]]`);
  const byDigestOnly = flag(table, 'mirror-by-digest-only');
  return {
    prefix,
    location: location || prefix,
    insecure: flag(table, 'insecure'),
    blocked: flag(table, 'blocked'),
    mirrors: mirrors.map((mirror) => readMirror(mirror, byDigestOnly)),
  };
}

function readMirror(table: Table, byDigestOnly: boolean): Mirror {
  const location = text(table, 'location');
  if (location === '') throw new Error('a mirror must have a location');
  checkHost(location);
  const from = text(table, 'pull-from-mirror') || (byDigestOnly ? 'digest-only' : 'all');
  if (from !== 'all' && from !== 'digest-only' && from !== 'tag-only')
    throw new Error(`pull-from-mirror of ${location} must be all, digest-only or tag-only`);
  return { location, insecure: flag(table, 'insecure'), from };
}

/** The name with the prefix replaced. A prefix with `*` stands for many hosts, so without a location of its own the name stays. */
function rewrite(name: string, prefix: string, location: string): string {
  if (prefix.startsWith('*.')) return location === prefix ? name : `${location}/${name.slice(name.indexOf('/') + 1)}`;
  return `${location}${name.slice(prefix.length)}`;
}

function endpoint(location: string, insecure: boolean, isMirror: boolean): Endpoint {
  const slash = location.indexOf('/');
  const host = slash === -1 ? location : location.slice(0, slash);
  // Docker Hub's names say docker.io, and its registry is elsewhere.
  return {
    host: host === 'docker.io' ? 'registry-1.docker.io' : host,
    path: slash === -1 ? '' : location.slice(slash + 1),
    insecure,
    isMirror,
  };
}
