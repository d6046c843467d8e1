import { waitFor, withTimeout } from '../base/deadline.ts';
import { Slots } from '../base/slots.ts';
import { onThread } from '../linux/kernel-threads.ts';

/** How long a store may take to fetch what is read, milliseconds; what others read before it counts too. */
const READ_MS = 10_000;
/** Half of the kernel threads: while these hang in a store, the others are for all else. */
const slots = new Slots(() => 3);

/**
 * As readStartInRoot() of linux/files.ts, of a root file system whose layers may lie in an additional store, which fetches them while they are read and may hang.
 * @throws DeadlineExceeded where it takes too long; its thread stays where it is until the store answers.
 */
export async function readStartOutside(root: string, path: string, limitBytes: number): Promise<Uint8Array> {
  const time = withTimeout(undefined, READ_MS, `read ${path} of an image with layers of an additional store`);
  try {
    const release = await slots.acquire(time.signal);
    return await waitFor(onThread('readStartInRoot', { root, path, limitBytes }).finally(release), time.signal);
  } finally {
    time.clear();
  }
}
