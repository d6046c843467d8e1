import { join } from 'node:path';
import type { TomlValue } from '../config/kinds.ts';
import { hostsToml } from './hosts-file.ts';
import type { HostTls } from './hosts-file.ts';
import type { Apart } from './migrate.ts';
import type { PeerTree, Setting } from './peer-tree.ts';
import { tomlKey } from './report.ts';
import type { Entry, ReportLine, SideFile } from './report.ts';
import { findRule, isEmpty, needless, textOf } from './rule.ts';
import type { Rules } from './rule.ts';

const TLS_KEYS = ['insecure_skip_verify', 'ca_file', 'cert_file', 'key_file'];
const AUTH_KEYS = ['username', 'password', 'auth', 'identitytoken'];
const decidedTogether = needless('decided with the others of its table');

/** The keys of the table of registries that are no keys of ours: they become files, all at once. */
export const REGISTRY_KEYS: Rules = [
  'mirrors/*/endpoint',
  'headers/*',
  ...TLS_KEYS.map((key) => `configs/*/tls/${key}`),
  ...AUTH_KEYS.flatMap((key) => [`configs/*/auth/${key}`, `auths/*/${key}`]),
].map((pattern) => [`registry/${pattern}`, decidedTogether]);

/**
 * What containerd's registry tables say, as files: `DIRECTORY/certs.d/HOST/hosts.toml` of mirrors, TLS and headers, `DIRECTORY/auth.json` of
 * credentials.
 * @param directory undefined: none may be made, and what they would say is lost
 */
export function migrateRegistries(tree: PeerTree, table: readonly string[], directory: string | undefined): Apart {
  const settings = tree.below(table).filter(({ path }) => findRule(REGISTRY_KEYS, ['registry', ...path.slice(table.length)]) !== undefined);
  const registries = new Registries(settings, table.length);
  const isByPath = !isEmpty(tree.at([...table, 'config_path'])?.value);
  const lines: ReportLine[] = [];
  for (const setting of settings)
    lines.push(lineOf(setting, setting.path[table.length] ?? '', { directory, isByPath, depth: table.length }));
  const [files, entries]: [SideFile[], Entry[]] = [[], []];
  if (directory !== undefined && !isByPath && registries.hosts.length > 0) {
    for (const host of registries.hosts) {
      const path = join(directory, 'certs.d', hostDirectory(host), 'hosts.toml');
      files.push({ path, text: registries.hostsToml(host), isPrivate: registries.hasHeaders });
    }
    entries.push({ to: ['registry_config_path'], value: [join(directory, 'certs.d')], from: `${tomlKey(table)}.mirrors and .configs` });
  }
  const auths = registries.authJson();
  if (directory !== undefined && auths !== undefined) {
    files.push({ path: join(directory, 'auth.json'), text: auths, isPrivate: true });
    entries.push({ to: ['image', 'auth_files'], value: [join(directory, 'auth.json')], from: `${tomlKey(table)}, credentials` });
  }
  return { settings: new Set(settings), lines, files, entries };
}

interface Where {
  readonly directory: string | undefined;
  readonly isByPath: boolean;
  readonly depth: number;
}

function lineOf({ path, value, file, line }: Setting, kind: string, { directory, isByPath, depth }: Where): ReportLine {
  const where = { key: tomlKey(path), file, ...(line === undefined ? {} : { line }) };
  const isAuth = kind === 'auths' || path[depth + 2] === 'auth';
  if (isEmpty(value) || value === false) return { fate: 'needless', ...where, why: 'empty: it says nothing' };
  if (isByPath && !isAuth) return { fate: 'needless', ...where, why: 'without effect in containerd too: config_path counts' };
  if (directory === undefined) return { fate: 'lost', ...where, why: 'it needs a file: name a directory for it by --registry-dir' };
  if (isAuth) return { fate: 'carried', ...where, to: 'image.auth_files', why: `in ${join(directory, 'auth.json')}` };
  const host = path[depth + 1] ?? '';
  const places =
    kind === 'headers' ? 'each hosts.toml' : kind === 'configs' ? `the hosts.toml that name ${host}` : `${hostDirectory(host)}/hosts.toml`;
  return { fate: 'carried', ...where, to: 'registry_config_path', why: `in ${places} of ${join(directory, 'certs.d')}` };
}

/** As containerd names the directory of a host: docs/hosts.md. */
function hostDirectory(host: string): string {
  return host === '*' ? '_default' : host.replace(/:(\d+)$/, '_$1_');
}

class Registries {
  readonly #mirrors = new Map<string, readonly string[]>();
  readonly #tls = new Map<string, HostTls>();
  readonly #auths = new Map<string, Record<string, string>>();
  readonly #headers: Record<string, TomlValue> = {};

  constructor(settings: readonly Setting[], depth: number) {
    for (const { path, value } of settings) {
      const [kind, name = '', ...rest] = path.slice(depth);
      const key = rest.at(-1) ?? '';
      if (isEmpty(value)) continue;
      if (kind === 'mirrors') this.#mirrors.set(name, value as readonly string[]);
      else if (kind === 'headers') this.#headers[name] = value;
      else if (kind === 'configs' && rest[0] === 'tls') this.#tls.set(name, { ...this.#tls.get(name), [key]: value });
      else this.#auths.set(authHost(name), { ...this.#auths.get(authHost(name)), [key]: textOf(value) });
    }
  }

  /** Those that need a hosts.toml. */
  get hosts(): string[] {
    const isForAll = this.hasHeaders && !this.#mirrors.has('*') ? ['*'] : [];
    return [...new Set([...this.#mirrors.keys(), ...this.#tls.keys(), ...isForAll])];
  }

  get hasHeaders(): boolean {
    return Object.keys(this.#headers).length > 0;
  }

  hostsToml(host: string): string {
    const endpoints = this.#mirrors.get(host) ?? this.#mirrors.get('*') ?? [];
    return hostsToml(host, endpoints, (of) => this.#tls.get(of), this.#headers);
  }

  /** The file of containers-auth.json(5); undefined where there are no credentials. */
  authJson(): string | undefined {
    if (this.#auths.size === 0) return undefined;
    const auths = [...this.#auths].map(([host, { username = '', password = '', auth, identitytoken }]) => {
      // The order in which containerd takes them.
      if (username !== '') return [host, { auth: Buffer.from(`${username}:${password}`).toString('base64') }];
      if (identitytoken !== undefined) return [host, { identitytoken }];
      return [host, { auth: auth ?? '' }];
    });
    return `${JSON.stringify({ auths: Object.fromEntries(auths) as unknown }, undefined, 2)}\n`;
  }
}

/** The host of a key that may be a URL; Docker Hub by the name that auth files have for it. */
function authHost(name: string): string {
  const host = name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return ['registry-1.docker.io', 'index.docker.io'].includes(host) ? 'docker.io' : host;
}
