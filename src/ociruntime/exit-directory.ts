import { watch, type FSWatcher } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { isObjectId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { namesIn, removeSmallFile } from '../linux/memory-files.ts';

/** How a container's process ended. */
export interface ContainerExit {
  /** 0 to 255: the code, or 128 plus the signal's number. */
  readonly exitCode: number;
  /** Unix time, nanoseconds: when conmon wrote the exit file. */
  readonly finishedAtNs: bigint;
  /** Whether conmon saw an OOM kill in the container's cgroup. */
  readonly oomSeen: boolean;
}

/** How often the exit directory is read in full, milliseconds: Node reports no inotify overflow. */
const RESCAN_MS = 5_000;
/** More than an exit code takes in its file. */
const CODE_BYTES = 16;

/** Reads what conmon kept of a container's end. Undefined while there is no exit file, or an empty one (after a loss of power). */
export async function readExit(persistDirectory: string): Promise<ContainerExit | undefined> {
  const file = await unlessMissing(open(join(persistDirectory, 'exit')), undefined);
  if (file === undefined) return undefined;
  try {
    const [{ buffer, bytesRead }, { mtimeNs }, oom] = await Promise.all([
      file.read(Buffer.alloc(CODE_BYTES), 0, CODE_BYTES, 0),
      file.stat({ bigint: true }),
      unlessMissing(stat(join(persistDirectory, 'oom')), undefined),
    ]);
    const exitCode = Number.parseInt(buffer.toString('latin1', 0, bytesRead), 10);
    return Number.isNaN(exitCode) ? undefined : { exitCode, finishedAtNs: mtimeNs, oomSeen: oom !== undefined };
  } finally {
    await file.close();
  }
}

/** The file by which conmon tells of a container's end. */
export function exitFileOf(exitDirectory: string, containerId: string): string {
  return join(exitDirectory, containerId);
}

/** Removes the exit file, once the end is on record or the container is gone. Idempotent. */
export async function removeExitFile(exitDirectory: string, containerId: string): Promise<void> {
  await removeSmallFile(exitFileOf(exitDirectory, containerId));
}

/** Removes all that conmon may have left of a container there, also what it was writing when it was killed. Idempotent. */
export async function removeExitFiles(exitDirectory: string, containerId: string): Promise<void> {
  const names = await namesIn(exitDirectory);
  for (const name of names.filter((found) => found === containerId || found.startsWith(`${containerId}.`)))
    await removeSmallFile(join(exitDirectory, name));
}

/** Watches the directory where conmon writes one exit file per container, and names each container whose file is there. */
export class ExitDirectory {
  readonly #path: string;
  readonly #log: Log;
  readonly #onExit: (containerId: string) => void;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { path: string; log: Log; onExit: (containerId: string) => void }) {
    this.#path = options.path;
    this.#log = options.log;
    this.#onExit = options.onExit;
  }

  async start(): Promise<void> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    await this.#removeUnfinished();
    this.#watcher = watch(this.#path, (_event, name) => {
      if (name !== null && isObjectId(name)) this.#report(name);
    });
    this.#watcher.on('error', (error) => {
      this.#log.warn(`exit directory ${this.#path}: the watch failed (${messageOf(error)}); it is still read every ${RESCAN_MS / 1000} s`);
    });
    this.#timer = setInterval(() => void this.rescan(), RESCAN_MS);
    await this.rescan();
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#timer);
  }

  /** Reports every exit file that is there. */
  async rescan(): Promise<void> {
    try {
      for (const name of await namesIn(this.#path)) if (isObjectId(name)) this.#report(name);
    } catch (error) {
      this.#log.error(`exit directory ${this.#path}: cannot be read: ${messageOf(error)}`);
    }
  }

  /** conmon writes `ID.XXXXXX` and renames it; one that was killed in between leaves it behind. */
  async #removeUnfinished(): Promise<void> {
    for (const name of await namesIn(this.#path)) {
      if (/^[0-9a-f]{64}\../.test(name)) await removeSmallFile(join(this.#path, name));
    }
  }

  #report(containerId: string): void {
    this.#onExit(containerId);
  }
}
