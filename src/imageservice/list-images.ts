import type { ImageFilter } from '../../api/cri/runtime.ts';
import type { ImageRecord } from '../image/store.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import { imageMessage } from './image-messages.ts';
import type { ImageServiceParts } from './parts.ts';

type Parts = Pick<ImageServiceParts, 'images'>;

/** All images, or the one that the filter names. */
export function listImages(parts: Parts): ImageServiceHandlers['listImages'] {
  return async ({ filter }) => ({ images: selected(parts, filter).map(imageMessage) });
}

/** The same as a stream, in messages that stay small (KEP-5825). */
export function streamImages(parts: Parts): ImageServiceHandlers['streamImages'] {
  return function* ({ filter }) {
    for (const image of selected(parts, filter)) yield { images: [imageMessage(image)] };
  };
}

function selected(parts: Parts, filter: ImageFilter | undefined): readonly ImageRecord[] {
  const asked = filter?.image?.image ?? '';
  if (asked === '') return parts.images.list();
  const image = parts.images.resolve(asked);
  return image === undefined ? [] : [image];
}
