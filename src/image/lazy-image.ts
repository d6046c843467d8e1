import type { Digest, ImageId } from '../base/ids.ts';
import { isDigest } from '../base/ids.ts';
import { chainId } from '../storage/chain-id.ts';
import { findStoredLayers } from '../storage/layer-stores.ts';
import type { LayerRecord } from '../storage/layer-record.ts';
import type { ImageParts, NewImage } from './assemble.ts';
import type { ImageRecord } from './image-record.ts';
import { digestOf, readConfig } from './oci-types.ts';
import type { Descriptor } from './oci-types.ts';

/** How eStargz and zstd:chunked say the digest of a layer's table of contents: estargz.TOCJSONDigestAnnotation, c/storage chunked.ManifestChecksumKey. */
const TOC_ANNOTATIONS = ['containerd.io/snapshot/stargz/toc.digest', 'io.github.containers.zstd-chunked.manifest-checksum'] as const;

/**
 * Makes an image with those of its layers that additional layer stores have. What such a layer holds is bound to its table
 * of contents alone, as nobody has seen the whole of it: so its chain id is one of that digest and not of the diff id that the config
 * claims, and the image's id is not its config's. Else a pull of another image would take such layers for what they only claim to be.
 * @param make makes the image, with other ids where some of its layers are there.
 */
export async function withLazyLayers(
  parts: ImageParts,
  image: NewImage,
  signal: AbortSignal,
  make: (image: NewImage) => Promise<ImageRecord>,
): Promise<ImageRecord> {
  const tocs = (image.manifest?.document.layers ?? []).map(tocDigestOf);
  const manifest = image.manifest && digestOf(image.manifest.bytes);
  if (manifest === undefined || tocs.every((toc) => toc === undefined)) return await make(image);
  if (parts.images.own(digestOf(image.config) as string as ImageId) !== undefined) return await make(image); // whole, and checked
  const known = parts.images.list().find((each) => each.manifestDigest === manifest && parts.images.own(each.id) !== undefined);
  if (known !== undefined) return await make({ ...image, lazy: lazyIdsOf(known) });
  const layers = await findLayers(parts, image, manifest, tocs, signal);
  if (layers === undefined) return await make(image);
  const release = parts.images.retain(layers.map(({ chain }) => chain));
  try {
    for (const { outside, ...layer } of layers)
      if (outside !== undefined && !parts.layers.has(layer.chain)) await parts.layers.lazy.add({ ...layer, outside });
    const id = idOf(manifest, (layers.at(-1) as LayerRecord).chain);
    return await make({ ...image, lazy: { id, diffIds: layers.map(({ diffId }) => diffId) } });
  } catch (error) {
    release();
    await parts.images.collect();
    throw error;
  } finally {
    release();
  }
}

/** The layers of the image, lowest first, those with their place that a store has; undefined where none has one. */
async function findLayers(
  { layerStores, log }: ImageParts,
  image: NewImage,
  manifest: Digest,
  tocs: readonly (Digest | undefined)[],
  signal: AbortSignal,
): Promise<LayerRecord[] | undefined> {
  const stores = layerStores?.() ?? [];
  if (stores.length === 0) return undefined;
  const { diff_ids: diffIds } = readConfig(image.config, `${image.what}: config`).rootfs;
  const [repository] = image.repositories;
  if (repository === undefined || diffIds.length !== tocs.length) return undefined; // which is refused when it is made
  const wanted = tocs.flatMap((tocDigest, index) => (tocDigest === undefined ? [] : [{ tocDigest, diffId: diffIds[index] as Digest }]));
  const found = await findStoredLayers(stores, `${repository}@${manifest}`, wanted, log, signal);
  if (found.size === 0) return undefined;
  const layers: LayerRecord[] = [];
  for (const [index, claimed] of diffIds.entries()) {
    const toc = tocs[index];
    const outside = toc && found.get(toc);
    const diffId = outside === undefined ? claimed : digestOf(Buffer.from(`toc ${toc ?? ''}`));
    const parent = layers.at(-1)?.chain;
    const layer = { version: 1, chain: chainId(parent, diffId), diffId, sizeBytes: 0, inodes: 0, outside } as const;
    layers.push(parent === undefined ? layer : { ...layer, parent });
  }
  return layers;
}

function lazyIdsOf({ id, layers }: ImageRecord): NonNullable<NewImage['lazy']> {
  return { id, diffIds: layers.map(({ diffId }) => diffId) };
}

/** Undefined where it has none, or two that are not one. */
function tocDigestOf({ annotations }: Descriptor): Digest | undefined {
  const digests = new Set(TOC_ANNOTATIONS.flatMap((name) => annotations?.[name] ?? []));
  const [digest] = digests;
  return digests.size === 1 && typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

function idOf(manifest: Digest, chain: Digest): ImageId {
  return digestOf(Buffer.from(`lazy ${manifest} ${chain}`)) as string as ImageId;
}
