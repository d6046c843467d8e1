import { createHash } from 'node:crypto';
import { DaemonError, messageOf } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';

/** What we read of `config` in an image's config: OCI image spec, config.md; Docker's has the same names. Any field may be missing. */
export interface OciProcessConfig {
  readonly User?: string | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly Volumes?: Readonly<Record<string, unknown>> | null | undefined;
  readonly StopSignal?: string | undefined;
}

/** What we read of an image's config: OCI image spec, config.md. The rest, its history above all, is in its blob only. */
export interface OciImageConfig {
  readonly architecture?: string | undefined;
  readonly os?: string | undefined;
  readonly config?: OciProcessConfig | null | undefined;
  readonly rootfs: { readonly diff_ids: readonly Digest[] };
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
  /** Of a machine: newer variants that its processor runs too, highest first. */
  readonly newer?: readonly string[] | undefined;
}

/** OCI image spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface Manifest {
  readonly is: 'manifest';
  readonly mediaType: string;
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

/** Most bytes of a manifest, an index or a config: the OCI distribution spec asks registries for 4 MiB at least. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

type Fields = Readonly<Record<string, unknown>>;

function bad(what: string, why: string): never {
  throw new DaemonError('InvalidArgument', `read ${what}: ${why}`);
}

function readJson(bytes: Uint8Array, what: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    bad(what, `it is no JSON: ${messageOf(error)}`);
  }
  return isFields(value) ? value : bad(what, 'it is no JSON object');
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readDescriptor(value: unknown, what: string): Descriptor {
  if (!isFields(value)) bad(what, 'a descriptor is no object');
  const { digest, size, mediaType, platform, annotations } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) bad(what, `digest ${JSON.stringify(digest)}, must be sha256: and 64 hex digits`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    bad(what, `size ${JSON.stringify(size)} of ${digest}, must be a number of bytes`);
  return {
    mediaType: optionalText(mediaType) ?? '',
    digest,
    size,
    platform: isFields(platform)
      ? {
          os: optionalText(platform['os']) ?? '',
          architecture: optionalText(platform['architecture']) ?? '',
          variant: optionalText(platform['variant']),
        }
      : undefined,
    annotations: isFields(annotations) ? (annotations as Record<string, string>) : undefined,
  };
}

/**
 * Reads a manifest or an index, OCI or Docker v2 schema 2. `mediaType` is what the registry or descriptor said; the document's
 * own word, where it has one, and its fields must agree with it (a document must not be read in two ways).
 * @throws InvalidArgument.
 */
export function readManifest(bytes: Uint8Array, mediaType: string | undefined, what: string): Manifest | Index {
  const fields = readJson(bytes, what);
  const own = optionalText(fields['mediaType']);
  const type =
    own ?? (mediaType?.split(';')[0]?.trim() || undefined) ?? (Array.isArray(fields['manifests']) ? MEDIA.ociIndex : MEDIA.ociManifest);
  if (fields['schemaVersion'] === 1) bad(what, 'it is a Docker schema 1 manifest, which is no longer supported: push the image anew');
  if (Array.isArray(fields['manifests']) && (Array.isArray(fields['layers']) || fields['config'] !== undefined))
    bad(what, 'it is an index and a manifest at once');
  if (type === MEDIA.ociIndex || type === MEDIA.dockerIndex) {
    const { manifests } = fields;
    if (!Array.isArray(manifests)) bad(what, 'an index must have manifests');
    return { is: 'index', mediaType: type, manifests: manifests.map((entry) => readDescriptor(entry, what)) };
  }
  if (type === MEDIA.ociManifest || type === MEDIA.dockerManifest) {
    const { layers } = fields;
    if (!Array.isArray(layers)) bad(what, 'a manifest must have layers');
    return {
      is: 'manifest',
      mediaType: type,
      config: readDescriptor(fields['config'], what),
      layers: layers.map((entry) => readDescriptor(entry, what)),
    };
  }
  return bad(what, `its media type is ${type}, must be an OCI or Docker v2 manifest or index`);
}

/** Reads an image's config. @throws InvalidArgument where it does not name its layers. */
export function readConfig(bytes: Uint8Array, what: string): OciImageConfig {
  const fields = readJson(bytes, what);
  const { rootfs } = fields;
  const diffIds: unknown = isFields(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(diffIds) || !diffIds.every((id) => typeof id === 'string' && isDigest(id))) {
    bad(what, 'rootfs.diff_ids must be a list of sha256 digests');
  }
  const kept = usedConfig({ ...fields, config: readProcessConfig(fields['config'], what) });
  const keptBytes = Buffer.byteLength(JSON.stringify(kept));
  if (keptBytes > MAX_KEPT_BYTES) bad(what, `what is kept of it has ${keptBytes} bytes, must have at most ${MAX_KEPT_BYTES}`);
  return kept;
}

const TEXTS = ['User', 'WorkingDir', 'StopSignal'] as const;
const LISTS = ['Env', 'Entrypoint', 'Cmd'] as const;

/**
 * How to run the image, each field of its type or not there. Null is as good as nothing; another type is refused, as Go's JSON
 * and so both peers do: a command that is a text and no list would be taken letter by letter.
 */
function readProcessConfig(value: unknown, what: string): OciProcessConfig | undefined {
  if (value === null || value === undefined) return undefined;
  if (!isFields(value)) bad(what, 'config must be an object');
  const given = Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
  for (const name of TEXTS) if (!['string', 'undefined'].includes(typeof given[name])) bad(what, `config.${name} must be a text`);
  for (const name of LISTS) {
    const list = given[name] ?? [];
    if (!Array.isArray(list) || !list.every((entry) => typeof entry === 'string')) bad(what, `config.${name} must be a list of texts`);
  }
  if (!isFields(given['Volumes'] ?? {})) bad(what, 'config.Volumes must be an object with paths as names');
  return given;
}

/** Most bytes of what is kept in memory of one image's config. execve(2) takes no more of arguments and environment than some megabytes. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** What is kept in memory of an image's config; of many images that is a sum. Its history and labels may have megabytes. */
export function usedConfig(fields: Fields): OciImageConfig {
  const { config, rootfs } = fields;
  return {
    architecture: optionalText(fields['architecture']),
    os: optionalText(fields['os']),
    config: isFields(config) ? only(config, PROCESS_FIELDS) : undefined,
    rootfs: { diff_ids: (rootfs as OciImageConfig['rootfs'] | undefined)?.diff_ids ?? [] },
  };
}

const PROCESS_FIELDS = ['User', 'Env', 'Entrypoint', 'Cmd', 'WorkingDir', 'Volumes', 'StopSignal'] as const;

/** The fields that are there of some names. */
function only(fields: Fields, names: readonly string[]): OciProcessConfig {
  return Object.fromEntries(names.filter((name) => fields[name] !== undefined).map((name) => [name, fields[name]]));
}
