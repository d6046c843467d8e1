import { randomUUID, sign } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { RecordingServer } from './recording-server.ts';
import type { Recorded } from './recording-server.ts';

const ISSUER = 'podwright-tests';
const LIFE_SECONDS = 3600;

/**
 * A token service for docker-registry: it issues the tokens of Docker's protocol (distribution, docs/spec/auth/jwt.md), which the registry
 * verifies by the certificate, for whoever has one of the refresh tokens.
 */
export class TokenService {
  readonly service = 'tests.registry';
  readonly #directory: string;
  readonly #server: RecordingServer;
  readonly #key: string;
  readonly #certificate: string;
  readonly #refreshTokens = new Set<string>();

  private constructor(directory: string, server: RecordingServer, key: string, certificate: string) {
    this.#directory = directory;
    this.#server = server;
    this.#key = key;
    this.#certificate = certificate;
  }

  static async start(): Promise<TokenService> {
    const directory = await mkdtemp(join(tmpdir(), 'pw-tokens-'));
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
    const subject = ['-subj', `/CN=${ISSUER}`, '-days', '2'];
    await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...subject]);
    const answer = (request: Recorded, response: ServerResponse): void => {
      service.#answer(request, response);
    };
    const server = await RecordingServer.start(answer);
    const service = new TokenService(directory, server, await readFile(key, 'utf8'), await readFile(certificate, 'utf8'));
    return service;
  }

  /** What a registry is to be configured with. */
  get forRegistry(): { readonly realm: string; readonly service: string; readonly issuer: string; readonly certificates: string } {
    const realm = `http://${this.#server.host}/token`;
    return { realm, service: this.service, issuer: ISSUER, certificates: join(this.#directory, 'certificate.pem') };
  }

  /** What it was asked, all of it. */
  get received(): readonly Recorded[] {
    return this.#server.received;
  }

  /** A new refresh token. */
  refreshToken(): string {
    const token = `refresh-${randomUUID()}`;
    this.#refreshTokens.add(token);
    return token;
  }

  /** A token by which a repository may be pulled. */
  registryToken(repository: string): string {
    const der = this.#certificate.replaceAll(/-----[A-Z ]+-----|\s/g, '');
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: ISSUER,
      aud: this.service,
      sub: 'tester',
      jti: randomUUID(),
      nbf: now - 60,
      iat: now,
      exp: now + LIFE_SECONDS,
      access: [{ type: 'repository', name: repository, actions: ['pull'] }],
    };
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ typ: 'JWT', alg: 'RS256', x5c: [der] })}.${part(claims)}`;
    return `${text}.${sign('sha256', Buffer.from(text), this.#key).toString('base64url')}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await remove(this.#directory);
  }

  #answer({ method, body }: Recorded, response: ServerResponse): void {
    const form = new URLSearchParams(body);
    const [, repository] = /^repository:(.+):pull$/.exec(form.get('scope') ?? '') ?? [];
    const isKnown = form.get('grant_type') === 'refresh_token' && this.#refreshTokens.has(form.get('refresh_token') ?? '');
    if (method === 'POST' && isKnown && repository !== undefined)
      response.end(JSON.stringify({ access_token: this.registryToken(repository), expires_in: LIFE_SECONDS }));
    else response.writeHead(401).end('{}');
  }
}
