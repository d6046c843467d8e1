import { fail } from '../base/errors.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import type { ImageServiceParts } from './parts.ts';

/** Removes an image with all its names, whichever of them was given. One that is not there is removed. */
export function removeImage(parts: Pick<ImageServiceParts, 'images'>): ImageServiceHandlers['removeImage'] {
  return async ({ image: spec }) => {
    const asked = spec?.image ?? '';
    if (asked === '') fail('InvalidArgument', 'remove image: image is empty, must name one');
    const image = parts.images.resolve(asked);
    if (image !== undefined) await parts.images.remove(image.id);
    return {};
  };
}
