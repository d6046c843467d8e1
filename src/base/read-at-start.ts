/** Reading records while nothing is served yet. */
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno } from './errors.ts';

/** How many files are read before the event loop has its turn. */
const READ_IN_A_TURN = 32;
let read = 0;

/**
 * What a file of records has; undefined where it is not there. Read at once: by libuv's pool it would be four trips, for some hundreds of
 * files a good part of a start. For the start alone, since a disk may be slow.
 * @throws the system error where it is there and cannot be read.
 */
export async function readAtStart(file: string): Promise<string | undefined> {
  read += 1;
  if (read % READ_IN_A_TURN === 0) await nextTurn();
  try {
    // eslint-disable-next-line no-restricted-syntax -- at the start alone, see above
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
