import { fail } from '../base/errors.ts';
import { isObject, type JsonObject } from '../base/json.ts';
import type { Credentials } from './credentials.ts';

/** What an auth file has for a repository: credentials, or the program that knows them. */
export type AuthEntry = { readonly key: string } & ({ readonly credentials: Credentials } | { readonly helper: string });

const HUB = 'docker.io';
const HUB_HOSTS: readonly string[] = ['index.docker.io', 'registry-1.docker.io'];

/** A registry by the name that images have for it: Docker Hub's hosts are `docker.io`. */
export function registryName(host: string): string {
  return HUB_HOSTS.includes(host) ? HUB : host;
}

/**
 * A document of containers-auth.json(5), which is docker's config.json too. What is wrong in it is told by its place alone: a
 * value may be a secret. @throws InvalidArgument.
 */
export class AuthFile {
  readonly #document: JsonObject;

  constructor(text: string) {
    this.#document = parse(text);
  }

  /**
   * The entry for a repository. A helper of the whole registry (`credHelpers`) comes first, then the entry in `auths` with the
   * longest name: the repository, each namespace above it, the registry. Last comes `credsStore`, which is asked for all registries.
   */
  find(host: string, path: string): AuthEntry | undefined {
    const registry = registryName(host);
    const helpers = this.#table('credHelpers');
    const helperKey = keysOf(helpers, [registry])[0];
    if (helperKey !== undefined) return { key: place('credHelpers', helperKey), helper: helperName(helpers, 'credHelpers', helperKey) };
    const auths = this.#table('auths');
    for (const key of keysOf(auths, namesAbove(registry, path))) {
      const credentials = readEntry(auths[key], place('auths', key));
      if (credentials !== undefined) return { key: place('auths', key), credentials };
    }
    const { credsStore = '' } = this.#document;
    return credsStore === '' ? undefined : { key: 'credsStore', helper: helperName(this.#document, '', 'credsStore') };
  }

  #table(name: string): JsonObject {
    const value = this.#document[name] ?? {};
    return isObject(value) ? value : wrong(name, 'an object');
  }
}

/** JSON.parse() repeats what it stumbled over, which may be half a password. */
function parse(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const at = /line \d+ column \d+/.exec(String(error))?.[0];
    return fail('InvalidArgument', `must be JSON${at === undefined ? '' : `, is not from ${at} on`}`);
  }
  return isObject(value) ? value : fail('InvalidArgument', 'must be a JSON object');
}

/** The repository, each namespace above it, and the registry: the longest first. */
function namesAbove(registry: string, path: string): string[] {
  const parts = path === '' ? [] : path.split('/');
  return [...parts.keys(), parts.length].reverse().map((count) => [registry, ...parts.slice(0, count)].join('/'));
}

/** The keys that stand for these names, in their order. A key as it is written here comes before one that means the same. */
function keysOf(table: JsonObject, names: readonly string[]): string[] {
  const meant = Object.keys(table).map((key) => ({ key, name: nameOfKey(key) }));
  return names.flatMap((name) => {
    const same = meant.filter((entry) => entry.name === name).map(({ key }) => key);
    return [...same.filter((key) => key === name), ...same.filter((key) => key !== name)];
  });
}

/** Logins by docker were kept under URLs: `https://index.docker.io/v1/`. Of these the host counts. */
function nameOfKey(key: string): string {
  const url = /^https?:\/\/([^/]+)/.exec(key);
  const [host = '', ...path] = (url?.[1] ?? key.replace(/\/+$/, '')).split('/');
  const isApi = path.length === 1 && (path[0] === 'v1' || path[0] === 'v2');
  return [registryName(host), ...(isApi ? [] : path)].join('/');
}

/** Undefined for an entry that says nothing: docker leaves one where a helper has the secret. */
function readEntry(value: unknown, where: string): Credentials | undefined {
  if (!isObject(value)) return wrong(where, 'an object');
  const text = (name: string): string => {
    const field = value[name] ?? '';
    return typeof field === 'string' ? field : wrong(`${where}.${name}`, 'text');
  };
  const user = text('auth') === '' ? { username: text('username'), password: text('password') } : decodeUser(text('auth'), where);
  const credentials = { ...user, identityToken: text('identitytoken'), registryToken: text('registrytoken') };
  return Object.values(credentials).some((field) => field !== '') ? credentials : undefined;
}

function decodeUser(auth: string, where: string): { username: string; password: string } {
  const plain = /^[A-Za-z0-9+/_-]+={0,2}$/.test(auth.trim()) ? Buffer.from(auth.trim(), 'base64').toString('utf8') : '';
  const colon = plain.indexOf(':');
  if (colon === -1) return wrong(`${where}.auth`, 'base64 of USER:PASSWORD');
  return { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, '') };
}

function helperName(table: JsonObject, name: string, key: string): string {
  const helper = table[key];
  return typeof helper === 'string' && isHelperName(helper)
    ? helper
    : wrong(name === '' ? key : place(name, key), 'what follows "docker-credential-" in the name of a program');
}

/** A name with a slash would start any program of the node. */
export function isHelperName(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}

function place(table: string, key: string): string {
  return `${table}[${JSON.stringify(key)}]`;
}

function wrong(where: string, must: string): never {
  return fail('InvalidArgument', `${where}: must be ${must}`);
}
