import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { DaemonError, hasErrno, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { STRICT_TLS, UNVERIFIED_TLS } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { readAliases, SHORT_NAME_MODES } from './short-names.ts';
import type { Alias, ShortNames } from './short-names.ts';

/** What is asked of a registry, as in a reference: `docker.io`, `library/busybox`, and a tag or digest with its mark. */
export interface Asked {
  readonly domain: string;
  readonly path: string;
  /** `:1`, `@sha256:...` */
  readonly suffix: string;
}

interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly from: 'all' | 'digest-only' | 'tag-only';
}

interface Rule {
  /** The file that it is in. */
  readonly file: string;
  readonly prefix: string;
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

/**
 * registries.conf, version 2, with its drop-ins: what short names mean, and where repositories are really fetched from.
 * containers-registries.conf(5). What of it is not read here is in {@link warnings}.
 */
export class RegistriesConf {
  readonly #rules = new Map<string, Rule>();
  readonly #warnings: string[] = [];
  readonly #aliases = new Map<string, Alias>();
  #searchRegistries: readonly string[] = [];
  #shortNameMode: ShortNames['mode'] = 'permissive';
  #credentialHelpers: readonly string[] = [];

  /**
   * Reads the file and the `.conf` files of the directory in the order of their names, and last the aliases that other tools of the
   * machine have recorded. Each may be missing. @throws InvalidArgument that names the file.
   */
  static async load(file: string, directory: string, recordedAliases?: string): Promise<RegistriesConf> {
    const conf = new RegistriesConf();
    for (const path of [file, ...(await dropIns(directory))]) {
      await readDocument(path, (document) => {
        conf.#take(document, path);
      });
    }
    if (recordedAliases !== undefined) {
      await readDocument(recordedAliases, (document) => {
        conf.#takeAliases(document, recordedAliases);
        conf.#warnOf(keysBut(document, ['aliases']), recordedAliases);
      });
    }
    return conf;
  }

  get shortNames(): ShortNames {
    return { mode: this.#shortNameMode, searchRegistries: this.#searchRegistries, aliases: this.#aliases };
  }

  /** What credentials are looked for in, in this order, as the last file with such a list has it; none where no file has one. */
  get credentialHelpers(): readonly string[] {
    return this.#credentialHelpers;
  }

  /** What in the files has no effect, a sentence for each: keys that are not known here. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** The registries that the files name, by the hosts of names: where images of them would be asked for is {@link endpoints}. */
  get registries(): string[] {
    const prefixes = [...this.#rules.values()].flatMap(({ prefix, location }) =>
      prefix.startsWith('*.') ? (location.startsWith('*.') ? [] : [location]) : [prefix],
    );
    return [...prefixes, ...this.#searchRegistries].map((name) => name.split('/')[0] ?? '');
  }

  /** Whether a `[[registry]]` is for it. */
  hasRuleFor(asked: Asked): boolean {
    return this.#find(asked) !== undefined;
  }

  /** Where to ask, in this order. @throws PermissionDenied for a blocked registry. */
  endpoints(asked: Asked): Endpoint[] {
    const name = `${asked.domain}/${asked.path}`;
    const rule = this.#find(asked);
    if (rule === undefined) return [endpoint(name, { insecure: false, isMirror: false, reason: 'no rule: the registry of the name' })];
    if (rule.blocked)
      throw new DaemonError(
        'PermissionDenied',
        `fetch ${name}${asked.suffix}: registry ${rule.prefix} is blocked in registries.conf (${rule.file})`,
      );
    const isDigest = asked.suffix.startsWith('@');
    const mirrors = rule.mirrors.filter(({ from }) => from === 'all' || (from === 'digest-only') === isDigest);
    const of = `[[registry]] "${rule.prefix}" in ${rule.file}`;
    return [
      ...mirrors.map(({ location, insecure }) =>
        endpoint(rewrite(name, rule.prefix, location), { insecure, isMirror: true, reason: `mirror "${location}" of ${of}` }),
      ),
      endpoint(rewrite(name, rule.prefix, rule.location), { insecure: rule.insecure, isMirror: false, reason: of }),
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

  #take(document: Field, file: string): void {
    if (document.at('registries').value !== undefined)
      throw new Error('it has the format of version 1 ([registries.search]), must have that of version 2');
    const search = document.at('unqualified-search-registries').given?.list(readHost);
    if (search !== undefined) this.#searchRegistries = search;
    const helpers = document.at('credential-helpers').given?.texts();
    if (helpers !== undefined) this.#credentialHelpers = helpers;
    const mode = document.at('short-name-mode');
    if ((mode.given?.text() ?? '') !== '') this.#shortNameMode = mode.oneOf(SHORT_NAME_MODES);
    this.#takeAliases(document, file);
    const registries = document.at('registry').given?.list((table) => readRule(table, file)) ?? [];
    // Of one prefix twice in a file, the first counts; a later file's takes its place.
    for (const rule of registries.reverse()) this.#rules.set(rule.prefix, rule);
    this.#warnOf(unknownKeys(document), file);
  }

  #takeAliases(document: Field, file: string): void {
    const table = document.at('aliases').given;
    if (table === undefined) return;
    for (const [name, alias] of readAliases(table, file)) this.#aliases.set(name, alias);
  }

  #warnOf(keys: readonly string[], file: string): void {
    for (const key of keys) this.#warnings.push(`${file}: ${key} is not known here, and has no effect`);
  }
}

const KEYS = ['unqualified-search-registries', 'credential-helpers', 'short-name-mode', 'aliases', 'registry'];
const REGISTRY_KEYS = ['prefix', 'location', 'insecure', 'blocked', 'mirror', 'mirror-by-digest-only'];
const MIRROR_KEYS = ['location', 'insecure', 'pull-from-mirror'];

/** With their place: `registry[0].mirror[1].colour`. The document was read before. */
function unknownKeys(document: Field): string[] {
  const unknown: string[] = keysBut(document, KEYS);
  document.at('registry').given?.list((table) => {
    unknown.push(...keysBut(table, REGISTRY_KEYS));
    table.at('mirror').given?.list((mirror) => unknown.push(...keysBut(mirror, MIRROR_KEYS)));
  });
  return unknown;
}

function keysBut(table: Field, known: readonly string[]): string[] {
  return Object.keys(table.object())
    .filter((key) => !known.includes(key))
    .map((key) => table.at(key).place);
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

function text(field: Field): string {
  const value = field.given?.text() ?? '';
  return value.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}

function flag(field: Field): boolean {
  return field.given?.flag() ?? false;
}

function readHost(field: Field): string {
  const host = field.text();
  return isHost(host) ? host : field.refuse('a host, with a port where it has one');
}

/** What would make no URL, found when it is read rather than at every pull. */
function checkHost(field: Field, location: string): void {
  const [host = ''] = location.split('/');
  if (!isHost(host)) field.refuse('a host, with a port where it has one, and a path');
}

function isHost(text: string): boolean {
  return /^[\w.-]+(:[0-9]+)?$|^\[[0-9a-fA-F:]+\](:[0-9]+)?$/.test(text) && URL.canParse(`https://${text}`);
}

function readRule(table: Field, file: string): Rule {
  const location = text(table.at('location'));
  const prefix = text(table.at('prefix')) || location;
  if (prefix === '') table.refuse('a registry with a prefix or a location');
  if (/^\*\..*[/:@]|(?!^)\*|^\*(?!\.)/.test(prefix)) table.at('prefix').refuse('a name, or a host after "*." and nothing more');
  if (location === '') checkHost(table.at('prefix'), prefix.replace(/^\*\./, ''));
  else checkHost(table.at('location'), location);
  const byDigestOnly = flag(table.at('mirror-by-digest-only'));
  return {
    file,
    prefix,
    location: location || prefix,
    insecure: flag(table.at('insecure')),
    blocked: flag(table.at('blocked')),
    mirrors: table.at('mirror').given?.list((mirror) => readMirror(mirror, byDigestOnly)) ?? [],
  };
}

function readMirror(table: Field, byDigestOnly: boolean): Mirror {
  const location = text(table.at('location'));
  checkHost(table.at('location'), location);
  const from = table.at('pull-from-mirror');
  return {
    location,
    insecure: flag(table.at('insecure')),
    from: text(from) === '' ? (byDigestOnly ? 'digest-only' : 'all') : from.oneOf(['all', 'digest-only', 'tag-only']),
  };
}

/** The name with the prefix replaced. A prefix with `*` stands for many hosts, so without a location of its own the name stays. */
function rewrite(name: string, prefix: string, location: string): string {
  if (prefix.startsWith('*.')) return location === prefix ? name : `${location}/${name.slice(name.indexOf('/') + 1)}`;
  return `${location}${name.slice(prefix.length)}`;
}

/** Reads a TOML file; nothing where it is missing. @throws InvalidArgument that names the file. */
async function readDocument(path: string, read: (document: Field) => void): Promise<void> {
  try {
    read(new Field(parse(await readFile(path, 'utf8')), ''));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw new DaemonError('InvalidArgument', `read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

interface How {
  readonly insecure: boolean;
  readonly isMirror: boolean;
  readonly reason: string;
}

function endpoint(location: string, { insecure, isMirror, reason }: How): Endpoint {
  const slash = location.indexOf('/');
  const host = slash === -1 ? location : location.slice(0, slash);
  // Docker Hub's names say docker.io, and its registry is elsewhere.
  return {
    host: host === 'docker.io' ? 'registry-1.docker.io' : host,
    scheme: insecure ? 'any' : 'https',
    tls: insecure ? UNVERIFIED_TLS : STRICT_TLS,
    headers: {},
    root: '/v2',
    path: slash === -1 ? '' : location.slice(slash + 1),
    isMirror,
    resolves: true,
    reason,
  };
}
