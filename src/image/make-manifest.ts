import type { ImageLayer } from './image-record.ts';
import { digestOf, MEDIA } from './oci-types.ts';

/** A manifest for an image that came without one. */
export function makeManifest(config: Buffer, layers: readonly ImageLayer[]): { readonly bytes: Buffer; readonly mediaType: string } {
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: { mediaType: MEDIA.ociConfig, digest: digestOf(config), size: config.length },
    layers: layers.map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
  };
  return { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: MEDIA.ociManifest };
}
