import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unlessMissing } from './errors.ts';

/** Flushes a directory, so that what was made, renamed or removed in it survives a loss of power. fsync(2), NOTES. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Flushes a file's content. fsync(2). */
export async function syncFile(path: string): Promise<void> {
  await syncDirectory(path);
}

/** Removes a file, which may be gone. It is one call of the file system; `rm` of Node looks at the file before. */
export async function removeFile(path: string): Promise<void> {
  await unlessMissing(unlink(path), undefined);
}

export interface AtomicWriteOptions {
  /** Whether the file must survive a loss of power, not only the death of this process. Default true. */
  readonly durable?: boolean;
  readonly mode?: number;
}

/**
 * Replaces `path` as a whole: readers, and a daemon that starts after a crash, see the old file or the new one.
 * @throws the system error of the step that failed; the old file is then still in place.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, options: AtomicWriteOptions = {}): Promise<void> {
  const { durable = true, mode = 0o600 } = options;
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(data);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    if (durable) await syncDirectory(dirname(path));
  } catch (error) {
    await removeFile(temporary);
    throw error;
  }
}

/** Makes a directory and its parents, and flushes the parent so that the entry survives a loss of power. */
export async function makeDirectoryDurable(path: string, mode = 0o700): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await syncDirectory(dirname(path));
}
