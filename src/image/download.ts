import type { Slots, Release } from '../base/slots.ts';
import { receiveInRanges } from './receive-ranges.ts';
import { receive } from './receive.ts';
import type { OpenContent, ReceiveOptions } from './receive.ts';

export interface Downloads {
  readonly slots: Slots;
  /** Layers that are being received or unpacked. Taken before a slot of a download, so that downloads wait where the unpacking is behind. */
  readonly layers?: Slots | undefined;
  /** Layers of at least two ranges come in ranges of so many bytes; 0: none does. */
  readonly rangeBytes: number;
}

/** Receives a layer; a large one in ranges, where it is downloaded. */
export async function download(
  path: string,
  { open, sizeBytes }: { readonly open: OpenContent; readonly sizeBytes?: number | undefined },
  downloads: Downloads | undefined,
  slot: Release | undefined,
  options: ReceiveOptions,
): Promise<number> {
  if (downloads === undefined || slot === undefined || sizeBytes === undefined) return await receive(path, open, options);
  const { slots, rangeBytes } = downloads;
  if (rangeBytes === 0 || sizeBytes < 2 * rangeBytes) return await receive(path, open, options);
  return await receiveInRanges(path, open, { ...options, sizeBytes, rangeBytes, slots, slot });
}
