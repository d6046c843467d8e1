import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { waitFor, withTimeout } from '../base/deadline.ts';
import { fail, hasErrno } from '../base/errors.ts';

const MAX_BYTES = 1024 * 1024;
const READ_TIMEOUT_MS = 5000;

export interface AuthFileText {
  readonly text: string;
  /** Whether users of the node that neither own it nor are of its group may read it. */
  readonly isForAll: boolean;
}

/** Reads an auth file; undefined where there is none. @throws the system error; InvalidArgument; DeadlineExceeded; the signal's reason. */
export async function readAuthFile(path: string, signal: AbortSignal): Promise<AuthFileText | undefined> {
  const deadline = withTimeout(signal, READ_TIMEOUT_MS, 'read');
  try {
    return await waitFor(read(path), deadline.signal);
  } finally {
    deadline.clear();
  }
}

async function read(path: string): Promise<AuthFileText | undefined> {
  let file: FileHandle;
  try {
    // Opening a FIFO would wait for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) fail('InvalidArgument', 'must be a file');
    if (stats.size > MAX_BYTES) fail('InvalidArgument', `must have at most ${MAX_BYTES} bytes, has ${stats.size}`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0);
    return { text: buffer.subarray(0, bytesRead).toString('utf8'), isForAll: (stats.mode & 0o004) !== 0 };
  } finally {
    await file.close();
  }
}
