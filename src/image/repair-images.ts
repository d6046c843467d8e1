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
 * that they are the same, and get their names back.
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
  return findings.map(({ setAside: _, ...finding }): RepairedLayer => {
    const affected = lost.filter(({ layers }) => layers.some(({ chain }) => chain === finding.chain));
    if (finding.repair !== 'dropped' || affected.length === 0) return finding;
    const error = affected.map((image) => failures.get(image)).find((words) => words !== undefined);
    return error === undefined ? { ...finding, repair: 'fetched' } : { ...finding, error };
  });
}

/** @returns why it could not be fetched. */
async function fetchAgain(
  { images, log }: ImageParts,
  puller: ImagePuller,
  image: ImageRecord,
  signal: AbortSignal,
): Promise<string | undefined> {
  const byDigest = image.digests.toSorted((a, b) => Number(b.endsWith(image.manifestDigest)) - Number(a.endsWith(image.manifestDigest)));
  let failure = 'it has no digest to pull it by';
  for (const name of byDigest) {
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
