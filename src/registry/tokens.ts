import { BoundedMap } from '../base/bounded-map.ts';
import { DaemonError, kindOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { basicHeader, credentialsKey } from './credentials.ts';
import type { Challenge, Credentials } from './credentials.ts';
import { allowsPlainHttp } from './endpoint.ts';
import type { HostAccess } from './endpoint.ts';
import { AskedToWait, retryAfterMs } from './retry-after.ts';
import { readAll } from './response-body.ts';
import { discard, showUrl } from './transport.ts';
import type { HttpResponse, Transport } from './transport.ts';

interface Token {
  readonly header: string;
  readonly validUntilMs: number;
}

/** Distribution token spec: a token without expires_in is good for 60 s. */
const DEFAULT_LIFE_SECONDS = 60;
/** Taken off a token's life for the way to the registry. */
const MARGIN_SECONDS = 5;
const MAX_KEPT = 200;
/** As containers/image has it. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** A token travels in a header, and servers take few headers above 16 KiB. */
const MAX_TOKEN_LENGTH = 64 * 1024;

export interface TokenRequest {
  readonly challenge: Challenge;
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  /** The registry's host, which asked for the token. */
  readonly access: HostAccess;
  readonly signal: AbortSignal;
  /** An Authorization that the registry did not take: not given again. */
  readonly refused?: string | undefined;
  /** As {@link HttpRequest.answerTimeoutMs}. */
  readonly answerTimeoutMs?: number | undefined;
}

/** Gets bearer tokens from the services that registries name, and keeps each while it is good. */
export class Tokens {
  readonly #transport: Transport;
  readonly #kept = new BoundedMap<string, Token>(MAX_KEPT);

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
    if (url.protocol !== 'https:' && !allowsPlainHttp(request.access)) {
      throw new DaemonError('PermissionDenied', `registry's token service is ${showUrl(url)}, must be https`);
    }
    const token = await this.#fetch(url, service, challenge.parameters['scope'] ?? scope, request);
    this.#kept.set(key, token);
    return token.header;
  }

  async #fetch(url: URL, service: string, scope: string, request: TokenRequest): Promise<Token> {
    const startedMs = Date.now();
    const response = await this.#ask(url, service, scope, request);
    if (response.status !== 200) {
      await discard(response.body);
      const kind = response.status >= 500 || response.status === 429 ? 'RegistryUnavailable' : 'PermissionDenied';
      const prefix = kind === 'RegistryUnavailable' ? 'RegistryUnavailable: ' : '';
      const words = `${prefix}token service ${showUrl(url)} answered ${response.status}`;
      const waitMs = kind === 'RegistryUnavailable' ? retryAfterMs(response.headers['retry-after'], Date.now()) : undefined;
      throw waitMs === undefined ? new DaemonError(kind, words) : new AskedToWait(words, waitMs);
    }
    const answer = await readAnswer(url, response, request.signal);
    const field = answer.at('token').given === undefined ? 'access_token' : 'token';
    const value = answer.at(field).asText() ?? '';
    // Nothing of the value is said: it may be a token all the same.
    if (value.length > MAX_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(value))
      throw new DaemonError(
        'PermissionDenied',
        `token service ${showUrl(url)}: ${field}: must be 1 to ${MAX_TOKEN_LENGTH} characters of ASCII, ` +
          (answer.at(field).asText() === undefined ? 'is no text' : `is a text of ${value.length} characters`),
      );
    const life = Math.max(answer.at('expires_in').asNumber() ?? 0, DEFAULT_LIFE_SECONDS);
    return { header: `Bearer ${value}`, validUntilMs: startedMs + (life - MARGIN_SECONDS) * 1000 };
  }

  async #ask(url: URL, service: string, scope: string, { credentials, ...options }: TokenRequest): Promise<HttpResponse> {
    const { access, signal, answerTimeoutMs } = options;
    const identityToken = credentials?.identityToken;
    const fields = { service, scope, client_id: 'podwright' };
    if (identityToken !== undefined && identityToken !== '') {
      const body = new URLSearchParams({ ...fields, grant_type: 'refresh_token', refresh_token: identityToken }).toString();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return await this.#transport.request(url.href, { method: 'POST', headers, body, access, signal, answerTimeoutMs });
    }
    if (service !== '') url.searchParams.set('service', service);
    url.searchParams.append('scope', scope);
    url.searchParams.set('client_id', fields.client_id);
    const basic = credentials === undefined ? undefined : basicHeader(credentials);
    const headers: Record<string, string> = basic === undefined ? {} : { authorization: basic };
    return await this.#transport.request(url.href, { headers, access, signal, answerTimeoutMs });
  }
}

/** @throws PermissionDenied where it is no JSON object, or too long. */
async function readAnswer(url: URL, response: HttpResponse, signal: AbortSignal): Promise<Field> {
  const refuse = (why: string, cause: unknown): never => {
    throw new DaemonError('PermissionDenied', `token service ${showUrl(url)} answered ${why}`, { cause });
  };
  let bytes: Buffer;
  try {
    bytes = await readAll(response, MAX_ANSWER_BYTES, signal);
  } catch (error) {
    if (kindOf(error) !== 'InvalidArgument') throw error;
    return refuse(`with more than ${MAX_ANSWER_BYTES} bytes`, error);
  }
  try {
    const answer = new Field(JSON.parse(bytes.toString('utf8')), '');
    answer.object();
    return answer;
  } catch (error) {
    return refuse('with what is no JSON object', error);
  }
}
