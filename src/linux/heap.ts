import { bind } from './libc.ts';

const mallocTrim = bind<(pad: number) => number>('int malloc_trim(size_t pad)');

/**
 * Gives memory that the C library keeps for later back to the system: malloc_trim(3). After work with large buffers on
 * several threads that is tens of megabytes. Takes a few milliseconds.
 */
export function trimHeap(): void {
  mallocTrim(0);
}
