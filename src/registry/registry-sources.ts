import { join } from 'node:path';
import { certificatesIn, directoriesIn } from './certificate-directories.ts';
import type { Endpoint } from './endpoint.ts';
import { contentOf, HostDirectories } from './host-directories.ts';
import { LoadTrace } from './load-trace.ts';
import type { BeforeReading } from './load-trace.ts';
import { RegistriesConf } from './registries-conf.ts';
import type { Asked } from './registries-conf.ts';
import type { ShortNames } from './short-names.ts';
import { STRICT_TLS, UNVERIFIED_TLS } from './endpoint.ts';
import { NO_TLS_CONTENT, tlsSettings } from './tls-files.ts';
import type { TlsContent } from './tls-files.ts';

export interface RegistryPaths {
  readonly registriesConf: string;
  readonly registriesConfDir: string;
  readonly shortNameAliases: string;
  /** Roots of containerd's directories of hosts. */
  readonly hostDirectories: readonly string[];
  /** Roots of directories `HOST:PORT` with certificates. */
  readonly certificateDirectories: readonly string[];
}

/**
 * All that the node's files say of registries, read at one moment. For a name that a table of registries.conf is for, that table
 * alone says where to ask, and whether at all; for any other, containerd's directory of its registry. Certificates of single hosts
 * hold for both, where a hosts.toml names none of its own.
 */
export class RegistrySources {
  readonly #conf: RegistriesConf;
  readonly #hosts: HostDirectories;
  readonly #certificates: ReadonlyMap<string, TlsContent>;
  /** What the load looked at, there or not, and what of it has no effect. */
  readonly trace: LoadTrace;

  private constructor(conf: RegistriesConf, hosts: HostDirectories, certificates: ReadonlyMap<string, TlsContent>, trace: LoadTrace) {
    this.#conf = conf;
    this.#hosts = hosts;
    this.#certificates = certificates;
    this.trace = trace;
  }

  static empty(): RegistrySources {
    return new RegistrySources(new RegistriesConf(), new HostDirectories(), new Map(), new LoadTrace());
  }

  /** @param before is told of each place before it is read. @throws InvalidArgument that names the file that is wrong. */
  static async load(paths: RegistryPaths, before?: BeforeReading): Promise<RegistrySources> {
    const { registriesConf, registriesConfDir, shortNameAliases } = paths;
    const trace = new LoadTrace(before);
    await trace.read([registriesConf, shortNameAliases], [registriesConfDir]);
    const conf = await RegistriesConf.load(registriesConf, registriesConfDir, shortNameAliases);
    trace.warnings.push(...conf.warnings);
    const hosts = await HostDirectories.load(paths.hostDirectories, trace);
    for (const { host, source } of hosts.sources)
      if (conf.hasRuleFor({ domain: host, path: '', suffix: '' }))
        trace.warnings.push(`${source} has no effect: registries.conf has a [[registry]] for ${host}, which comes first`);
    return new RegistrySources(conf, hosts, await loadCertificates(paths.certificateDirectories, trace), trace);
  }

  /** Of all TLS settings that an endpoint may have. */
  get tlsKeys(): ReadonlySet<string> {
    const contents = [NO_TLS_CONTENT, ...this.#certificates.values(), ...this.#hosts.contents];
    const settings = contents.flatMap((content) => [tlsSettings(content, true), tlsSettings(content, false)]);
    return new Set([STRICT_TLS, UNVERIFIED_TLS, ...settings].map(({ key }) => key));
  }

  /** The registries that the files name. */
  get registries(): string[] {
    return [...new Set([...this.#conf.registries, ...this.#hosts.sources.map(({ host }) => host)])];
  }

  get shortNames(): ShortNames {
    return this.#conf.shortNames;
  }

  get credentialHelpers(): readonly string[] {
    return this.#conf.credentialHelpers;
  }

  /** Where to ask, in this order. @throws PermissionDenied for a blocked registry. */
  endpoints(asked: Asked): Endpoint[] {
    const certificates = (host: string): TlsContent => this.certificatesOf(host) ?? NO_TLS_CONTENT;
    const hosts = this.#conf.hasRuleFor(asked) ? undefined : this.#hosts.endpoints(asked, certificates);
    return hosts ?? this.#conf.endpoints(asked).map((endpoint) => this.#withCertificates(endpoint));
  }

  #withCertificates(endpoint: Endpoint): Endpoint {
    const content = this.certificatesOf(endpoint.host);
    return content === undefined ? endpoint : { ...endpoint, tls: tlsSettings(content, endpoint.tls.verifies) };
  }

  /** What a host's directory has, if there is one. Docker Hub's may have the name that people use, as containers/image has it. */
  certificatesOf(host: string): TlsContent | undefined {
    const named = host === 'registry-1.docker.io' ? this.#certificates.get('docker.io') : undefined;
    return named ?? this.#certificates.get(host);
  }
}

/** Of one host, the first root that has a directory counts. */
async function loadCertificates(roots: readonly string[], trace: LoadTrace): Promise<Map<string, TlsContent>> {
  const found = new Map<string, TlsContent>();
  for (const root of roots) {
    await trace.read([], [root]);
    for (const host of await directoriesIn(root)) {
      const directory = join(root, host);
      await trace.read([], [directory]);
      if (!found.has(host)) found.set(host, await contentOf(await certificatesIn(directory, false), directory, trace));
    }
  }
  return found;
}
