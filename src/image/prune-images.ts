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
  const removed: ImageRecord[] = [];
  const failures: string[] = [];
  let freedBytes = 0;
  const imagesWith = new Map<Digest, number>();
  for (const digest of images.list().flatMap(contentOf)) imagesWith.set(digest, (imagesWith.get(digest) ?? 0) + 1);
  for (const image of unused) {
    if (signal.aborted) break;
    const content = contentOf(image);
    const own = content.filter((digest) => imagesWith.get(digest) === 1);
    const bytes = bytesOf(parts, own);
    try {
      const isOurs = isDryRun || (await images.remove(image.id)) !== undefined; // else somebody else has removed it
      for (const digest of content) imagesWith.set(digest, (imagesWith.get(digest) ?? 0) - 1);
      if (!isOurs) continue;
      removed.push(image);
      freedBytes += bytes;
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  return { removed, freedBytes, failures };
}

/** What this takes on the disk: unpacked layers and blobs. */
function bytesOf({ layers, blobs }: ImageParts, content: readonly Digest[]): number {
  return content.reduce((sum, digest) => sum + (layers.get(digest)?.sizeBytes ?? 0) + blobs.sizeOf(digest), 0);
}

/** Chains and digests together, each once: none is both, but of a lowest layer that came plain, whose two sizes both count. */
function contentOf({ layers, chain, configDigest, manifestDigest }: ImageRecord): readonly Digest[] {
  return [...new Set([chain, configDigest, manifestDigest, ...layers.flatMap((layer) => [layer.chain, layer.digest])])];
}
