import type { Digest } from '../base/ids.ts';

export type LayerState = 'waiting' | 'fetching' | 'present' | 'unpacked';

/** How far one layer of an image being made is. It changes as the work goes on. */
export interface LayerProgress {
  /** Of the layer as it comes; undefined where the archive does not say. */
  readonly digest: Digest | undefined;
  /** Bytes to come; undefined where the archive does not say. */
  readonly sizeBytes: number | undefined;
  receivedBytes: number;
  state: LayerState;
}

/** How far an image being made is: a live object, to be read by whoever shows it. */
export interface ImageProgress {
  readonly what: string;
  readonly startedAtMs: number;
  step: 'resolving' | 'fetching' | 'syncing' | 'recording';
  layers: readonly LayerProgress[];
}
