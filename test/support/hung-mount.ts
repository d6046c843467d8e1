import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const FIXTURE = join(import.meta.dirname, '../fixtures/hung-fuse.ts');

/** Why there can be no such mount here; false where there can. */
export const noFuse = existsSync('/dev/fuse') ? false : '/dev/fuse is missing';

/** How long the mount may take to be there, milliseconds. */
const MOUNT_MS = 30_000;

/** A mount that hangs whoever looks at it. This process must never do so: not even a stat. */
export class HungMount {
  readonly #directory: string;
  #child: ChildProcess | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(): Promise<void> {
    await mkdir(this.#directory);
    this.#child = spawn(process.execPath, [FIXTURE, this.#directory], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(this.#child.stdout!, 'data', { signal: AbortSignal.timeout(MOUNT_MS) });
  }

  /** Lets go of whoever hangs: what is asked of the mount, which stays, fails from now on. Also where it has not come. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  /** Lets go of whoever hangs, and takes the mount away. */
  async release(): Promise<void> {
    if (this.#child === undefined) return;
    await this.kill();
    await execa('umount', ['-l', this.#directory]).catch(() => undefined);
  }
}
