import type { ContainerConfig, ImageSpec } from '../../api/cri/runtime.ts';
import type { ImageRecord } from '../image/store.ts';
import { isImageVolume } from '../ocispec/mounts.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import type { CheckpointSource } from './checkpoint-source.ts';
import type { ContainerParts } from './parts.ts';

interface Images {
  readonly config: ContainerConfig;
  readonly image: ImageRecord;
  readonly checkpoint: CheckpointSource | undefined;
  /** Those of the mounts, in their order. */
  readonly volumeImages: readonly ImageRecord[];
}

/**
 * Whether the signature policy of the pod's namespace allows all images of a container: its own, those of its mounts, and, of one that is
 * restored, the checkpoint and the image below it. @throws SignatureValidationFailed.
 */
export async function checkImageUses(parts: ContainerParts, { record }: Sandbox, of: Images): Promise<void> {
  const namespace = record.config.metadata?.namespace ?? '';
  const { config, checkpoint } = of;
  const check = async (field: string, image: ImageRecord, asked: Pick<ImageSpec, 'image' | 'userSpecifiedImage'>): Promise<void> =>
    parts.imageUses.check({ namespace, field, image, asked });
  const asked = config.image ?? { image: '', userSpecifiedImage: '' };
  if (checkpoint === undefined) await check('config.image', of.image, asked);
  else {
    const { imageId } = checkpoint.origin;
    const source = imageId && parts.images.resolve(imageId);
    if (source === undefined) await parts.imageUses.checkArchive(namespace);
    else await check('config.image', source, asked);
    const { names, digests } = checkpoint.image;
    // What the checkpoint says of its image's name is a tenant's word: the image's own names count.
    const name = names.includes(checkpoint.imageName) ? checkpoint.imageName : (names[0] ?? digests[0] ?? '');
    await check('the image of the checkpoint', checkpoint.image, { image: name, userSpecifiedImage: '' });
  }
  for (const [index, { containerPath, image }] of config.mounts.filter(isImageVolume).entries()) {
    const found = of.volumeImages[index];
    if (found !== undefined) await check(`the image mounted at ${containerPath}`, found, image);
  }
}
