import { Field, present } from '../base/field.ts';
import type { Digest } from '../base/ids.ts';
import type { OutsideTree } from './outside-tree.ts';

/** The version of the records that this daemon writes. */
export const LAYER_RECORD_VERSION = 1;

/** A finished layer, as its directory's layer.json says. */
export interface LayerRecord {
  readonly version: typeof LAYER_RECORD_VERSION;
  /** Of this layer on its parents: OCI image spec, config.md, Layer ChainID. */
  readonly chain: Digest;
  readonly diffId: Digest;
  readonly parent?: Digest;
  /** What it takes on disk, bytes. */
  readonly sizeBytes: number;
  readonly inodes: number;
  /** Over its tree as it was made, of tree-digest.ts. */
  readonly tree?: Digest | undefined;
  /** The boot of the node in which it was made. */
  readonly boot?: string | undefined;
  /** Whether the list of its chunks is beside it: it came as zstd:chunked. */
  readonly hasChunks?: boolean | undefined;
  /** Its tree where that lies elsewhere, read-only: it is not ours to remove, to repair or to count. */
  readonly outside?: OutsideTree | undefined;
}

/** Reads a layer's record. @throws InvalidArgument that names the field. */
export function readLayerRecord(text: string): LayerRecord {
  const record = Field.parse(text, '');
  return {
    version: record.at('version').oneOf([LAYER_RECORD_VERSION]),
    chain: record.at('chain').digest(),
    diffId: record.at('diffId').digest(),
    ...present({ parent: record.at('parent').given?.digest() }),
    sizeBytes: record.at('sizeBytes').number(),
    inodes: record.at('inodes').number(),
    ...present({ tree: record.at('tree').given?.digest(), boot: record.at('boot').given?.text() }),
    ...present({ hasChunks: record.at('hasChunks').given?.flag() }),
  };
}
