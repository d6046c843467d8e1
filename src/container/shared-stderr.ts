import type { Socket } from 'node:net';
import { settledWithin } from '../base/deadline.ts';
import { ended } from '../linux/pipes.ts';

/** How long the last words of a runtime that failed are read, milliseconds. */
export const WORDS_MS = 1_000;
/** Most that is kept of what comes while the runtime runs, bytes. */
const LIMIT_BYTES = 1024 * 1024;
/** How long a pipe over the limit stays full before its writer is taken to be the runtime, milliseconds. */
const PATIENCE_MS = 2_000;

/**
 * The stderr that a runtime shares with the process it starts. It is read while the runtime runs, since a runtime that writes
 * more than a pipe holds would wait for ever. Nobody can tell whose words they are, so the reading stops at a limit, and the
 * process loses nothing. A runtime that has still not ended after a while is the writer that waits: reading goes on, and the end
 * of its words is kept.
 */
export class SharedStderr {
  readonly #socket: Socket;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #isOfRuntime = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    // Not by 'data': a socket that was flowing and was paused does not flow again for its next reader.
    socket.on('readable', this.#take);
  }

  /** Gives the socket to the next reader, with all that was read in front. To be called before anything else is awaited. */
  handOver(): void {
    this.stop();
    if (this.#size > 0) this.#socket.unshift(Buffer.concat(this.#chunks));
  }

  /** What a failed runtime has said. Something that it started may hold the pipe open, so this waits only for a while. */
  async words(): Promise<Buffer> {
    this.#isOfRuntime = true;
    this.#take();
    await settledWithin(ended(this.#socket), WORDS_MS);
    return Buffer.concat(this.#chunks);
  }

  /** Reads no more. Idempotent. */
  stop(): void {
    clearTimeout(this.#patience);
    this.#socket.off('readable', this.#take);
  }

  readonly #take = (): void => {
    while (this.#size < LIMIT_BYTES || this.#isOfRuntime) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk === null) return;
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      while (this.#isOfRuntime && this.#size - (this.#chunks[0]?.length ?? 0) >= LIMIT_BYTES)
        this.#size -= this.#chunks.shift()?.length ?? 0;
    }
    this.#patience ??= setTimeout(() => {
      this.#isOfRuntime = true;
      this.#take();
    }, PATIENCE_MS);
  };
}
