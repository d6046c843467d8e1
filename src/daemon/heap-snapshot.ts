import type { Readable } from 'node:stream';
import { getHeapSnapshot } from 'node:v8';
import { fail } from '../base/errors.ts';
import { timed } from '../base/timed.ts';

/** With more in use the loop would stand still for too long, and the snapshot take too much memory, bytes. */
const HEAP_LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * All objects of the heap, as DevTools reads it (.heapsnapshot). The loop stands still while it is taken, some 30 ms for each
 * megabyte, and as much memory again is in use until it is sent.
 * @throws {DaemonError} ResourceExhausted for a heap that is too large.
 */
export function takeHeapSnapshot(): Readable {
  const { heapUsed } = process.memoryUsage();
  if (heapUsed > HEAP_LIMIT_BYTES)
    return fail('ResourceExhausted', `debug heap: ${heapUsed} bytes are in use, must be ${HEAP_LIMIT_BYTES} or fewer`);
  return timed('heap snapshot', () => {
    const snapshot = getHeapSnapshot();
    snapshot.read(0); // it is put together at the first read, within this turn
    return snapshot;
  });
}
