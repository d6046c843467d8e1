import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { fail, hasErrno, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { certificatesIn, directoriesIn } from './certificate-directories.ts';
import type { Endpoint } from './endpoint.ts';
import { readHostsToml } from './hosts-toml.ts';
import type { HostEntry, HostsToml } from './hosts-toml.ts';
import type { LoadTrace } from './load-trace.ts';
import type { Asked } from './registries-conf.ts';
import { readTlsFiles, tlsSettings } from './tls-files.ts';
import type { TlsContent } from './tls-files.ts';

interface LoadedEntry extends HostEntry {
  /** Undefined where the entry names no files. */
  readonly content: TlsContent | undefined;
}

interface HostDirectory {
  /** The file that its entries are in, or the directory where it has certificates only. */
  readonly source: string;
  readonly entries: readonly LoadedEntry[];
}

/** Certificates of the directories for single hosts, by host. */
export type CertificatesOf = (host: string) => TlsContent;

const FILE = 'hosts.toml';
const DEFAULT_ENTRY: Omit<LoadedEntry, 'content'> = {
  at: undefined,
  pulls: true,
  resolves: true,
  tls: undefined,
  skipsVerify: undefined,
  headers: {},
  dialTimeoutMs: undefined,
  name: 'certificates',
};

/** containerd's directories of hosts: `ROOT/HOST/hosts.toml` (docs/hosts.md), or docker's certificate files without it. */
export class HostDirectories {
  /** For each root its directories by name. */
  readonly #roots: readonly ReadonlyMap<string, HostDirectory>[];

  constructor(roots: readonly ReadonlyMap<string, HostDirectory>[] = []) {
    this.#roots = roots;
  }

  /** @throws InvalidArgument that names the file that is wrong. */
  static async load(roots: readonly string[], trace: LoadTrace): Promise<HostDirectories> {
    const loaded: Map<string, HostDirectory>[] = [];
    for (const root of roots) {
      await trace.read([], [root]);
      const directories = new Map<string, HostDirectory>();
      for (const name of await directoriesIn(root)) directories.set(name, await loadDirectory(join(root, name), trace));
      loaded.push(directories);
    }
    return new HostDirectories(loaded);
  }

  /** Where its directory says to ask for what is asked, in order; undefined where the registry has none. */
  endpoints(asked: Asked, certificatesOf: CertificatesOf): Endpoint[] | undefined {
    const found = this.#find(asked.domain);
    return found?.entries
      .filter(({ pulls }) => pulls)
      .map((entry) => endpoint(entry, asked, certificatesOf, `${entry.name} in ${found.source}`));
  }

  /** The registries that have a directory, by the name that a reference has. */
  get sources(): { readonly host: string; readonly source: string }[] {
    return this.#roots.flatMap((root) =>
      [...root]
        .map(([name, { source }]) => ({ host: name.replace(/_([0-9]+)_$/, ':$1'), source }))
        .filter(({ host }) => host !== '_default'),
    );
  }

  get contents(): TlsContent[] {
    const directories = this.#roots.flatMap((root) => [...root.values()]);
    return directories.flatMap(({ entries }) => entries.flatMap(({ content }) => content ?? []));
  }

  /** The first that is there, each root as a whole before the next: `HOST_PORT_`, `HOST:PORT`, `_default`. */
  #find(domain: string): HostDirectory | undefined {
    const names = [domain.replace(/(?<=.):([^:]*)$/, '_$1_'), domain, '_default'];
    for (const root of this.#roots) {
      for (const name of names) {
        const found = root.get(name);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

async function loadDirectory(directory: string, trace: LoadTrace): Promise<HostDirectory> {
  await trace.read([], [directory]);
  const source = join(directory, FILE);
  const text = await readFile(source, 'utf8').catch((error: unknown) =>
    hasErrno(error, 'ENOENT') ? '' : fail('InvalidArgument', `read ${source}: ${messageOf(error)}`),
  );
  if (text === '') {
    const paths = await certificatesIn(directory, true);
    const content = await contentOf(paths, directory, trace);
    return { source: directory, entries: [{ ...DEFAULT_ENTRY, tls: paths, content }] };
  }
  let file: HostsToml;
  try {
    file = readHostsToml(new Field(parse(text), ''), directory);
  } catch (error) {
    return fail('InvalidArgument', `read ${source}: ${messageOf(error)}`);
  }
  for (const key of file.unknown) trace.warnings.push(`${source}: ${key} is not known here, and has no effect`);
  const entries = file.entries.map(async (entry) => ({
    ...entry,
    content: entry.tls === undefined ? undefined : await contentOf(entry.tls, source, trace),
  }));
  return { source, entries: await Promise.all(entries) };
}

/** Node shows a host one certificate. */
export async function contentOf(paths: NonNullable<HostEntry['tls']>, source: string, trace: LoadTrace): Promise<TlsContent> {
  const [first, ...more] = paths.clients;
  for (const [certificate] of more) trace.warnings.push(`${source}: client certificate ${certificate} is not used, the first one is`);
  return await readTlsFiles({ ...paths, clients: first === undefined ? [] : [first] }, trace);
}

function endpoint(entry: LoadedEntry, asked: Asked, certificatesOf: CertificatesOf, reason: string): Endpoint {
  const at = entry.at ?? registryItself(asked.domain);
  const skipsVerify = entry.skipsVerify ?? ('skipsVerify' in at && at.skipsVerify);
  const hasTls = entry.content !== undefined || entry.skipsVerify !== undefined || skipsVerify;
  const isRegistry = at.host === registryItself(asked.domain).host;
  return {
    host: at.host,
    root: at.root,
    path: asked.path,
    // As containerd: with settings of TLS it is tried first, unless the port says that there is none.
    scheme: at.scheme === 'http' && hasTls && !at.host.endsWith(':80') ? 'any' : at.scheme,
    tls: tlsSettings(entry.content ?? certificatesOf(at.host), !skipsVerify),
    dialTimeoutMs: entry.dialTimeoutMs,
    headers: entry.headers,
    isMirror: !isRegistry,
    resolves: entry.resolves,
    namespace: isRegistry ? undefined : asked.domain,
    reason,
  };
}

/** As containerd: a registry of this machine is mostly one without a good certificate, or without any. */
function registryItself(domain: string): NonNullable<HostEntry['at']> & { readonly skipsVerify: boolean } {
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
  const port = /:([0-9]+)$/.exec(domain)?.[1];
  const isLocal = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?$/.test(domain);
  const isHttp = isLocal && port !== undefined && port !== '443';
  return { scheme: isHttp ? 'http' : 'https', host, root: '/v2', skipsVerify: isLocal && port !== '80' };
}
