import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unlessMissing } from './errors.ts';

/** Flushes a directory, so that what was made, renamed or removed in it survives a loss of power. fsync(2), NOTES. */
export async function syncDirectory(path: string): Promise<void> {
  await syncAndClose(await open(path, 'r'));
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
  const temporary = temporaryOf(path);
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

/**
 * As {@link writeFileAtomic}, but flushed beside the caller's work. When this returns, who comes after the death of this process sees the file;
 * when `flushed` resolves, also who comes after a loss of power: before that one may leave an empty file, and the old one is gone.
 */
export async function writeFileThenFlush(path: string, data: string | Uint8Array): Promise<{ readonly flushed: Promise<void> }> {
  const temporary = temporaryOf(path);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(data);
    await rename(temporary, path);
  } catch (error) {
    await handle?.close();
    await removeFile(temporary);
    throw error;
  }
  const flushed = Promise.all([syncAndClose(handle), syncDirectory(dirname(path))]).then(() => undefined);
  flushed.catch(() => undefined);
  return { flushed };
}

/** Nobody waits for the end of the file: what it could say, the flush has said. */
async function syncAndClose(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } finally {
    handle.close().catch(() => undefined);
  }
}

function temporaryOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.tmp`;
}

/** Makes a directory and its parents, and flushes the parent so that the entry survives a loss of power. */
export async function makeDirectoryDurable(path: string, mode = 0o700): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await syncDirectory(dirname(path));
}
