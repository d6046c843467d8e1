import { fail } from '../base/errors.ts';
import { toPlainJson } from '../base/json.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import { imageMessage } from './image-messages.ts';
import type { ImageServiceParts } from './parts.ts';

/** An image that is not there is no error: the answer has none. */
export function imageStatus(parts: Pick<ImageServiceParts, 'images'>): ImageServiceHandlers['imageStatus'] {
  return async ({ image: spec, verbose }) => {
    const asked = spec?.image ?? '';
    if (asked === '') fail('InvalidArgument', 'image status: image is empty, must name one');
    const image = parts.images.resolve(asked);
    if (image === undefined) return {};
    if (!verbose) return { image: imageMessage(image), info: {} };
    const info =
      image.artifact === undefined
        ? { chainID: image.chain, imageSpec: await parts.images.configDocument(image) }
        : { artifactType: image.artifact.type, manifest: await parts.images.manifestDocument(image) };
    return { image: imageMessage(image), info: { info: toPlainJson(info) } };
  };
}
