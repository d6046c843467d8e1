import { DaemonError, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { AuthFile, registryName } from './auth-file.ts';
import { askCredentialHelper } from './credential-helper.ts';
import type { Credentials } from './credentials.ts';
import { readAuthFile } from './read-auth-file.ts';

/** Credentials, and what they come from: `/etc/containers/auth.json: auths["registry.example"]`. */
export interface FoundCredentials {
  readonly credentials: Credentials;
  /** For people; it has nothing secret. */
  readonly origin: string;
}

export interface CredentialSourceOptions {
  /** Auth files, the first that has something for a repository decides. Asked at every look-up, as the next. */
  readonly files: () => readonly string[];
  /** The environment of credential helpers. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
}

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

  /** What a repository of an endpoint gets; undefined where nothing is configured for it. @throws FailedPrecondition that names file and key. */
  async find(host: string, path: string, signal: AbortSignal): Promise<FoundCredentials | undefined> {
    for (const file of this.#options.files()) {
      const found = await this.#findIn(file, host, path, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #findIn(file: string, host: string, path: string, signal: AbortSignal): Promise<FoundCredentials | undefined> {
    try {
      const read = await readAuthFile(file, signal);
      if (read === undefined) return undefined;
      if (read.isForAll) this.#warnOfOpen(file);
      const entry = new AuthFile(read.text).find(host, path);
      if (entry === undefined) return undefined;
      const origin = `${file}: ${entry.key}`;
      if ('credentials' in entry) return { credentials: entry.credentials, origin };
      const credentials = await this.#askHelper(entry.helper, host, signal);
      return credentials === undefined ? undefined : { credentials, origin: `${origin}: docker-credential-${entry.helper}` };
    } catch (error) {
      if (signal.aborted) throw error;
      const fault = `auth file ${file}: ${messageOf(error)}`;
      this.#options.log.warn('credentials cannot be read; the pull goes on without them', { error: fault });
      throw new DaemonError('FailedPrecondition', fault, { cause: error });
    }
  }

  /** Docker's tools keep what Docker Hub gets under a URL, podman's under the name. */
  async #askHelper(name: string, host: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const registry = registryName(host);
    const names = registry === 'docker.io' ? [registry, 'https://index.docker.io/v1/'] : [registry];
    for (const each of names) {
      const credentials = await askCredentialHelper(name, each, this.#options.environment, signal);
      if (credentials !== undefined) return credentials;
    }
    return undefined;
  }

  #warnOfOpen(path: string): void {
    if (this.#open.has(path)) return;
    this.#open.add(path);
    this.#options.log.warn('every user of the node may read this auth file', { path });
  }
}
