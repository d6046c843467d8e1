/* eslint-disable no-restricted-syntax -- runs in the storage worker, where blocking is what it is for */
import { closeSync, openSync, readSync } from 'node:fs';
import { DaemonError } from '../base/errors.ts';
import { reasonOf } from '../base/deadline.ts';

const PIECE_BYTES = 256 * 1024;
/** Of a large file: each piece is handed from thread to thread, which takes its time where others want the processors, too. */
const LARGE_PIECE_BYTES = 1024 * 1024;
const LARGE_BYTES = 64 * 1024 * 1024;

/**
 * Reads a file of ours while another thread still writes it. `grownTo` and `complete` say what is there; a reader that is
 * ahead of the writer waits, and holds no thread meanwhile.
 */
export class FollowedFile {
  readonly #fd: number;
  readonly #buffer: Buffer;
  #available = 0;
  #isComplete = false;
  #position = 0;
  #wake: (() => void) | undefined;

  /** @param sizeBytes what it is going to have, as far as somebody said. */
  constructor(path: string, sizeBytes = 0) {
    this.#fd = openSync(path, 'r');
    this.#buffer = Buffer.allocUnsafeSlow(sizeBytes < LARGE_BYTES ? PIECE_BYTES : LARGE_PIECE_BYTES);
  }

  /** Most bytes of a piece. */
  get pieceBytes(): number {
    return this.#buffer.length;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  grownTo(sizeBytes: number): void {
    this.#available = Math.max(this.#available, sizeBytes);
    this.#wake?.();
  }

  complete(sizeBytes: number): void {
    this.#isComplete = true;
    this.grownTo(sizeBytes);
  }

  /** The next piece, valid until the next call; empty at the end. @throws the signal's reason. */
  async next(signal: AbortSignal): Promise<Buffer> {
    while (this.#position >= this.#available && !this.#isComplete) await this.#changed(signal);
    if (signal.aborted) throw reasonOf(signal);
    const wanted = Math.min(this.pieceBytes, this.#available - this.#position);
    if (wanted === 0) return this.#buffer.subarray(0, 0);
    const read = readSync(this.#fd, this.#buffer, 0, wanted, this.#position);
    if (read === 0) throw new DaemonError('Internal', `read layer: the file ends at ${this.#position} bytes, must have ${this.#available}`);
    this.#position += read;
    return this.#buffer.subarray(0, read);
  }

  /** Bytes from a position, once they are there; valid until the next call. @throws the signal's reason; Internal where the file ends before. */
  async readAt(position: number, sizeBytes: number, signal: AbortSignal): Promise<Buffer> {
    const end = position + sizeBytes;
    while (end > this.#available && !this.#isComplete) await this.#changed(signal);
    if (signal.aborted) throw reasonOf(signal);
    const buffer = sizeBytes <= this.pieceBytes ? this.#buffer.subarray(0, sizeBytes) : Buffer.allocUnsafe(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const read = end > this.#available ? 0 : readSync(this.#fd, buffer, done, sizeBytes - done, position + done);
      if (read === 0) throw new DaemonError('Internal', `read layer: the file ends before ${end} bytes`);
      done += read;
    }
    return buffer;
  }

  close(): void {
    closeSync(this.#fd);
  }

  async #changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw reasonOf(signal);
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        this.#wake = undefined;
        reject(reasonOf(signal));
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#wake = () => {
        this.#wake = undefined;
        signal.removeEventListener('abort', stop);
        resolve();
      };
    });
  }
}
