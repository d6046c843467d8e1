import { isDigest } from '../base/ids.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import { usedConfig } from './oci-types.ts';
import type { OciImageConfig } from './oci-types.ts';

export interface ImageLayer {
  /** Of the layer as it came. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the layer as it came. */
  readonly sizeBytes: number;
  readonly diffId: Digest;
  /** Key of the unpacked layer in storage/layers.ts. */
  readonly chain: Digest;
}

/** An image of this node, as its file says. */
export interface ImageRecord {
  readonly version: 1;
  /** The digest of its config. */
  readonly id: ImageId;
  /** `docker.io/library/busybox:latest`; each name belongs to one image. */
  readonly names: readonly string[];
  /** `docker.io/library/busybox@sha256:...`, of the manifest or the index it was found by. */
  readonly digests: readonly string[];
  /** What removing it alone would free, bytes: unpacked layers, and the blobs that are kept. */
  readonly sizeBytes: number;
  /** Its top layer, with all below it. */
  readonly chain: Digest;
  /** Lowest first. */
  readonly layers: readonly ImageLayer[];
  readonly config: OciImageConfig;
  readonly configDigest: Digest;
  readonly manifestDigest: Digest;
  readonly manifestMediaType: string;
  /** Whether the kubelet must not remove it when space runs out. Comes from the configuration, not from the file. */
  readonly pinned: boolean;
  /** Milliseconds since 1970. Where two files claim a name, the later one has it. */
  readonly updatedAtMs: number;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function isLayer(value: unknown): value is ImageLayer {
  const layer = value as Partial<ImageLayer> | null;
  return (
    typeof layer === 'object' &&
    layer !== null &&
    [layer.digest, layer.diffId, layer.chain].every((digest) => digest !== undefined && isDigest(digest)) &&
    typeof layer.sizeBytes === 'number' &&
    typeof layer.mediaType === 'string'
  );
}

/** Checks what a record file holds. @throws Error with the reason. */
export function checkRecord(value: unknown): ImageRecord {
  const record = value as Partial<ImageRecord> | null;
  if (typeof record !== 'object' || record === null) throw new Error('it is no record');
  if (record.version !== 1) throw new Error(`its version is ${String(record.version)}, must be 1`);
  const { id, chain, configDigest, manifestDigest, layers, config } = record;
  if (![id, chain, configDigest, manifestDigest].every((digest) => typeof digest === 'string' && isDigest(digest)))
    throw new Error('a digest of it is missing');
  if (!isTexts(record.names) || !isTexts(record.digests)) throw new Error('its names are missing');
  if (!Array.isArray(layers) || layers.length === 0 || !layers.every(isLayer)) throw new Error('its layers are missing');
  if (typeof config !== 'object') throw new Error('its config is missing');
  if (typeof record.sizeBytes !== 'number' || typeof record.updatedAtMs !== 'number') throw new Error('its size or time is missing');
  return { ...(record as ImageRecord), config: usedConfig({ ...config }) };
}
