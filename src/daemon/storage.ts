import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { LiveConfig } from '../config/live-config.ts';
import type { ImageParts } from '../image/assemble.ts';
import { ImageStore } from '../image/store.ts';
import type { DiskUsage } from '../imageservice/parts.ts';
import { BlobStore } from '../storage/blobs.ts';
import { LayerStore } from '../storage/layers.ts';
import { RootfsStore } from '../storage/rootfs.ts';
import { StorageWorkers } from '../storage/storage-workers.ts';

/** What is kept of images and containers' files: blobs, layers, writable layers, image records. */
export interface Storage {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly workers: StorageWorkers;
  readonly rootfs: RootfsStore;
  readonly rootfsDirectory: string;
  readonly images: ImageStore;
  readonly imageParts: ImageParts;
  start(): Promise<void>;
  close(): Promise<void>;
  usage(): Promise<{ readonly images: DiskUsage; readonly containers: DiskUsage }>;
}

export function openStorage(config: LiveConfig, log: Log): Storage {
  const { root } = config.current;
  const workers = new StorageWorkers();
  const imageDirectory = join(root, 'storage');
  const rootfsDirectory = join(imageDirectory, 'rootfs');
  const blobs = new BlobStore(join(imageDirectory, 'blobs'));
  const layers = new LayerStore(join(imageDirectory, 'layers'), workers, log);
  const rootfs = new RootfsStore(rootfsDirectory, layers, workers);
  const images = new ImageStore({ directory: join(imageDirectory, 'images'), blobs, layers, rootfs, log });
  return {
    blobs,
    layers,
    workers,
    rootfs,
    rootfsDirectory,
    images,
    imageParts: { images, blobs, layers, log },
    start: async () => {
      await Promise.all([blobs.start(), layers.start(), rootfs.start()]);
      images.setPinned(config.current.image.pinned);
      await images.start();
    },
    close: async () => workers.close(),
    usage: async () => {
      const content = layers.usage();
      const written = await rootfs.totalUsage();
      return {
        images: { mountpoint: imageDirectory, usedBytes: content.usedBytes + blobs.usedBytes, inodesUsed: content.inodesUsed + blobs.list().length },
        containers: { mountpoint: rootfsDirectory, ...written },
      };
    },
  };
}
