import { DaemonError, fail } from '../base/errors.ts';
import type { Descriptor, Manifest } from './oci-types.ts';

/** What configs of container images call themselves; some tools leave it out. */
const IMAGE_CONFIGS: readonly string[] = ['', 'application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];

/** OCI image spec, layer.md; Docker image manifest v2 schema 2; zstd under Docker's name, as BuildKit writes it. */
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;
/** Layers that a registry need not have: they say where else they are. */
const FOREIGN = /\.(?:nondistributable|foreign)\./;

/** Whether what a manifest describes is no container image: OCI image spec, manifest.md, "Guidelines for Artifact Usage". */
export function isArtifact({ config }: Pick<Manifest, 'config'>): boolean {
  return !IMAGE_CONFIGS.includes(plain(config.mediaType));
}

/** What an artifact says it is. */
export function artifactTypeOf({ artifactType, config }: Pick<Manifest, 'artifactType' | 'config'>): string {
  return artifactType === undefined || artifactType === '' ? config.mediaType : artifactType;
}

export function isForeign({ mediaType }: Pick<Descriptor, 'mediaType'>): boolean {
  return FOREIGN.test(mediaType);
}

/**
 * What to say of a foreign layer that is not where its image is. The URLs that its image names are not asked: whoever writes a
 * manifest would choose where the node's requests go.
 */
export function foreignIsMissing({ mediaType, digest, urls = [] }: Descriptor, error?: unknown): DaemonError {
  const where = urls.length === 0 ? 'it names no place where it is' : `it is at ${urls.slice(0, 2).join(', ').slice(0, 500)}`;
  return new DaemonError(
    'FailedPrecondition',
    `layer ${digest} is a foreign one (${plain(mediaType)}), which the registry or archive does not have; ${where}, and layers are not ` +
      'fetched by URL: push the image with all of its layers (buildah, docker: --allow-nondistributable-artifacts)',
    { cause: error },
  );
}

/**
 * Refuses the layers of an image that are no layers of a file system. How one is compressed its first bytes tell.
 * @throws InvalidArgument that names the first of them.
 */
export function checkLayerTypes(
  layers: readonly { readonly mediaType: string; readonly digest?: string | undefined }[],
  what: string,
): void {
  for (const [index, { mediaType, digest }] of layers.entries()) {
    const type = plain(mediaType);
    if (type === '' || LAYER.test(type)) continue;
    const why = type.endsWith('+encrypted')
      ? 'is encrypted, which is not supported: push the image without encryption'
      : 'must be a tar of the OCI or Docker v2 image format, plain or with gzip or zstd';
    fail(
      'InvalidArgument',
      `${what}: layers[${index}] (${digest ?? 'no digest'}) is of the media type ${JSON.stringify(type.slice(0, 200))}, it ${why}`,
    );
  }
}

/** Without parameters. */
function plain(mediaType: string): string {
  return mediaType.split(';')[0]?.trim().toLowerCase() ?? '';
}
