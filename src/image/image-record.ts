import { Field, present } from '../base/field.ts';
import type { Digest, ImageId } from '../base/ids.ts';
import { readImageConfig } from './oci-types.ts';
import type { OciImageConfig } from './oci-types.ts';

/** The version of the records that this daemon writes. */
export const IMAGE_RECORD_VERSION = 1;

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
  readonly version: typeof IMAGE_RECORD_VERSION;
  /** The digest of its config; of an artifact, whose config is often empty, that of its manifest. */
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
  /** What it is where it is no container image, and how many files a mount of it shows. Its id is the digest of its manifest. */
  readonly artifact?: { readonly type: string; readonly files: number } | undefined;
  readonly configDigest: Digest;
  readonly manifestDigest: Digest;
  readonly manifestMediaType: string;
  /** Whether the kubelet must not remove it when space runs out. Comes from the configuration, not from the file. */
  readonly pinned: boolean;
  /** Of an image of an additional store: the store's directory, and its documents, which are no blobs of ours. Never in a file. */
  readonly store?: string | undefined;
  readonly documents?: { readonly manifest: string; readonly config: string } | undefined;
  /** Milliseconds since 1970. Where two files claim a name, the later one has it. */
  readonly updatedAtMs: number;
}

/** Names of both, each once. */
export function union(old: readonly string[], fresh: readonly string[]): string[] {
  return [...new Set([...old, ...fresh])];
}

/** The name of the file that a record is in. */
export function fileOf(id: ImageId): string {
  return `${id.slice('sha256:'.length)}.json`;
}

function readLayer(field: Field): ImageLayer {
  return {
    ...field.object(), // what another version may have added
    digest: field.at('digest').digest(),
    mediaType: field.at('mediaType').text(),
    sizeBytes: field.at('sizeBytes').count(),
    diffId: field.at('diffId').digest(),
    chain: field.at('chain').digest(),
  };
}

function readArtifact(field: Field | undefined): ImageRecord['artifact'] {
  return field && { type: field.at('type').text(), files: field.at('files').count() };
}

/** Reads what a record file holds. @throws InvalidArgument that names the field. */
export function readImageRecord(text: string): ImageRecord {
  const record = Field.parse(text, '');
  const layers = record.at('layers');
  const read: ImageRecord = {
    ...record.object(),
    version: record.at('version').oneOf([IMAGE_RECORD_VERSION]),
    id: record.at('id').digest() as string as ImageId,
    names: record.at('names').texts(),
    digests: record.at('digests').texts(),
    sizeBytes: record.at('sizeBytes').count(),
    chain: record.at('chain').digest(),
    layers: layers.list(readLayer),
    config: readImageConfig(record.at('config')),
    ...present({ artifact: readArtifact(record.at('artifact').given) }),
    configDigest: record.at('configDigest').digest(),
    manifestDigest: record.at('manifestDigest').digest(),
    manifestMediaType: record.at('manifestMediaType').text(),
    pinned: false,
    updatedAtMs: record.at('updatedAtMs').number(),
  };
  return read.layers.length > 0 || read.artifact !== undefined ? read : layers.refuse('a list of at least one layer');
}
