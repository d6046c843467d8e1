import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log.ts';
import type { Log } from '../../src/base/log.ts';
import type { ImageParts } from '../../src/image/assemble.ts';
import { ImageStore } from '../../src/image/store.ts';
import { BlobStore } from '../../src/storage/blobs.ts';
import { LayerStore } from '../../src/storage/layers.ts';
import { RootfsStore } from '../../src/storage/rootfs.ts';
import { StorageWorkers } from '../../src/storage/storage-workers.ts';

export interface ImageStorage extends ImageParts {
  readonly rootfs: RootfsStore;
  close(): Promise<void>;
}

/** The stores of images under a directory, started as the daemon starts them. */
export async function startImageStorage(
  directory: string,
  log: Log = silentLog,
  discardsBlobs: () => boolean = () => false,
): Promise<ImageStorage> {
  const workers = new StorageWorkers({ idleMs: 500 });
  const blobs = new BlobStore(join(directory, 'blobs'));
  const layers = new LayerStore(join(directory, 'layers'), workers, log);
  const rootfs = new RootfsStore(join(directory, 'rootfs'), layers, workers);
  const images = new ImageStore({ directory: join(directory, 'images'), blobs, layers, rootfs, log, discardsBlobs });
  await Promise.all([blobs.start(), layers.start(), rootfs.start()]);
  await images.start();
  return { images, blobs, layers, rootfs, log, reusesChunks: () => true, close: async () => workers.close() };
}

/** All there is of images under a directory, file by file without the layers' trees: what must be empty when nothing is left. */
export async function inventoryOf(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ['blobs/ingest', 'blobs/sha256', 'images', 'layers', 'layers/staging', 'layers/removing']) {
    for (const name of await readdir(join(directory, folder))) {
      if (!(folder === 'layers' && ['staging', 'removing', 'boot.json'].includes(name))) found.push(`${folder}/${name}`);
    }
  }
  return found.sort();
}
