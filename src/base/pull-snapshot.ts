import type { ErrorKind } from './errors.ts';

/** `present`: it was here. `unpacking`: all of it has come. */
export type LayerState = 'waiting' | 'fetching' | 'unpacking' | 'present' | 'unpacked' | 'failed';

/** Who waits for a pull: the CRI's client, for a pod where it said so, or somebody at the admin socket. */
export interface PullAsker {
  readonly by: 'cri' | 'admin';
  /** `namespace/name`. */
  readonly pod?: string;
}

/** Where bytes came from. */
export interface SourceSnapshot {
  readonly host: string;
  readonly isMirror: boolean;
  /** All that it has sent, also what was here already. */
  readonly bytes: number;
}

/** How far one layer is. Times are ISO 8601. */
export interface LayerSnapshot {
  readonly digest?: string;
  readonly state: LayerState;
  /** Of the layer as it is stored in the registry. */
  readonly sizeBytes?: number;
  /** To be fetched: less than its size where chunks of it are here; 0 of what is here. */
  readonly wantedBytes?: number;
  /** Of these, here. */
  readonly receivedBytes: number;
  /** Over the last seconds; when all is here, on average. */
  readonly bytesPerSecond: number;
  readonly isOfChunks: boolean;
  /** In the order in which they were first asked; the last one that sent something is `host`. */
  readonly sources: readonly SourceSnapshot[];
  readonly host?: string;
  readonly retries: number;
  /** Of the last retry, or of what it failed with. */
  readonly lastError?: string;
  readonly startedAt?: string;
  readonly receivedAt?: string;
  readonly endedAt?: string;
}

/** How far a pull is, or what became of it: plain JSON of bounded size, also of the admin socket. Times are ISO 8601. */
export interface PullSnapshot {
  /** Tells the pulls of one daemon apart. */
  readonly id: number;
  /** The name as it was asked for. */
  readonly image: string;
  readonly step: 'resolving' | 'fetching' | 'syncing' | 'recording';
  /** Who waits for it now, or did at the end. */
  readonly askers: readonly PullAsker[];
  readonly askersLeftOut: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  /** Of one that has ended. */
  readonly outcome?: 'OK' | ErrorKind;
  readonly error?: string;
  /** Of all layers. Undefined where a size is not known yet. */
  readonly wantedBytes?: number;
  readonly receivedBytes: number;
  /** All that registries and mirrors have sent of layers, also what was here already. */
  readonly transferredBytes: number;
  /** Over the last seconds; of one that has ended, on average. */
  readonly bytesPerSecond: number;
  /** Until all is received; undefined where it cannot be said. */
  readonly secondsLeft?: number;
  /** Of documents and layers. */
  readonly retries: number;
  /** Of documents, not of layers. */
  readonly host?: string;
  readonly lastError?: string;
  readonly layerCount: number;
  /** A hundred at most: those under way first, where there are more; else in the image's order, lowest first. */
  readonly layers: readonly LayerSnapshot[];
}
