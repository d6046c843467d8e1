import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { reasonOf, sleep } from '../base/deadline.ts';
import { DaemonError, kindOf, messageOf } from '../base/errors.ts';
import { letGo } from '../base/let-go.ts';

export interface OpenedContent {
  readonly content: AsyncIterable<Uint8Array>;
  readonly offsetBytes: number;
  /** Whether it is the part that was asked for, and not the whole. */
  readonly isRange?: boolean;
  /** Whether its pieces are the reader's alone, who may let go of their memory. */
  readonly isHandedOver?: boolean;
}

/**
 * Opens content at an offset, up to an end where one is given. A source that can only start at 0 says so by the offset it
 * returns, one that knows no end gives all that follows.
 */
export type OpenContent = (offsetBytes: number, signal: AbortSignal, endBytes?: number) => Promise<OpenedContent>;

export interface ReceiveOptions {
  readonly what: string;
  /** Bytes the content must have; undefined where nobody said. */
  readonly sizeBytes?: number | undefined;
  readonly signal: AbortSignal;
  /** Told after every write how much is in the file. */
  readonly written: (sizeBytes: number) => void;
  /** Told what more of it is in the file, in any order; less than nothing where a part is given up. */
  readonly took?: ((bytes: number) => void) | undefined;
  /** Told when it is taken up again after a failure. */
  readonly retried?: ((error: unknown) => void) | undefined;
  /** How often a broken stream is taken up again where it broke, without progress in between. Default 0. */
  readonly retries?: number;
  /** Waits before that, at most until the signal aborts. Default {@link sleep}. */
  readonly pause?: Pause | undefined;
  /** Bytes that are in the file already. Default 0. */
  readonly startBytes?: number;
}

export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export const WRITE_BYTES = 256 * 1024;
export const RETRY_PAUSE_MS = 500;

/**
 * Writes content to an existing file while it comes in, holding no more than a write's worth of it. A stream that breaks is taken
 * up where it broke. @throws the source's error; InvalidArgument where it has more bytes than it should.
 */
export async function receive(path: string, source: OpenContent, options: ReceiveOptions): Promise<number> {
  const file = await open(path, 'r+');
  try {
    const writer = new FileWriter(file, options);
    for (let failures = 0; ;) {
      const before = writer.sizeBytes;
      try {
        await copy(source, writer, options);
        return writer.sizeBytes;
      } catch (error) {
        if (options.signal.aborted) throw reasonOf(options.signal);
        await writer.flush(); // what came is good, and the next stream starts after it
        failures = writer.sizeBytes > before ? 1 : failures + 1;
        if (failures > (options.retries ?? 0) || !mayPass(error)) throw error;
        options.retried?.(error);
        await (options.pause ?? sleep)(RETRY_PAUSE_MS * 2 ** (failures - 1), options.signal);
      }
    }
  } finally {
    await file.close();
  }
}

/** Whether the same request may succeed a little later. */
export function mayPass(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === 'RegistryUnavailable' || kind === 'Unavailable';
}

async function copy(source: OpenContent, writer: FileWriter, { what, sizeBytes, signal }: ReceiveOptions): Promise<void> {
  const start = writer.sizeBytes;
  const { content, offsetBytes, isHandedOver } = await source(start, signal);
  let skip = start - offsetBytes;
  if (skip < 0) throw new DaemonError('Internal', `${what}: the source starts at ${offsetBytes}, must start at ${start}`);
  for await (const piece of content) {
    if (signal.aborted) throw reasonOf(signal);
    const fresh = skip === 0 ? piece : piece.subarray(skip);
    skip -= piece.length - fresh.length;
    if (fresh.length > 0) await writer.write(fresh, isHandedOver === true);
  }
  await writer.flush();
  if (sizeBytes !== undefined && writer.sizeBytes < sizeBytes) {
    throw new DaemonError(
      'RegistryUnavailable',
      `RegistryUnavailable: ${what}: ended at ${writer.sizeBytes} bytes, must have ${sizeBytes}`,
    );
  }
}

class FileWriter {
  readonly #file: FileHandle;
  readonly #options: ReceiveOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #sizeBytes = 0;
  #areHandedOver = false;

  constructor(file: FileHandle, options: ReceiveOptions) {
    this.#file = file;
    this.#options = options;
    this.#sizeBytes = options.startBytes ?? 0;
  }

  /** Bytes in the file. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** @param isHandedOver whether the piece is of no use to anybody when it is written. */
  async write(piece: Uint8Array, isHandedOver: boolean): Promise<void> {
    this.#areHandedOver = isHandedOver;
    const { sizeBytes, what } = this.#options;
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    const total = this.#sizeBytes + this.#waitingBytes;
    if (sizeBytes !== undefined && total > sizeBytes)
      throw new DaemonError('FailedPrecondition', `${what}: more than the ${sizeBytes} bytes it must have`);
    if (this.#waitingBytes >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const pieces = this.#waiting;
    const expected = this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (expected === 0) return;
    let bytesWritten: number;
    try {
      ({ bytesWritten } = await this.#file.writev(pieces, this.#sizeBytes));
    } catch (error) {
      throw new DaemonError('ResourceExhausted', `${this.#options.what}: ${messageOf(error)}`, { cause: error });
    }
    this.#sizeBytes += bytesWritten;
    if (bytesWritten !== expected)
      throw new DaemonError('ResourceExhausted', `${this.#options.what}: only ${bytesWritten} of ${expected} bytes could be written`);
    if (this.#areHandedOver) pieces.forEach(letGo);
    this.#options.took?.(bytesWritten);
    this.#options.written(this.#sizeBytes);
  }
}
