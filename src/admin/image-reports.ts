import type { PullSnapshot } from '../base/pull-snapshot.ts';
import type { FailureReport, ImageReport } from './reports.ts';

/** One line of `GET /v1/pulls`: all pulls at first, then those that have changed or ended. */
export type PullsEvent =
  | { readonly event: 'pulls'; readonly pulls: readonly PullSnapshot[]; readonly leftOut: number }
  | { readonly event: 'pull' | 'ended'; readonly pull: PullSnapshot }
  | { readonly event: 'done' };

/** One line of the answer to an image pull. The last is `done` or `failed`. */
export type PullEvent =
  | { readonly event: 'progress'; readonly pull: PullSnapshot }
  | { readonly event: 'image'; readonly image: ImageReport }
  | { readonly event: 'done' }
  | ({ readonly event: 'failed' } & FailureReport);

export interface ImageUserReport {
  readonly containerId: string;
  readonly container: string;
  /** `namespace/name`; empty where its record is not there. */
  readonly pod: string;
}

/** All that is known of one image. */
export interface ImageDetailReport extends ImageReport {
  readonly digests: readonly string[];
  readonly pinned: boolean;
  readonly manifestDigest: string;
  readonly manifestMediaType: string;
  readonly configDigest: string;
  /** The directory of the additional store that it lies in. */
  readonly store?: string;
  /** The type of what is no container image. */
  readonly artifactType?: string;
  readonly updatedAt: string;
  /** Its config as it came; of a large one what is kept of it. */
  readonly config: unknown;
  /** Lowest first. */
  readonly layers: readonly {
    readonly digest: string;
    readonly diffId: string;
    readonly mediaType: string;
    /** As it came. */
    readonly sizeBytes: number;
    /** Unpacked, on the disk. */
    readonly unpackedBytes: number;
    readonly isBlobKept: boolean;
    /** Other images that have it. */
    readonly sharedWith: number;
  }[];
  readonly usedBy: readonly ImageUserReport[];
}

export interface PruneReport {
  readonly isDryRun: boolean;
  readonly removed: readonly ImageReport[];
  /** What they alone took, bytes. */
  readonly freedBytes: number;
  /** Those that could not be removed, in words. */
  readonly failures: readonly string[];
}
