import type { ImageServiceHandlers } from './handlers.ts';
import { imageFsInfo } from './image-fs-info.ts';
import { imageStatus } from './image-status.ts';
import { listImages, streamImages } from './list-images.ts';
import { pullImage } from './pull-image.ts';
import type { ImageServiceParts } from './parts.ts';
import { removeImage } from './remove-image.ts';

/** The CRI's ImageService: one entry per RPC. */
export function imageService(parts: ImageServiceParts): ImageServiceHandlers {
  return {
    listImages: listImages(parts),
    streamImages: streamImages(parts),
    imageStatus: imageStatus(parts),
    pullImage: pullImage(parts),
    removeImage: removeImage(parts),
    imageFsInfo: imageFsInfo(parts),
  };
}
