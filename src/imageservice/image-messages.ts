import type { Image, Init } from '../../api/cri/runtime.ts';
import type { ImageRecord } from '../image/store.ts';

/** An image as List and Status answer it. The kubelet refuses one of size 0. */
export function imageMessage(image: ImageRecord): Init<Image> {
  const { uid, username } = userOf(image.config.config?.User ?? '');
  return {
    id: image.id,
    repoTags: [...image.names],
    repoDigests: [...image.digests],
    size: BigInt(image.sizeBytes),
    ...(uid === undefined ? {} : { uid: { value: uid } }),
    username,
    pinned: image.pinned,
  };
}

/** The image's user as the kubelet checks it for runAsNonRoot: a number is a uid, anything else a name; the group is left out. */
export function userOf(user: string): { uid: bigint | undefined; username: string } {
  const name = user.split(':')[0] ?? '';
  if (name === '') return { uid: undefined, username: '' };
  return /^\d+$/.test(name) ? { uid: BigInt(name), username: '' } : { uid: undefined, username: name };
}
