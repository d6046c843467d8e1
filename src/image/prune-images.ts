import { messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { ImageParts } from './assemble.ts';
import type { ImageRecord } from './store.ts';

export interface Pruned {
  readonly removed: readonly ImageRecord[];
  readonly freedBytes: number;
  readonly failures: readonly string[];
}

/** Removes the images here that no container uses and that are not pinned; with `isDryRun` only tells which. */
export async function pruneImages(parts: ImageParts, isDryRun: boolean, signal: AbortSignal): Promise<Pruned> {
  const { images } = parts;
  const unused = images.list().filter(({ id, pinned, store }) => !pinned && store === undefined && images.usersOf(id).length === 0);
  if (isDryRun) return { removed: unused, freedBytes: bytesOfAlone(parts, unused), failures: [] };
  const removed: ImageRecord[] = [];
  const failures: string[] = [];
  let freedBytes = 0;
  for (const image of unused) {
    if (signal.aborted) break;
    try {
      const bytes = bytesOfAlone(parts, [image]);
      if ((await images.remove(image.id)) === undefined) continue; // somebody else has
      removed.push(image);
      freedBytes += bytes;
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  return { removed, freedBytes, failures };
}

/** What these images have on the disk that no other has: unpacked layers and blobs. */
function bytesOfAlone({ images, layers, blobs }: ImageParts, gone: readonly ImageRecord[]): number {
  const ids = new Set(gone.map(({ id }) => id));
  const kept = contentOf(images.list().filter(({ id }) => !ids.has(id)));
  let bytes = 0;
  for (const digest of contentOf(gone)) if (!kept.has(digest)) bytes += (layers.get(digest)?.sizeBytes ?? 0) + blobs.sizeOf(digest);
  return bytes;
}

/** Chains and digests together: none is both, but of a lowest layer that came plain, whose two sizes both count. */
function contentOf(images: readonly ImageRecord[]): Set<Digest> {
  return new Set(
    images.flatMap(({ layers, chain, configDigest, manifestDigest }) => [
      chain,
      configDigest,
      manifestDigest,
      ...layers.flatMap((layer) => [layer.chain, layer.digest]),
    ]),
  );
}
