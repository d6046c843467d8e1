import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { remove } from 'fs-extra/esm';
import { findProgram } from './find-program.ts';

export const noSkopeo = (await findProgram('skopeo')) === undefined && 'skopeo is not in PATH (Debian package skopeo)';

/** An image store as skopeo and podman write it (containers-storage, driver overlay), shown read-only at `shown`. */
export class ContainersStorage {
  readonly #directory: string;
  /** Where it is read. */
  readonly shown: string;
  /** Where it is written. */
  readonly written: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.written = join(directory, 'written');
    this.shown = join(directory, 'shown');
  }

  static async make(): Promise<ContainersStorage> {
    const storage = new ContainersStorage(await mkdtemp(join(tmpdir(), 'pw-storage-')));
    for (const path of [storage.written, storage.shown]) await mkdir(path);
    return storage;
  }

  /** Copies an image of a registry without TLS into it, under a name. */
  async add(source: string, name: string): Promise<void> {
    const target = `containers-storage:[overlay@${this.written}+${join(this.#directory, 'run')}]${name}`;
    await execa('skopeo', ['--insecure-policy', 'copy', '--src-tls-verify=false', `docker://${source}`, target]);
    // It leaves its own directory mounted on itself.
    await execa('umount', [join(this.written, 'overlay')]).catch(() => undefined);
  }

  async show(): Promise<void> {
    await execa('mount', ['--bind', this.written, this.shown]);
    await execa('mount', ['-o', 'remount,bind,ro', this.shown]);
  }

  async hide(): Promise<void> {
    await execa('umount', ['-l', this.shown]);
  }

  async remove(): Promise<void> {
    for (const path of [this.shown, join(this.written, 'overlay')]) await execa('umount', ['-l', path]).catch(() => undefined);
    await remove(this.#directory);
  }
}
