/** What all tests of a file share. */
import { atEnd } from './at-end.ts';

/**
 * Makes it when it is asked for first, and ends it after the last test. An `after` hook alone cannot end what a `before` hook
 * makes: where `--name` leaves no test of the file, node runs it before the other has ended.
 */
export function shared<T>(make: () => Promise<T>, end: (made: T) => Promise<void>): () => Promise<T> {
  let made: Promise<T> | undefined;
  atEnd(async () => {
    // What could not be made is told by the test that asked for it.
    const outcome = await made?.then((value) => ({ value })).catch(() => undefined);
    if (outcome !== undefined) await end(outcome.value);
  });
  return async () => (made ??= make());
}
