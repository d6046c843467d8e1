import type { FilesystemUsage, Init } from '../../api/cri/runtime.ts';
import { nowNs } from '../base/time.ts';
import type { ImageServiceHandlers } from './handlers.ts';
import type { DiskUsage, ImageServiceParts } from './parts.ts';

/** What images and writable layers take; the kubelet finds the file systems by their mount points. */
export function imageFsInfo(parts: Pick<ImageServiceParts, 'usage'>): ImageServiceHandlers['imageFsInfo'] {
  return async () => {
    const { images, containers } = await parts.usage();
    return { imageFilesystems: [usageMessage(images)], containerFilesystems: [usageMessage(containers)] };
  };
}

function usageMessage(usage: DiskUsage): Init<FilesystemUsage> {
  return {
    timestamp: nowNs(),
    fsId: { mountpoint: usage.mountpoint },
    usedBytes: { value: BigInt(usage.usedBytes) },
    inodesUsed: { value: BigInt(usage.inodesUsed) },
  };
}
