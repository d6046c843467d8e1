import { fail } from '../base/errors.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import type { ImageServiceParts } from './parts.ts';

/** Pulls an image; the answer names it by its id, as everything else does (cri-api: Image Identifier Consistency). */
export function pullImage(parts: Pick<ImageServiceParts, 'puller'>): ImageServiceHandlers['pullImage'] {
  return async ({ image: spec, auth }, call) => {
    const asked = spec?.image ?? '';
    if (asked === '') fail('InvalidArgument', 'pull image: image is empty, must name one');
    const image = await parts.puller.pull(asked, auth, call.signal);
    return { imageRef: image.id };
  };
}
