/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { lstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import * as at from '../../linux/at-calls.ts';
import { close } from '../../linux/libc.ts';
import { CHUNK_LIST, ChunkListReader } from './chunk-list.ts';

/** The tree of a layer, as in LayerStore. */
const TREE = 'fs';

/** Reads content of a finished layer's files. Keeps the last file open, as its chunks follow each other. */
export class LayerContent {
  readonly list: ChunkListReader;
  readonly #root: number;
  #file: { readonly pathPosition: number; readonly fd: number | undefined } | undefined;

  /** @throws ENOENT where the layer has no list, or is gone. */
  constructor(directory: string) {
    this.list = new ChunkListReader(join(directory, CHUNK_LIST));
    try {
      this.#root = at.openDirectory(join(directory, TREE));
    } catch (error) {
      this.list.close();
      throw error;
    }
  }

  /** Fills a buffer from a file, whose path is at a position of the list. Returns whether all of it is there. */
  read(pathPosition: number, offset: number, target: Buffer): boolean {
    let file = this.#file;
    if (file?.pathPosition !== pathPosition) {
      this.#leaveFile();
      file = { pathPosition, fd: this.#open(pathPosition) };
      this.#file = file;
    }
    const { fd } = file;
    if (fd === undefined) return false;
    for (let done = 0; done < target.length;) {
      const read = readSync(fd, target, done, target.length - done, offset + done);
      if (read === 0) return false;
      done += read;
    }
    return true;
  }

  close(): void {
    this.#leaveFile();
    close(this.#root);
    this.list.close();
  }

  #leaveFile(): void {
    if (this.#file?.fd !== undefined) close(this.#file.fd);
    this.#file = undefined;
  }

  /** Nothing but a regular file is opened: the list is made of what a registry has said, and a layer may have device nodes. */
  #open(pathPosition: number): number | undefined {
    const path = this.list.pathAt(pathPosition);
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    try {
      const parent = at.openDirectoryBeneath(this.#root, slash === -1 ? '' : path.slice(0, slash));
      try {
        const place = Buffer.concat([Buffer.from(`/proc/self/fd/${parent}/`), Buffer.from(name, 'latin1')]);
        return lstatSync(place, { throwIfNoEntry: false })?.isFile() === true ? at.openFileAt(parent, name) : undefined;
      } finally {
        close(parent);
      }
    } catch {
      return undefined;
    }
  }
}
