import { fail } from '../base/errors.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import type { ImageServiceParts } from './parts.ts';

/** Removes an image with all its names, whichever of them was given. One that is not there is removed; one of an additional store stays. */
export function removeImage(parts: Pick<ImageServiceParts, 'images'>): ImageServiceHandlers['removeImage'] {
  return async ({ image: spec }) => {
    const asked = spec?.image ?? '';
    if (asked === '') fail('InvalidArgument', 'remove image: image is empty, must name one');
    await parts.images.remove(asked);
    return {};
  };
}
