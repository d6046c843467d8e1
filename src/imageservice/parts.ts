import type { ImagePuller } from '../image/pull.ts';
import type { ImageStore } from '../image/store.ts';

/** What the RPCs of the ImageService work with. */
export interface ImageServiceParts {
  readonly images: ImageStore;
  readonly puller: ImagePuller;
  /** What image content and containers' writable layers take. */
  readonly usage: () => Promise<{ readonly images: DiskUsage; readonly containers: DiskUsage }>;
}

export interface DiskUsage {
  /** A directory of the file system, as the host sees it. */
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}
