import { watch } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unlessMissing } from '../base/errors.ts';
import { CliError, EXIT } from './exit-codes.ts';

const BLOCK_BYTES = 64 * 1024;
/** How long a change of the log may go unseen where the kernel tells of none, milliseconds. */
const LOOK_AGAIN_MS = 1000;
const OPEN_ATTEMPTS = 60;

export interface LogReader {
  /** The next bytes of a file, which stand at this position. */
  read(chunk: Buffer, position: number): Promise<void>;
  /** What follows is another file, from its start. */
  nextFile(): void;
  /** Files between the last and the next are gone: what was in them is missing. */
  missed(): void;
}

/** Reads a file from `position` to its end. @returns where that is */
export async function readToEnd(file: FileHandle, position: number, reader: Pick<LogReader, 'read'>): Promise<number> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let at = position; ;) {
    const { bytesRead } = await file.read(block, 0, block.length, at);
    if (bytesRead === 0) return at;
    await reader.read(block.subarray(0, bytesRead), at);
    at += bytesRead;
  }
}

/**
 * Reads a log that grows, through its rotations: the file is known by its inode, and what was renamed is read to its end before the
 * file that has taken its name.
 * @param isOver asked now and then, when all that is there has been read: whether nothing more will come
 */
export async function followLog(
  path: string,
  opened: FileHandle,
  from: number,
  isOver: () => Promise<boolean>,
  reader: LogReader,
): Promise<void> {
  const changes = new Changes(dirname(path));
  let file = opened;
  let position = from;
  let last = false;
  try {
    for (;;) {
      position = await readToEnd(file, position, reader);
      const own = await file.stat();
      const present = await unlessMissing(stat(path), undefined);
      if (present !== undefined && (present.ino !== own.ino || present.dev !== own.dev)) {
        await readToEnd(file, position, reader); // what came before the file was opened again
        file = await nextFile(path, file, own.ino, reader);
        position = 0;
      } else if (own.size < position) {
        position = 0; // it was emptied
        reader.nextFile();
      } else if (last) {
        return;
      } else {
        last = await isOver();
        if (!last) await changes.next();
      }
    }
  } finally {
    changes.close();
    await file.close();
  }
}

/** Closes a file that was rotated away, reads those that were rotated after it, and opens the one that is written now. */
async function nextFile(path: string, file: FileHandle, inode: number, reader: LogReader): Promise<FileHandle> {
  const between = await rotatedAfter(path, inode);
  await file.close();
  if (between === undefined) reader.missed();
  for (const name of between ?? []) {
    const rotated = await open(name).catch(() => undefined);
    if (rotated === undefined) continue;
    reader.nextFile();
    try {
      await readToEnd(rotated, 0, reader);
    } finally {
      await rotated.close();
    }
  }
  reader.nextFile();
  return openNew(path);
}

/** It may be renamed again before it is opened. */
async function openNew(path: string): Promise<FileHandle> {
  for (let attempt = 1; ; attempt += 1) {
    const file = await unlessMissing(open(path), undefined);
    if (file !== undefined) return file;
    if (attempt === OPEN_ATTEMPTS) throw new CliError(EXIT.failed, `logs: ${path} was rotated and is not there again`);
    await sleep(LOOK_AGAIN_MS);
  }
}

/** The rotated files (`PATH.TIME`) behind that with this inode, oldest first; undefined where that one is no longer there. */
async function rotatedAfter(path: string, inode: number): Promise<string[] | undefined> {
  const prefix = `${basename(path)}.`;
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix) && !name.endsWith('.gz') && !name.endsWith('.tmp'));
  const paths = names.sort().map((name) => join(dirname(path), name));
  const inodes = await Promise.all(paths.map(async (each) => unlessMissing(stat(each), undefined)));
  const own = inodes.findIndex((each) => each?.ino === inode);
  return own < 0 ? undefined : paths.slice(own + 1);
}

/** Tells that something in a directory has changed, or may have. */
class Changes {
  readonly #watcher: ReturnType<typeof watch> | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(directory: string) {
    try {
      this.#watcher = watch(directory, { persistent: false }, () => {
        this.#changed = true;
        this.#wake?.();
      });
      this.#watcher.on('error', () => undefined); // then time alone tells
    } catch {
      this.#watcher = undefined;
    }
  }

  async next(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_AGAIN_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#changed = false;
    this.#wake = undefined;
  }

  close(): void {
    this.#watcher?.close();
  }
}
