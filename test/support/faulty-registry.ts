import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ImageSource } from '../../scripts/make-demo-image.ts';

export interface FaultyRegistryOptions {
  /** `basic`: user:secret at the registry itself; `bearer`: a token for user:secret or the refresh token `refresh`. Default: open to all. */
  readonly auth?: 'basic' | 'bearer';
  /** The token service of `bearer`; its own by default. */
  readonly realm?: string;
  /** What its own token service answers with, instead of a token for who may have one. */
  readonly token?: (response: ServerResponse) => Promise<void>;
  /** Called for each request after authentication; true: it has answered. */
  readonly fault?: (request: IncomingMessage, response: ServerResponse, count: number) => boolean | Promise<boolean>;
  /** Whether ranges are known. Default true. */
  readonly ranges?: boolean;
}

interface Content {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export function digest(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** An OCI registry for pulls over http on a free port of the loopback, which can be told to fail in the ways that real ones do. */
export class FaultyRegistry {
  readonly host: string;
  /** Method and path of every request, in order. */
  readonly requests: string[] = [];
  /** Authorization headers that came, `-` for none. */
  readonly authorizations: string[] = [];
  readonly #server: ReturnType<typeof createServer>;
  readonly #options: FaultyRegistryOptions;
  readonly #content = new Map<string, Content>();

  private constructor(server: ReturnType<typeof createServer>, options: FaultyRegistryOptions) {
    this.#server = server;
    this.#options = options;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async start(options: FaultyRegistryOptions = {}): Promise<FaultyRegistry> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyRegistry(server, options);
  }

  /** Text for a registries.conf that sends `registry.example` here. */
  get conf(): string {
    return `[[registry]]\nprefix = "registry.example"\nlocation = "${this.host}"\ninsecure = true\n`;
  }

  /** Serves any bytes as manifest or blob, by digest and by further names. */
  add(repository: string, kind: 'manifests' | 'blobs', bytes: Buffer, mediaType: string, ...names: string[]): string {
    for (const name of [digest(bytes), ...names]) this.#content.set(`/v2/${repository}/${kind}/${name}`, { bytes, mediaType });
    return digest(bytes);
  }

  /** Serves nothing of a repository any more. */
  remove(repository: string): void {
    for (const path of this.#content.keys()) if (path.startsWith(`/v2/${repository}/`)) this.#content.delete(path);
  }

  /** Serves an image by a tag. Returns the digest of its manifest. */
  addImage(
    image: Omit<ImageSource, 'name'>,
    repository: string,
    tag: string,
    form: 'oci' | 'docker' = 'oci',
  ): { manifest: string; config: string } {
    const config = Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: image.config,
        rootfs: { type: 'layers', diff_ids: image.layers.map(({ diffId }) => diffId) },
      }),
    );
    const isOci = form === 'oci';
    const configType = isOci ? 'application/vnd.oci.image.config.v1+json' : 'application/vnd.docker.container.image.v1+json';
    const layerType = isOci ? 'application/vnd.oci.image.layer.v1.tar+gzip' : 'application/vnd.docker.image.rootfs.diff.tar.gzip';
    const mediaType = isOci ? 'application/vnd.oci.image.manifest.v1+json' : 'application/vnd.docker.distribution.manifest.v2+json';
    const manifest = {
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, digest: this.add(repository, 'blobs', config, 'application/octet-stream'), size: config.length },
      layers: image.layers.map((layer) => ({
        mediaType: layerType,
        digest: this.add(repository, 'blobs', layer.blob, 'application/octet-stream'),
        size: layer.blob.length,
        annotations: layer.annotations,
      })),
    };
    return { manifest: this.add(repository, 'manifests', Buffer.from(JSON.stringify(manifest)), mediaType, tag), config: digest(config) };
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '', 'http://x');
    this.requests.push(`${request.method ?? ''} ${pathname}`);
    this.authorizations.push(request.headers.authorization ?? '-');
    if (pathname === '/token') {
      await this.#token(request, response);
      return;
    }
    if (!this.#mayPass(request)) {
      const challenge =
        this.#options.auth === 'basic'
          ? 'Basic realm="test"'
          : `Bearer realm="${this.#options.realm ?? `http://${this.host}/token`}",service="test",scope="repository:${pathname.slice(4).replace(/\/(manifests|blobs)\/.*/, '')}:pull"`;
      response
        .writeHead(401, { 'www-authenticate': challenge })
        .end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
      return;
    }
    if ((await this.#options.fault?.(request, response, this.requests.length)) === true) return;
    const content = this.#content.get(pathname);
    if (content === undefined) {
      response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN","message":"not known here"}]}');
      return;
    }
    const range = this.#options.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const isPart = range !== null;
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(Number(range?.[2] || Infinity), content.bytes.length - 1);
    const bytes = content.bytes.subarray(start, end + 1);
    response.writeHead(isPart ? 206 : 200, {
      'content-type': content.mediaType,
      'content-length': bytes.length,
      ...(isPart ? { 'content-range': `bytes ${start}-${end}/${content.bytes.length}` } : {}),
    });
    response.end(bytes);
  }

  #mayPass({ headers }: IncomingMessage): boolean {
    if (this.#options.auth === 'basic') return headers.authorization === `Basic ${Buffer.from('user:secret').toString('base64')}`;
    return this.#options.auth !== 'bearer' || headers.authorization === 'Bearer good-token';
  }

  async #token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#options.token !== undefined) {
      await this.#options.token(response);
      return;
    }
    let body = '';
    for await (const piece of request) body += String(piece);
    const isUser = request.headers.authorization === `Basic ${Buffer.from('user:secret').toString('base64')}`;
    const isRefresh = request.method === 'POST' && new URLSearchParams(body).get('refresh_token') === 'refresh';
    if (isUser || isRefresh) response.end(JSON.stringify({ token: 'good-token', expires_in: 300 }));
    else response.writeHead(401).end('{}');
  }
}
