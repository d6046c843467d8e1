import { waitFor } from '../base/deadline.ts';
import { DaemonError, fail, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { AuthFile, isHelperName, registryName } from './auth-file.ts';
import type { AuthEntry } from './auth-file.ts';
import { askCredentialHelper } from './credential-helper.ts';
import type { Credentials } from './credentials.ts';
import { clearTakenAuthFiles, takeNamespacedAuthFile } from './namespaced-auth.ts';
import type { NamespacedAuthFile } from './namespaced-auth.ts';
import { readAuthFile } from './read-auth-file.ts';

/** Credentials, and what they come from: `/etc/containers/auth.json: auths["registry.example"]`. */
export interface FoundCredentials {
  readonly credentials: Credentials;
  /** For people; it has nothing secret. */
  readonly origin: string;
}

/** Looks up what a repository of an endpoint gets; undefined where nothing is configured for it. @throws FailedPrecondition that names file and key. */
export type FindCredentials = (host: string, path: string, signal: AbortSignal) => Promise<FoundCredentials | undefined>;

export interface CredentialSourceOptions {
  /** Auth files, the first that has something for a repository decides. Asked at every look-up, as the next two. */
  readonly files: () => readonly string[];
  /** `credential-helpers` of registries.conf; empty: the files alone. */
  readonly helpers: () => readonly string[];
  /** Where files for one pull of one namespace are; empty: nowhere. */
  readonly namespacedDirectory: () => string;
  /** The environment of credential helpers. */
  readonly environment: Readonly<Record<string, string>>;
  /** Most that one may take, milliseconds. Default 20000. */
  readonly helperTimeoutMs?: number;
  readonly log: Log;
}

const START_TIMEOUT_MS = 5000;
const HELPER_TIMEOUT_MS = 20_000;
/** How registries.conf calls the auth files in its list of helpers. */
const THE_FILES = 'containers-auth.json';

/**
 * The node's own credentials. Files are read when an endpoint asks who we are: a pull that nobody asks reads none, and a changed
 * file is in force at once.
 */
export class CredentialSource {
  readonly #options: CredentialSourceOptions;
  /** Files that were warned of. */
  readonly #open = new Set<string>();

  constructor(options: CredentialSourceOptions) {
    this.#options = options;
  }

  /** Removes the secrets that a daemon which was killed had taken. */
  async start(): Promise<void> {
    const directory = this.#options.namespacedDirectory();
    if (directory === '') return;
    const wait = AbortSignal.timeout(START_TIMEOUT_MS);
    await waitFor(clearTakenAuthFiles(directory), wait).catch((error: unknown) => {
      this.#options.log.warn('auth files of pulls that were cut off cannot be removed', { path: directory, error: messageOf(error) });
    });
  }

  /** What tells pulls apart that would be the same but for the namespace that they are for. */
  keyOf(namespace: string): string {
    return this.#options.namespacedDirectory() === '' ? '' : namespace;
  }

  /**
   * How one pull finds credentials. A file that was written for it counts in place of all else; it is taken now, and is gone.
   * @param repository `docker.io/library/busybox`
   */
  async forPull(repository: string, namespace: string, signal: AbortSignal): Promise<FindCredentials> {
    const directory = this.#options.namespacedDirectory();
    if (directory === '' || namespace === '') return async (...place) => this.find(...place);
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(namespace))
      fail(
        'InvalidArgument',
        `pull image: sandbox_config.metadata.namespace: must be a DNS label, is ${JSON.stringify(namespace.slice(0, 64))}`,
      );
    let own: NamespacedAuthFile | undefined;
    try {
      own = await takeNamespacedAuthFile(directory, namespace, repository, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const fault = this.#fault(`auth files of namespace ${namespace} in ${directory}`, error);
      return async () => Promise.reject(fault);
    }
    if (own === undefined) return async (...place) => this.find(...place);
    const { path, text } = own;
    this.#options.log.debug('an auth file was written for this pull, and is taken', { path });
    return async (host, repositoryPath) => Promise.resolve(this.#findInOwn(path, text, host, repositoryPath));
  }

  /** From what is configured for all pulls of the node. Of several that are wrong, the first is told. */
  async find(host: string, path: string, signal: AbortSignal): Promise<FoundCredentials | undefined> {
    const { files, helpers } = this.#options;
    let fault: DaemonError | undefined;
    const steps = (helpers().length === 0 ? [THE_FILES] : helpers()).flatMap((helper) =>
      helper === THE_FILES
        ? files().map((file) => async () => this.#findInFile(file, host, path, signal))
        : [async () => this.#findByHelper(helper, host, signal)],
    );
    for (const step of steps) {
      try {
        const found = await step();
        if (found !== undefined) return found;
      } catch (error) {
        if (signal.aborted || !(error instanceof DaemonError)) throw error;
        fault ??= error;
      }
    }
    if (fault !== undefined) throw fault;
    return undefined;
  }

  async #findInFile(file: string, host: string, path: string, signal: AbortSignal): Promise<FoundCredentials | undefined> {
    try {
      const read = await readAuthFile(file, signal);
      if (read === undefined) return undefined;
      if (read.isForAll) this.#warnOfOpen(file);
      const entry = new AuthFile(read.text).find(host, path);
      if (entry === undefined) return undefined;
      if ('credentials' in entry) return found(entry, file);
      const credentials = await this.#askHelper(entry.helper, host, signal);
      return credentials && { credentials, origin: `${file}: ${entry.key}: docker-credential-${entry.helper}` };
    } catch (error) {
      throw signal.aborted ? error : this.#fault(`auth file ${file}`, error);
    }
  }

  /** The secrets in this file are a tenant's: what it says must start no program of the node. */
  #findInOwn(file: string, text: string, host: string, path: string): FoundCredentials | undefined {
    try {
      const entry = new AuthFile(text).find(host, path);
      if (entry === undefined) return undefined;
      if ('credentials' in entry) return found(entry, file);
      return fail('InvalidArgument', `${entry.key}: the file of a namespace starts no helper`);
    } catch (error) {
      throw this.#fault(`auth file ${file}`, error);
    }
  }

  async #findByHelper(name: string, host: string, signal: AbortSignal): Promise<FoundCredentials | undefined> {
    try {
      if (!isHelperName(name)) fail('InvalidArgument', `${JSON.stringify(name)}: must be what follows "docker-credential-"`);
      const credentials = await this.#askHelper(name, host, signal);
      return credentials && { credentials, origin: `credential-helpers of registries.conf: docker-credential-${name}` };
    } catch (error) {
      throw signal.aborted ? error : this.#fault('credential-helpers of registries.conf', error);
    }
  }

  /** Docker's tools keep what Docker Hub gets under a URL, podman's under the name. */
  async #askHelper(name: string, host: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const registry = registryName(host);
    const names = registry === 'docker.io' ? [registry, 'https://index.docker.io/v1/'] : [registry];
    const { environment, helperTimeoutMs: timeoutMs = HELPER_TIMEOUT_MS } = this.#options;
    for (const each of names) {
      const credentials = await askCredentialHelper(name, each, { environment, timeoutMs, signal });
      if (credentials !== undefined) return credentials;
    }
    return undefined;
  }

  #fault(where: string, error: unknown): DaemonError {
    const words = `${where}: ${messageOf(error)}`;
    this.#options.log.warn('credentials cannot be read; the pull goes on without them', { error: words });
    return new DaemonError('FailedPrecondition', words, { cause: error });
  }

  #warnOfOpen(path: string): void {
    if (this.#open.has(path)) return;
    this.#open.add(path);
    this.#options.log.warn('every user of the node may read this auth file', { path });
  }
}

function found(entry: Extract<AuthEntry, { readonly credentials: Credentials }>, file: string): FoundCredentials {
  return { credentials: entry.credentials, origin: `${file}: ${entry.key}` };
}
