import { kindOf, messageOf } from '../base/errors.ts';
import type { Digest } from '../base/ids.ts';
import type { LayerStore } from '../storage/layers.ts';
import type { ImageParts } from './assemble.ts';
import type { ImageLayer, ImageRecord } from './store.ts';

/** What was found of one layer of an image. */
export interface LayerFinding {
  readonly image: string;
  readonly chain: Digest;
  readonly digest: Digest;
  /** `unknown`: it was made by a version that kept no digest of the tree. `outside`: it lies in a store that is not ours, and was not looked at. */
  readonly tree: 'sound' | 'damaged' | 'unknown' | 'outside';
  readonly blob: 'sound' | 'damaged' | 'absent';
  /** What was done about a damaged one. */
  readonly repair: 'none' | 'mended' | 'dropped' | 'in use';
  /** The images that were set aside for that. */
  readonly setAside?: readonly ImageRecord[];
}

/**
 * Compares what is stored of all images, or of `only` one, with what was recorded: trees with the digest of their making, blobs with their name. With
 * `isToRepair` damaged layers are mended; one that a container stands on is left as it is.
 */
export async function verifyImages(
  parts: ImageParts,
  isToRepair: boolean,
  signal: AbortSignal,
  only?: ImageRecord,
): Promise<LayerFinding[]> {
  const seen = new Set<string>();
  const trees = new Map<Digest, LayerFinding['tree']>();
  const findings: LayerFinding[] = [];
  for (const image of only === undefined ? parts.images.list() : [only]) {
    for (const layer of image.layers) {
      const { chain, digest } = layer;
      // An artifact has one tree of all its blobs; two images may have one tree from different ones.
      if (seen.has(chain + digest) || !parts.layers.has(chain)) continue;
      seen.add(chain + digest);
      const tree = trees.get(chain) ?? (await parts.layers.verify(chain, signal));
      trees.set(chain, tree);
      findings.push(await verifyLayer(parts, image, layer, tree, isToRepair, signal));
    }
  }
  return findings;
}

async function verifyLayer(
  parts: ImageParts,
  image: ImageRecord,
  { chain, digest }: ImageLayer,
  tree: LayerFinding['tree'],
  isToRepair: boolean,
  signal: AbortSignal,
): Promise<LayerFinding> {
  const blob = await verifyBlob(parts, digest, signal);
  const found = { image: image.names[0] ?? image.id, chain, digest, tree, blob };
  if (!isToRepair || (tree !== 'damaged' && blob !== 'damaged')) return { ...found, repair: 'none' };
  if (blob === 'damaged' && image.artifact === undefined) await parts.blobs.remove(digest);
  if (tree !== 'damaged' && image.artifact === undefined) return { ...found, repair: 'dropped' };
  const isUsed = imagesOn(parts, chain).some(({ id }) => parts.images.usersOf(id).length > 0);
  if (isUsed) return { ...found, repair: 'in use' };
  const setAside = await mendOrSetAside(parts, chain);
  return setAside === undefined ? { ...found, repair: 'mended' } : { ...found, repair: 'dropped', setAside };
}

async function verifyBlob({ blobs, layers }: ImageParts, digest: Digest, signal?: AbortSignal): Promise<LayerFinding['blob']> {
  if (!blobs.has(digest)) return 'absent';
  return (await layers.digestOfFile(blobs.path(digest), signal)) === digest ? 'sound' : 'damaged';
}

function imagesOn({ images }: ImageParts, chain: Digest): ImageRecord[] {
  return images.list().filter(({ layers }) => layers.some((layer) => layer.chain === chain));
}

/**
 * Makes a damaged layer anew from its blob. Where that is not here, or damaged too, the images that have the layer are set aside, so
 * that the kubelet pulls them again; their other layers stay for that.
 * @returns whether the layer is sound now.
 */
export async function mendLayer(parts: ImageParts, chain: Digest): Promise<boolean> {
  return (await mendOrSetAside(parts, chain)) === undefined;
}

/** @returns the images that were set aside; undefined where the layer is sound now. */
async function mendOrSetAside(parts: ImageParts, chain: Digest): Promise<readonly ImageRecord[] | undefined> {
  const { layers, images, log } = parts;
  const affected = imagesOn(parts, chain);
  // The files of an artifact are its blobs, by hard links: there is nothing to make them of.
  const unpacked = affected.filter(({ artifact }) => artifact === undefined);
  const own = unpacked.flatMap((image) => image.layers).filter((layer) => layer.chain === chain);
  for (const layer of own) {
    if (await remake(parts, layer)) {
      log.warn('damaged layer made anew from its blob', { layer: chain });
      return undefined;
    }
  }
  const setAside: ImageRecord[] = [];
  for (const image of affected) {
    const { id, names, artifact, layers: own } = image;
    // Its blobs are what the next pull makes it of, those that are here unseen.
    for (const { digest } of artifact === undefined ? [] : own)
      if ((await verifyBlob(parts, digest)) === 'damaged') await parts.blobs.remove(digest);
    log.error('image set aside: a layer of it is damaged; it is to be pulled or loaded again', { image: names[0] ?? id, layer: chain });
    if (await images.setAside(id)) setAside.push(image);
  }
  await layers.remove(chain);
  await images.collect();
  return setAside;
}

async function remake(parts: ImageParts, { chain, digest, diffId }: ImageLayer): Promise<boolean> {
  const { blobs, layers, log } = parts;
  const record = layers.get(chain);
  if (record === undefined || !blobs.has(digest)) return false;
  const staged = layers.newStaged();
  try {
    const fresh = await layers.disk.watched(async (disk) => {
      await layers.stage(staged);
      const unpacking = layers.unpack(staged, blobs.path(digest), { blobDigest: digest, diffId });
      unpacking.grown(blobs.sizeOf(digest), true);
      const made = await layers.complete(staged, record.parent, await unpacking.result, lowerOf(layers, record.parent));
      await disk.sync();
      return made;
    });
    await layers.replace(staged, fresh);
    return true;
  } catch (error) {
    await layers.discard(staged);
    log.warn('damaged layer cannot be made anew from its blob', { layer: chain, error: messageOf(error) });
    // What is no longer what its name says is of no use to anybody.
    if (kindOf(error) === 'FailedPrecondition' || kindOf(error) === 'InvalidArgument') await blobs.remove(digest);
    return false;
  }
}

function lowerOf(layers: LayerStore, parent: Digest | undefined): readonly string[] {
  return parent === undefined ? [] : layers.lowerDirs(parent);
}
