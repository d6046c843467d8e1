import { createHash } from 'node:crypto';
import { fail } from '../base/errors.ts';
import { Field, present } from '../base/field.ts';
import type { ImageProcessConfig } from '../base/image-process-config.ts';
import type { JsonObject } from '../base/json.ts';
import type { Digest } from '../base/ids.ts';

/** What we read of an image's config: OCI image spec, config.md. The rest, its history above all, is in its blob only. */
export interface OciImageConfig {
  readonly architecture?: string | undefined;
  readonly os?: string | undefined;
  readonly config?: ImageProcessConfig | null | undefined;
  readonly rootfs: { readonly diff_ids: readonly Digest[] };
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
  /** Of a machine: newer variants that its processor runs too, highest first. */
  readonly newer?: readonly string[] | undefined;
  /** Of an entry of an index: what of os.version, os.features and features it asks for. */
  readonly demands?: readonly string[] | undefined;
}

/** OCI image spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform | undefined;
  /** Of an entry of an index that is no image. */
  readonly artifactType?: string | undefined;
  /** Where else it is. */
  readonly urls?: readonly string[] | undefined;
  /** As they came: a value that is no text is of no use, and no fault. */
  readonly annotations?: JsonObject | undefined;
}

export interface Manifest {
  readonly is: 'manifest';
  readonly mediaType: string;
  readonly artifactType?: string | undefined;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface Index {
  readonly is: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

export const MEDIA = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

/** Most bytes of a manifest, an index or a config: the OCI distribution spec asks registries for 4 MiB at least. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

function readJson(bytes: Uint8Array, what: string): Field {
  const field = Field.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'), `read ${what}`);
  field.object();
  return field;
}

function readDescriptor(field: Field): Descriptor {
  const platform = field.at('platform').asObject();
  const urls = textsIn(field.at('urls'));
  return {
    mediaType: field.at('mediaType').asText() ?? '',
    digest: field.at('digest').digest(),
    size: field.at('size').count('a number of bytes'),
    platform: platform && readPlatform(platform),
    ...present({ artifactType: field.at('artifactType').asText(), urls: urls.length === 0 ? undefined : urls }),
    annotations: field.at('annotations').asObject()?.object(),
  };
}

/** Other names of an architecture that are met in indexes, as containerd takes them. */
const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  i386: ['386'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

function readPlatform(field: Field): Platform {
  const given = field.at('architecture').asText() ?? '';
  const [architecture, implied] = Object.hasOwn(ARCHITECTURES, given) ? (ARCHITECTURES[given] ?? [given]) : [given];
  const version = field.at('os.version').asText() ?? '';
  const demands = [...(version === '' ? [] : [version]), ...textsIn(field.at('os.features')), ...textsIn(field.at('features'))];
  return {
    os: field.at('os').asText() ?? '',
    architecture,
    variant: field.at('variant').asText() || implied,
    ...(demands.length === 0 ? {} : { demands }),
  };
}

/** The texts of a list; of what is none there are none. */
function textsIn(field: Field): string[] {
  return Array.isArray(field.value) ? field.value.filter((each): each is string => typeof each === 'string') : [];
}

/**
 * Reads a manifest or an index, OCI or Docker v2 schema 2. `mediaType` is what the registry or descriptor said; the document's
 * own word, where it has one, and its fields must agree with it (a document must not be read in two ways).
 * @throws InvalidArgument that names the field.
 */
export function readManifest(bytes: Uint8Array, mediaType: string | undefined, what: string): Manifest | Index {
  const bad = (why: string): never => fail('InvalidArgument', `read ${what}: ${why}`);
  const document = readJson(bytes, what);
  const { manifests, layers, config, schemaVersion } = document.object();
  const own = document.at('mediaType').asText();
  const type = own ?? (mediaType?.split(';')[0]?.trim() || undefined) ?? (Array.isArray(manifests) ? MEDIA.ociIndex : MEDIA.ociManifest);
  if (schemaVersion === 1 || SCHEMA_1.test(type)) {
    bad(
      'it is a Docker schema 1 manifest, which is no longer supported: push the image anew by a tool of these days, ' +
        'or convert it (skopeo copy --format oci docker://OLD docker://NEW)',
    );
  }
  if (Array.isArray(manifests) && (Array.isArray(layers) || config !== undefined)) bad('it is an index and a manifest at once');
  if (type === MEDIA.ociIndex || type === MEDIA.dockerIndex)
    return { is: 'index', mediaType: type, manifests: document.at('manifests').list(readDescriptor) };
  if (type === MEDIA.ociManifest || type === MEDIA.dockerManifest) {
    return {
      is: 'manifest',
      mediaType: type,
      ...present({ artifactType: document.at('artifactType').asText() }),
      config: readDescriptor(document.at('config')),
      layers: document.at('layers').list(readDescriptor),
    };
  }
  return bad(`its media type is ${type}, must be an OCI or Docker v2 manifest or index`);
}

/** Reads an image's config. @throws InvalidArgument that names the field. */
export function readConfig(bytes: Uint8Array, what: string): OciImageConfig {
  const kept = readImageConfig(readJson(bytes, what));
  const keptBytes = Buffer.byteLength(JSON.stringify(kept));
  if (keptBytes > MAX_KEPT_BYTES)
    fail('InvalidArgument', `read ${what}: what is kept of it has ${keptBytes} bytes, must have at most ${MAX_KEPT_BYTES}`);
  return kept;
}

/** Most bytes of what is kept in memory of one image's config. execve(2) takes no more of arguments and environment than some megabytes. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** What is kept in memory of an image's config; of many images that is a sum. Its history and labels may have megabytes. */
export function readImageConfig(document: Field): OciImageConfig {
  return {
    architecture: document.at('architecture').asText(),
    os: document.at('os').asText(),
    config: readProcessConfig(document.at('config').given),
    rootfs: {
      diff_ids: document
        .at('rootfs')
        .at('diff_ids')
        .list((entry) => entry.digest()),
    },
  };
}

/**
 * How to run the image, each field of its type or not there. Null is as good as nothing; another type is refused, as Go's JSON
 * and so both peers do: a command that is a text and no list would be taken letter by letter.
 */
function readProcessConfig(config: Field | undefined): ImageProcessConfig | undefined {
  if (config === undefined) return undefined;
  const text = (name: string): string | undefined => config.at(name).given?.text();
  const texts = (name: string): readonly string[] | undefined => config.at(name).given?.texts();
  return present({
    User: text('User'),
    Env: texts('Env'),
    Entrypoint: texts('Entrypoint'),
    Cmd: texts('Cmd'),
    WorkingDir: text('WorkingDir'),
    Volumes: config.at('Volumes').given?.object(),
    StopSignal: text('StopSignal'),
  });
}
