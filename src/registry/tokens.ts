import { DaemonError } from '../base/errors.ts';
import { basicHeader, credentialsKey } from './credentials.ts';
import type { Challenge, Credentials } from './credentials.ts';
import { discard, showUrl } from './transport.ts';
import type { Transport } from './transport.ts';

interface Token {
  readonly header: string;
  readonly validUntilMs: number;
}

/** Distribution token spec: a token without expires_in is good for 60 s. */
const DEFAULT_LIFE_SECONDS = 60;
/** Taken off a token's life for the way to the registry. */
const MARGIN_SECONDS = 5;
const MAX_KEPT = 200;

export interface TokenRequest {
  readonly challenge: Challenge;
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  readonly insecure: boolean;
  readonly signal: AbortSignal;
  /** An Authorization that the registry did not take: not given again. */
  readonly refused?: string | undefined;
}

/** Gets bearer tokens from the services that registries name, and keeps each while it is good. */
export class Tokens {
  readonly #transport: Transport;
  readonly #kept = new Map<string, Token>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * The Authorization for a challenge: RFC 6750 by Docker's token protocol (distribution spec, token.md and oauth.md).
   * @throws PermissionDenied where the service refuses, RegistryUnavailable where it does not answer.
   */
  async authorization(request: TokenRequest): Promise<string> {
    const { challenge, scope, credentials } = request;
    const { realm, service = '' } = challenge.parameters;
    if (realm === undefined || !URL.canParse(realm))
      throw new DaemonError('PermissionDenied', 'registry wants a token but names no service to get it from');
    const key = JSON.stringify([realm, service, challenge.parameters['scope'] ?? scope, credentialsKey(credentials)]);
    const kept = this.#kept.get(key);
    if (kept !== undefined && Date.now() < kept.validUntilMs && kept.header !== request.refused) return kept.header;
    const url = new URL(realm);
    if (url.protocol !== 'https:' && !request.insecure) {
      throw new DaemonError('PermissionDenied', `registry's token service is ${showUrl(url)}, must be https`);
    }
    const token = await this.#fetch(url, service, challenge.parameters['scope'] ?? scope, request);
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(key, token);
    return token.header;
  }

  async #fetch(url: URL, service: string, scope: string, { credentials, insecure, signal }: TokenRequest): Promise<Token> {
    const startedMs = Date.now();
    const identityToken = credentials?.identityToken;
    const fields = { service, scope, client_id: 'podwright' };
    let response;
    if (identityToken !== undefined && identityToken !== '') {
      const body = new URLSearchParams({ ...fields, grant_type: 'refresh_token', refresh_token: identityToken }).toString();
      response = await this.#transport.request(url.href, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
        insecure,
        signal,
      });
    } else {
      if (service !== '') url.searchParams.set('service', service);
      url.searchParams.append('scope', scope);
      url.searchParams.set('client_id', fields.client_id);
      const basic = credentials === undefined ? undefined : basicHeader(credentials);
      response = await this.#transport.request(url.href, {
        headers: basic === undefined ? {} : { authorization: basic },
        insecure,
        signal,
      });
    }
    if (response.status !== 200) {
      await discard(response.body);
      const kind = response.status >= 500 || response.status === 429 ? 'RegistryUnavailable' : 'PermissionDenied';
      const prefix = kind === 'RegistryUnavailable' ? 'RegistryUnavailable: ' : '';
      throw new DaemonError(kind, `${prefix}token service ${showUrl(url)} answered ${response.status}`);
    }
    const answer = (await response.body.json()) as { token?: unknown; access_token?: unknown; expires_in?: unknown };
    const value = answer.token ?? answer.access_token;
    if (typeof value !== 'string' || value === '')
      throw new DaemonError('PermissionDenied', `token service ${showUrl(url)} answered without a token`);
    const life = typeof answer.expires_in === 'number' ? Math.max(answer.expires_in, DEFAULT_LIFE_SECONDS) : DEFAULT_LIFE_SECONDS;
    return { header: `Bearer ${value}`, validUntilMs: startedMs + (life - MARGIN_SECONDS) * 1000 };
  }
}
