import { messageOf } from '../base/errors.ts';
import type { ImageParts } from './assemble.ts';
import { verifyImages } from './mend-layer.ts';
import type { LayerFinding } from './mend-layer.ts';
import type { ImagePuller } from './pull.ts';
import type { ImageRecord } from './store.ts';

/** A finding, and why what is damaged could not be fetched. */
export type RepairedLayer = Omit<LayerFinding, 'repair' | 'setAside'> & {
  readonly repair: LayerFinding['repair'] | 'fetched';
  readonly error?: string;
};

/**
 * Verifies images and mends what is damaged; those that cannot be mended from what is here are pulled again, by their digest, so
 * that they are the same, and get their names back. A damaged blob of a sound tree is fetched alone, where blobs are kept.
 * @param only undefined: all.
 */
export async function repairImages(
  parts: ImageParts,
  puller: ImagePuller,
  only: ImageRecord | undefined,
  signal: AbortSignal,
): Promise<RepairedLayer[]> {
  const { images } = parts;
  const findings = await verifyImages(parts, true, signal, only);
  // None that somebody has removed meanwhile, nor one that somebody has pulled again.
  const lost = findings.flatMap(({ setAside = [] }) => setAside).filter(({ id }) => images.own(id) === undefined);
  const failures = new Map<ImageRecord, string | undefined>();
  for (const image of lost) failures.set(image, await fetchAgain(parts, puller, image, signal));
  const repaired: RepairedLayer[] = [];
  for (const { setAside, ...finding } of findings) {
    const affected = lost.filter(({ layers }) => layers.some(({ chain }) => chain === finding.chain));
    const isBlobAlone = setAside === undefined && !images.discardsBlobs;
    if (finding.repair !== 'dropped' || (affected.length === 0 && !isBlobAlone)) {
      repaired.push(finding);
      continue;
    }
    const error = isBlobAlone
      ? await fetchBlobAgain(parts, puller, finding, signal)
      : affected.map((image) => failures.get(image)).find((words) => words !== undefined);
    repaired.push(error === undefined ? { ...finding, repair: 'fetched' } : { ...finding, error });
  }
  return repaired;
}

const NO_DIGEST = 'it has no digest to pull it by';

/** @returns why it could not be fetched. */
async function fetchBlobAgain(
  parts: ImageParts,
  puller: ImagePuller,
  { chain, digest }: LayerFinding,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { images, blobs, log } = parts;
  let failure = NO_DIGEST;
  for (const image of images.list()) {
    const layer = image.layers.find((each) => each.chain === chain && each.digest === digest);
    for (const name of layer === undefined ? [] : byDigest(image)) {
      try {
        // Another image's repair may have brought it.
        if (layer !== undefined && !blobs.has(digest)) await puller.fetchBlob(name, layer, signal);
        await images.collect();
        log.info('damaged blob fetched again', { image: name, layer: chain });
        return undefined;
      } catch (error) {
        if (signal.aborted) return messageOf(error);
        failure = messageOf(error);
      }
    }
  }
  return failure;
}

/** Names to pull an image by as it is, that of its own manifest first. */
function byDigest({ digests, manifestDigest }: ImageRecord): readonly string[] {
  return digests.toSorted((a, b) => Number(b.endsWith(manifestDigest)) - Number(a.endsWith(manifestDigest)));
}

/** @returns why it could not be fetched. */
async function fetchAgain(
  { images, log }: ImageParts,
  puller: ImagePuller,
  image: ImageRecord,
  signal: AbortSignal,
): Promise<string | undefined> {
  let failure = NO_DIGEST;
  for (const name of byDigest(image)) {
    try {
      const pulled = await puller.pull(name, undefined, signal, { asker: { by: 'admin' } });
      const names = image.names.filter((each) => images.resolve(each) === undefined);
      if (names.length > 0 && pulled.id === image.id) await images.put({ ...pulled, names });
      log.info('damaged image pulled again', { image: name, name: image.names[0] ?? image.id });
      return undefined;
    } catch (error) {
      if (signal.aborted) return messageOf(error);
      failure = messageOf(error);
    }
  }
  return failure;
}
