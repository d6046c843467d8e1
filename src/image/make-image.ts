import { assembleImage } from './assemble.ts';
import type { AssembleOptions, ImageParts, NewImage } from './assemble.ts';
import type { ImageRecord } from './image-record.ts';
import { isArtifact } from './media-types.ts';

/** Makes what a manifest describes: a container image, or an artifact. */
export async function makeImage(parts: ImageParts, image: NewImage, options: AssembleOptions): Promise<ImageRecord> {
  const { manifest } = image;
  if (manifest === undefined || !isArtifact(manifest.document)) return await makeContainerImage(parts, image, options);
  const { assembleArtifact } = await import('./assemble-artifact.ts');
  return await assembleArtifact(parts, { ...image, manifest }, options);
}

/** With the layers that additional layer stores have, where some do. */
async function makeContainerImage(parts: ImageParts, image: NewImage, options: AssembleOptions): Promise<ImageRecord> {
  if ((parts.layerStores?.() ?? []).length === 0) return await assembleImage(parts, image, options);
  const { withLazyLayers } = await import('./lazy-image.ts');
  return await withLazyLayers(parts, image, options.signal, async (found) => await assembleImage(parts, found, options));
}
