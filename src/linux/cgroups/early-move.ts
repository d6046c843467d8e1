import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Hierarchy } from './hierarchies.ts';

/** Most that /proc/self/cgroup takes, bytes: a dozen lines with a path each. */
const TEXT_BYTES = 16 * 1024;
/** So soon after a move the next one does not wait, milliseconds: the kernel needs another grace period to forget it. */
const FRESH_MS = 4;

/**
 * Has the wait of the next move between cgroups begin now. A process that is moved waits for a grace period of RCU, 10 to 20 ms, where none
 * was moved just before (Linux, kernel/cgroup/cgroup.c: `cgroup_threadgroup_rwsem`, a per-CPU semaphore whose writers wait so), and a
 * runtime on cgroup v1 moves what it starts, after it has worked for some milliseconds by itself. So this process is moved, to where it is.
 */
export class EarlyMove {
  readonly #tree: Hierarchy;
  readonly #log: Log;
  readonly #buffer = Buffer.alloc(TEXT_BYTES);
  #own: FileHandle | undefined;
  #processes: { readonly path: string; readonly file: FileHandle } | undefined;
  #isBusy = false;
  #endedMs = -Infinity;

  /** @param tree of cgroup v1 */
  constructor(tree: Hierarchy, log: Log) {
    this.#tree = tree;
    this.#log = log;
  }

  /** Waits for nothing. Where it cannot be done, the move that follows waits as it would have. */
  begin(): void {
    if (this.#isBusy || performance.now() - this.#endedMs < FRESH_MS) return;
    this.#isBusy = true;
    this.#move().then(
      () => {
        this.#isBusy = false;
        this.#endedMs = performance.now();
      },
      (error: unknown) => {
        this.#log.debug('moves between cgroups are not begun early any more', { error: messageOf(error) });
      },
    );
  }

  async #move(): Promise<void> {
    this.#own ??= await open('/proc/self/cgroup');
    // Somebody may have moved this process since the last time.
    const { bytesRead } = await this.#own.read(this.#buffer, 0, TEXT_BYTES, 0);
    const path = ownPath(this.#buffer.toString('utf8', 0, bytesRead), this.#tree);
    if (this.#processes?.path !== path) {
      await this.#processes?.file.close();
      this.#processes = { path, file: await open(join(this.#tree.directory, path, 'cgroup.procs'), 'w') };
    }
    await this.#processes.file.write(String(process.pid), 0);
  }
}

/** proc_pid_cgroup(5): `ID:CONTROLLERS:PATH`. @throws where the tree has no line. */
function ownPath(text: string, { controllers }: Hierarchy): string {
  for (const line of text.split('\n')) {
    const [, names = '', ...path] = line.split(':');
    if (controllers.some((controller) => names.split(',').includes(controller))) return path.join(':');
  }
  throw new Error(`no cgroup of ${controllers.join()}`);
}
