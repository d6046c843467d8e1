import type { ImageBackend } from '../admin/image-backend.ts';
import type { ImageDetailReport, ImageUserReport } from '../admin/image-reports.ts';
import type { ImageReport, LayerReport } from '../admin/reports.ts';
import { fail } from '../base/errors.ts';
import { present } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import type { ImageParts } from '../image/assemble.ts';
import type { ImageRecord } from '../image/store.ts';
import type { DaemonParts } from './build.ts';

/** Pulls that are told of, at most. */
const MOST_PULLS = 100;

/** What the admin socket serves of pulls and images. */
export function imageBackend({ images, storage, containers, sandboxes }: DaemonParts): ImageBackend {
  const { puller, imageParts } = storage;
  const find = (reference: string, what: string): ImageRecord =>
    images.resolve(reference) ?? fail('NotFound', `${what}: ${reference} is not here`);
  const userOf = (containerId: string): ImageUserReport => {
    const record = containers.store.get(containerId)?.record;
    const pod = record && sandboxes.store.get(record.sandboxId)?.record.config.metadata;
    return {
      containerId,
      container: record?.config.metadata?.name ?? '',
      pod: pod === undefined ? '' : `${pod.namespace}/${pod.name}`,
    };
  };
  return {
    pulls: () => {
      const all = puller.inProgress;
      return { pulls: all.slice(0, MOST_PULLS).map((pull) => pull.snapshot()), leftOut: Math.max(all.length - MOST_PULLS, 0) };
    },
    onPullEnded: (listener) => puller.onEnded(listener),
    pullImage: async (name, signal, seen) => {
      const pulled = await puller.pull(name, undefined, signal, {
        asker: { by: 'admin' },
        seen: (progress) => {
          seen(() => progress.snapshot());
        },
      });
      return reportOf(pulled);
    },
    inspectImage: async (reference) => {
      const image = find(reference, 'inspect image');
      return { ...detailOf(imageParts, image), config: await images.configDocument(image), usedBy: images.usersOf(image.id).map(userOf) };
    },
    removeImage: async (reference) => {
      const image = find(reference, 'remove image');
      if ((await images.remove(reference)) === undefined) {
        const where = image.store === undefined ? 'is not here any more' : `lies in the additional store ${image.store}, where it stays`;
        fail('FailedPrecondition', `remove image: ${reference} ${where}`);
      }
      return reportOf(image);
    },
    pruneImages: async (isDryRun, signal) => {
      const { pruneImages } = await import('../image/prune-images.ts');
      const { removed, freedBytes, failures } = await pruneImages(imageParts, isDryRun, signal);
      return { isDryRun, removed: removed.map(reportOf), freedBytes, failures };
    },
  };
}

export function reportOf({ id, names, sizeBytes }: ImageRecord): ImageReport {
  return { id, names, sizeBytes };
}

function detailOf({ images, layers, blobs }: ImageParts, image: ImageRecord): Omit<ImageDetailReport, 'config' | 'usedBy'> {
  const othersWith = new Map<Digest, number>();
  for (const other of images.list().filter(({ id }) => id !== image.id))
    for (const chain of new Set(other.layers.map((layer) => layer.chain))) othersWith.set(chain, (othersWith.get(chain) ?? 0) + 1);
  return {
    ...reportOf(image),
    digests: image.digests,
    pinned: image.pinned,
    manifestDigest: image.manifestDigest,
    manifestMediaType: image.manifestMediaType,
    configDigest: image.configDigest,
    ...present({ store: image.store, artifactType: image.artifact?.type }),
    updatedAt: new Date(image.updatedAtMs).toISOString(),
    layers: image.layers.map(({ digest, diffId, mediaType, sizeBytes, chain }) => ({
      digest,
      diffId,
      mediaType,
      sizeBytes,
      unpackedBytes: layers.get(chain)?.sizeBytes ?? 0,
      isBlobKept: blobs.has(digest),
      sharedWith: othersWith.get(chain) ?? 0,
    })),
  };
}

/** Verifies one image or all; what is damaged is mended or fetched again where that is asked for. */
export async function verifyImages(
  { images, storage }: DaemonParts,
  isToRepair: boolean,
  signal: AbortSignal,
  reference: string | undefined,
): Promise<readonly LayerReport[]> {
  const only =
    reference === undefined ? undefined : (images.resolve(reference) ?? fail('NotFound', `verify images: ${reference} is not here`));
  if (!isToRepair) return await (await import('../image/mend-layer.ts')).verifyImages(storage.imageParts, false, signal, only);
  return await (await import('../image/repair-images.ts')).repairImages(storage.imageParts, storage.puller, only, signal);
}
