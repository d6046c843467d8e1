import { createHash } from 'node:crypto';
import { DaemonError, messageOf } from '../base/errors.ts';
import { isDigest } from '../base/ids.ts';
import type { Digest } from '../base/ids.ts';

/** OCI image spec, config.md, `config`; Docker's has the same names. Any field may be missing. What we do not read is kept. */
export interface OciProcessConfig {
  readonly User?: string | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly Volumes?: Readonly<Record<string, unknown>> | null | undefined;
  readonly StopSignal?: string | undefined;
}

/** OCI image spec, config.md. What we do not read is kept. */
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
  const config = readProcessConfig(fields['config'], what);
  return { ...fields, config } as unknown as OciImageConfig;
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

/** Node's and Go's names of this machine. OCI uses Go's. */
export function hostPlatform(): Platform {
  const architecture = { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
  return { os: 'linux', architecture };
}

/**
 * The platform of an image that is not for this machine. One without an index comes as it is, and its programs may run all the
 * same where the machine emulates: so that is worth a warning and no refusal, as with CRI-O.
 */
export function foreignPlatform({ os, architecture }: Pick<OciImageConfig, 'os' | 'architecture'>, machine: Platform): string | undefined {
  const own = { os: os || machine.os, architecture: architecture || machine.architecture };
  return own.os === machine.os && own.architecture === machine.architecture ? undefined : `${own.os}/${own.architecture}`;
}

/** Reads `os/architecture[/variant]`. @throws InvalidArgument. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || rest.length > 0)
    throw new DaemonError('InvalidArgument', `read platform "${text}": must be os/architecture or os/architecture/variant`);
  return { os, architecture, variant };
}

/** The newest variant is the plain one: `linux/arm64` means `linux/arm64/v8`, `linux/arm` means v7. */
function variantOf({ architecture, variant }: Platform): string {
  return variant ?? { arm64: 'v8', arm: 'v7' }[architecture] ?? '';
}

/**
 * The manifest of an index for a platform: the same variant first, then an older one. Entries without a platform count only
 * where nothing else fits; `unknown/unknown` (attestations) never do.
 */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const fitting = manifests.filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture);
  const variant = variantOf(wanted);
  const exact = fitting.find(({ platform }) => platform !== undefined && variantOf(platform) === variant);
  const older = fitting
    .filter(({ platform }) => platform !== undefined && variantOf(platform) < variant)
    .sort((a, b) => (variantOf(b.platform ?? wanted) > variantOf(a.platform ?? wanted) ? 1 : -1));
  return exact ?? older[0] ?? manifests.find(({ platform }) => platform === undefined);
}
