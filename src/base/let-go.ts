import { isMarkedAsUntransferable } from 'node:worker_threads';

/**
 * Gives the memory of a used up buffer back at once. Left to the garbage collector, tens of megabytes of them pile up, as it does
 * not see their size, and then hold the event loop up. `piece` must be its reader's alone. A buffer that is handed on piece by piece
 * goes with the piece that reaches its last byte. The one that Node cuts small buffers from stays: it is marked.
 */
export function letGo({ buffer, byteOffset, length }: Uint8Array): void {
  if (byteOffset + length !== buffer.byteLength || !(buffer instanceof ArrayBuffer) || isMarkedAsUntransferable(buffer)) return;
  buffer.transfer(0);
}
