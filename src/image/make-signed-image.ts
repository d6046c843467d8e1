import type { Digest } from '../base/ids.ts';
import type { Signature } from '../trust/signature.ts';
import type { ImageRecord, ImageStore } from './store.ts';

/**
 * Makes an image whose signatures are to be kept: they are on the disk before its record is, so that no image is without them after
 * a crash. Where the making fails they go again.
 * @param signatures undefined where none were looked for.
 */
export async function makeSignedImage(
  images: ImageStore,
  manifest: Digest,
  signatures: readonly Signature[] | undefined,
  make: () => Promise<ImageRecord>,
): Promise<ImageRecord> {
  if (signatures === undefined) return await make();
  const release = images.retain([manifest]);
  try {
    await images.signatures.keep(manifest, signatures);
    return await make();
  } catch (error) {
    release();
    await images.collect();
    throw error;
  } finally {
    release();
  }
}
