import type { ErrorKind } from '../base/errors.ts';
import type { FailureReport, ImageReport } from './reports.ts';

/** Who waits for a pull: a client of the CRI, for a pod (`namespace/name`) where it said so, or one of the admin socket. */
export interface PullAskerReport {
  readonly by: 'cri' | 'admin';
  readonly pod?: string;
}

/** How far one layer of a pull is. Times are ISO 8601. */
export interface PullLayerReport {
  readonly digest?: string;
  /** `unpacking`: all of it has come. `present`: it was here. */
  readonly state: 'waiting' | 'fetching' | 'unpacking' | 'present' | 'unpacked' | 'failed';
  readonly sizeBytes?: number;
  /** To be fetched: less than its size where chunks of it are here; 0 of what is here. */
  readonly wantedBytes?: number;
  /** Of these, here. */
  readonly receivedBytes: number;
  /** Over the last seconds; when all is here, on average. */
  readonly bytesPerSecond: number;
  readonly isOfChunks: boolean;
  /** What each host has sent, also what was here already. */
  readonly sources: readonly { readonly host: string; readonly isMirror: boolean; readonly bytes: number }[];
  /** That answered last. */
  readonly host?: string;
  readonly retries: number;
  readonly lastError?: string;
  readonly startedAt?: string;
  readonly receivedAt?: string;
  readonly endedAt?: string;
}

/** How far a pull is, or what it was. Times are ISO 8601. */
export interface PullReport {
  readonly id: number;
  readonly image: string;
  readonly step: 'resolving' | 'fetching' | 'syncing' | 'recording';
  readonly askers: readonly PullAskerReport[];
  readonly askersLeftOut: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  /** Of one that has ended. */
  readonly outcome?: 'OK' | ErrorKind;
  readonly error?: string;
  readonly wantedBytes?: number;
  readonly receivedBytes: number;
  readonly transferredBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft?: number;
  readonly retries: number;
  readonly host?: string;
  readonly lastError?: string;
  /** `layers` has a hundred of them at most, those under way first. */
  readonly layerCount: number;
  readonly layers: readonly PullLayerReport[];
}

/** One line of `GET /v1/pulls`: all pulls at first, then those that have changed or ended. */
export type PullsEvent =
  | { readonly event: 'pulls'; readonly pulls: readonly PullReport[]; readonly leftOut: number }
  | { readonly event: 'pull' | 'ended'; readonly pull: PullReport }
  | { readonly event: 'done' };

/** One line of the answer to an image pull. The last is `done` or `failed`. */
export type PullEvent =
  | { readonly event: 'progress'; readonly pull: PullReport }
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
