import type { FileHandle } from 'node:fs/promises';
import { DaemonError } from '../base/errors.ts';
import { showBytes } from '../linux/at-calls.ts';
import { BLOCK_BYTES } from '../storage/tar-header.ts';
import type { TarEntry } from '../storage/tar-header.ts';
import { TarReader } from '../storage/tar-reader.ts';

interface Member {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

const MAX_MEMBERS = 100_000;
/** Most bytes of all names together; the names of an image's parts have about 80 each. */
const MAX_NAME_BYTES = 16 * 1024 * 1024;
/** docker save makes links to layers of other images of the archive; more steps than this are a circle. */
const MAX_LINKS = 8;

/** Where the files of a tar are inside it, so that they can be read in any order. */
export class ArchiveIndex {
  readonly #file: FileHandle;
  readonly #members = new Map<string, Member>();
  readonly #links = new Map<string, string>();
  #nameBytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Reads all headers of the plain tar in `file`; its data is passed over. @throws InvalidArgument. */
  static async read(file: FileHandle, signal: AbortSignal): Promise<ArchiveIndex> {
    const index = new ArchiveIndex(file);
    const block = Buffer.alloc(BLOCK_BYTES);
    let position = 0;
    const reader = new TarReader({
      entry: (entry) => {
        index.#add(entry, position);
      },
      data: () => undefined,
      hole: () => undefined,
      endOfFile: () => undefined,
    });
    const { size } = await file.stat();
    while (!reader.hasEnded) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      reader.push(block.subarray(0, bytesRead));
      const skipped = reader.skipFile();
      position += skipped;
      if (position > size) throw new DaemonError('InvalidArgument', 'read image archive: unexpected end: it is truncated');
    }
    reader.end();
    return index;
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** Bytes of a file. @throws InvalidArgument where the archive has none of that name. */
  sizeOf(name: string): number {
    return this.#get(name).sizeBytes;
  }

  /** A whole file. @throws InvalidArgument where it is missing or bigger than the limit. */
  async read(name: string, limitBytes: number): Promise<Buffer> {
    const { offsetBytes, sizeBytes } = this.#get(name);
    if (sizeBytes > limitBytes)
      throw new DaemonError('InvalidArgument', `read image archive: ${name} has ${sizeBytes} bytes, must have at most ${limitBytes}`);
    const bytes = Buffer.alloc(sizeBytes);
    const { bytesRead } = await this.#file.read(bytes, 0, sizeBytes, offsetBytes);
    if (bytesRead !== sizeBytes) throw new DaemonError('InvalidArgument', `read image archive: ${name} is cut short`);
    return bytes;
  }

  /** A file's data from `startBytes` on, piece by piece. */
  async *stream(name: string, startBytes: number): AsyncGenerator<Buffer> {
    const { offsetBytes, sizeBytes } = this.#get(name);
    for (let at = startBytes; at < sizeBytes;) {
      const piece = Buffer.allocUnsafeSlow(Math.min(256 * 1024, sizeBytes - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, offsetBytes + at);
      if (bytesRead === 0) throw new DaemonError('InvalidArgument', `read image archive: ${name} is cut short`);
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  #add(entry: TarEntry, dataOffsetBytes: number): void {
    if (this.#members.size + this.#links.size >= MAX_MEMBERS) {
      throw new DaemonError('InvalidArgument', `read image archive: it has more than ${MAX_MEMBERS} members: this is no image archive`);
    }
    this.#nameBytes += entry.name.length + entry.linkName.length;
    if (this.#nameBytes > MAX_NAME_BYTES) {
      throw new DaemonError(
        'InvalidArgument',
        `read image archive: the names of its members have more than ${MAX_NAME_BYTES} bytes: this is no image archive`,
      );
    }
    const name = normalise(entry.name);
    if (entry.isSparse)
      throw new DaemonError('InvalidArgument', `read image archive: ${showBytes(entry.name)} is a sparse file, must be a plain one`);
    if (entry.type === 'file') this.#members.set(name, { offsetBytes: dataOffsetBytes, sizeBytes: entry.sizeBytes });
    else if (entry.type === 'hardlink') this.#links.set(name, normalise(entry.linkName));
    else if (entry.type === 'symlink') this.#links.set(name, normalise(`${name.slice(0, name.lastIndexOf('/') + 1)}${entry.linkName}`));
  }

  #find(name: string): Member | undefined {
    let at = normalise(name);
    for (let steps = 0; steps <= MAX_LINKS; steps += 1) {
      const member = this.#members.get(at);
      if (member !== undefined) return member;
      const next = this.#links.get(at);
      if (next === undefined) return undefined;
      at = next;
    }
    return undefined;
  }

  #get(name: string): Member {
    const member = this.#find(name);
    if (member === undefined) throw new DaemonError('InvalidArgument', `read image archive: it has no file ${name}`);
    return member;
  }
}

/** A member's name as text: without `.`, and with `..` taken away lexically. It is only ever looked up, never opened. */
function normalise(name: string): string {
  const parts: string[] = [];
  for (const part of Buffer.from(name, 'latin1').toString('utf8').split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
