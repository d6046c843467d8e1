import { architecture, documentsOf, sha256 } from './make-demo-image.ts';
import type { ImageDigests, ImageSource } from './make-demo-image.ts';

/** How the image is described: one manifest, or an index (docker: list) with one. */
export type ManifestForm = 'oci' | 'oci-index' | 'docker' | 'docker-list';

export interface PushOptions {
  /** Of the registry: `http://127.0.0.1:5000`. */
  readonly registry: string;
  /** Without the registry: `library/busybox`. */
  readonly repository: string;
  readonly tags: readonly string[];
  /** @default oci */
  readonly form?: ManifestForm;
  /** For HTTP basic authentication, `user:password`. */
  readonly credentials?: string;
}

export interface PushedImage extends ImageDigests {
  /** What the tags point to: the manifest, or the index. */
  readonly digest: string;
}

const INDEX_TYPES = {
  'oci-index': 'application/vnd.oci.image.index.v1+json',
  'docker-list': 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** Pushes an image over the distribution API: blobs in one request each, then the manifest under each tag (distribution-spec, "Push"). */
export async function pushImage(image: Omit<ImageSource, 'name'>, options: PushOptions): Promise<PushedImage> {
  const { form = 'oci', tags } = options;
  const format = form.startsWith('docker') ? 'docker' : 'oci';
  const { config, manifest, mediaType, imageId, manifestDigest } = documentsOf({ ...image, name: '' }, format);
  for (const blob of [config, ...image.layers.map((layer) => layer.blob)]) await pushBlob(options, blob);
  if (form === 'oci' || form === 'docker') {
    for (const tag of tags) await putManifest(options, tag, mediaType, manifest);
    return { imageId, manifestDigest, digest: manifestDigest };
  }
  await putManifest(options, manifestDigest, mediaType, manifest);
  const platform = { architecture: architecture(), os: 'linux' };
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX_TYPES[form],
      manifests: [{ mediaType, digest: manifestDigest, size: manifest.length, platform }],
    }),
  );
  for (const tag of tags) await putManifest(options, tag, INDEX_TYPES[form], index);
  return { imageId, manifestDigest, digest: sha256(index) };
}

/** A file of an artifact; without a title where `name` is not given. */
export interface ArtifactFile {
  readonly name?: string;
  readonly data: Buffer;
}

/** The manifest of an artifact with an empty config: image-spec manifest.md, "Guidelines for Artifact Usage". */
export function artifactManifest(files: readonly ArtifactFile[], artifactType = 'application/vnd.example.model'): Buffer {
  const layers = files.map(({ name, data }) => ({
    mediaType: 'application/octet-stream',
    digest: sha256(data),
    size: data.length,
    ...(name === undefined ? {} : { annotations: { 'org.opencontainers.image.title': name } }),
  }));
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256(EMPTY), size: EMPTY.length };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config, layers }));
}

export const EMPTY = Buffer.from('{}');
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** Pushes an artifact as oras does. Returns the digest of its manifest. */
export async function pushArtifact(files: readonly ArtifactFile[], options: PushOptions): Promise<string> {
  const manifest = artifactManifest(files);
  for (const blob of new Set([EMPTY, ...files.map(({ data }) => data)])) await pushBlob(options, blob);
  for (const tag of options.tags) await putManifest(options, tag, OCI_MANIFEST, manifest);
  return sha256(manifest);
}

/** Pushes a manifest with the blobs that it names. Returns its digest. */
export async function pushManifest(manifest: object, blobs: readonly Buffer[], options: PushOptions): Promise<string> {
  const bytes = Buffer.from(JSON.stringify(manifest));
  for (const blob of blobs) await pushBlob(options, blob);
  for (const tag of options.tags) await putManifest(options, tag, OCI_MANIFEST, bytes);
  return sha256(bytes);
}

async function pushBlob(options: PushOptions, blob: Buffer): Promise<void> {
  const digest = sha256(blob);
  const known = await request(options, 'HEAD', `blobs/${digest}`);
  if (known.status === 200) return;
  const upload = await expectStatus(202, await request(options, 'POST', 'blobs/uploads/'));
  const location = new URL(upload.headers.get('location') ?? '', options.registry);
  location.searchParams.set('digest', digest);
  await expectStatus(201, await request(options, 'PUT', location, 'application/octet-stream', blob));
}

async function putManifest(options: PushOptions, tagOrDigest: string, mediaType: string, bytes: Buffer): Promise<void> {
  await expectStatus(201, await request(options, 'PUT', `manifests/${tagOrDigest}`, mediaType, bytes));
}

async function request(
  { registry, repository, credentials }: PushOptions,
  method: string,
  what: string | URL,
  contentType?: string,
  body?: Buffer,
): Promise<Response> {
  const url = typeof what === 'string' ? `${registry}/v2/${repository}/${what}` : what;
  const headers = new Headers();
  if (contentType !== undefined) headers.set('content-type', contentType);
  if (credentials !== undefined) headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
  // A body that nobody reads keeps its connection.
  if (response.ok) await response.arrayBuffer();
  return response;
}

async function expectStatus(status: number, response: Response): Promise<Response> {
  if (response.status === status) return response;
  const words = response.bodyUsed ? '' : (await response.text()).slice(0, 500);
  throw new Error(`push to ${response.url}: the registry answered ${response.status}, must be ${status}: ${words}`);
}
