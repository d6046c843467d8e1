import { createHash } from 'node:crypto';

/** Who asks a registry, as the kubelet passes it or a login file has it. */
export interface Credentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** An OAuth2 refresh token. */
  readonly identityToken?: string | undefined;
  /** A bearer token that is sent as it is. */
  readonly registryToken?: string | undefined;
}

/** Tells credentials apart without keeping them. */
export function credentialsKey(credentials: Credentials | undefined): string {
  const { username, password, identityToken, registryToken } = credentials ?? {};
  return createHash('sha256')
    .update(JSON.stringify([username, password, identityToken, registryToken]))
    .digest('hex');
}

export function basicHeader({ username, password }: Credentials): string | undefined {
  return username === undefined || username === '' ? undefined : `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
}

/** A registry token is sent as it is, whatever the registry asks for. */
export function bearerHeader({ registryToken }: Credentials): string | undefined {
  return registryToken === undefined || registryToken === '' ? undefined : `Bearer ${registryToken}`;
}

/** One challenge of a WWW-Authenticate header. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Reads a WWW-Authenticate header: RFC 9110, section 11.6.1. What is not understood is left out. Takes linear time, since a
 * registry may send any header.
 */
export function readChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  for (let match = token.exec(header); match !== null && match[0] !== ''; match = token.exec(header)) {
    const [, name = '', quoted, plain] = match;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: {} });
    else if (found.length > 0) (found[found.length - 1] as { parameters: Record<string, string> }).parameters[name.toLowerCase()] = value;
  }
  return found;
}
