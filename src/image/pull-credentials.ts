import type { Credentials } from '../registry/credentials.ts';

/** The credentials of a pull, and whom they are for. */
export interface PullCredentials extends Credentials {
  /** The one registry that may get them, a host or a URL; any registry where it is missing. */
  readonly server?: string | undefined;
}

/** What the registry of this domain may get of them. */
export function credentialsFor(given: PullCredentials | undefined, domain: string): Credentials | undefined {
  if (given?.server === undefined) return given;
  const { server, ...credentials } = given;
  const host = server.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');
  const isHub = domain === 'docker.io' && (host === 'index.docker.io' || host === 'registry-1.docker.io');
  return host === domain || isHub ? credentials : undefined;
}
