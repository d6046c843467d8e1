import { finished, type Duplex, type Readable, type Writable } from 'node:stream';
import { reasonOf } from '../base/deadline.ts';
import type { TerminalSize } from './backend.ts';
import { Resizes, ResizeDecoder } from './resizes.ts';
import { encodeStatus, type Outcome, type StatusFormat } from './status.ts';

/**
 * How long a terminal waits for its first size, milliseconds: clients send it at once, and a program that asks for the
 * size when it starts should find it.
 */
const FIRST_SIZE_WAIT_MS = 100;

/** What a session needs of the connection that carries its streams. */
export interface Carrier {
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
  /** Ends the connection in good order once all is sent; it is then gone within a bounded time. */
  close(): void;
}

/** The streams between a client and a command, each two-way for its transport and used one way. */
export interface Channels {
  readonly stdin?: Duplex | undefined;
  readonly stdout?: Duplex | undefined;
  readonly stderr?: Duplex | undefined;
  readonly error: Duplex;
  readonly resize?: Duplex | undefined;
}

/** The client's side of an exec or attach, the same over SPDY and WebSocket. */
export class RemoteStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resizes = new Resizes();
  readonly #channels: Channels;
  readonly #statusFormat: StatusFormat;
  readonly #carrier: Carrier;

  constructor(channels: Channels, statusFormat: StatusFormat, carrier: Carrier) {
    this.#channels = channels;
    this.#statusFormat = statusFormat;
    this.#carrier = carrier;
    this.stdin = channels.stdin;
    this.stdout = channels.stdout;
    this.stderr = channels.stderr;
    this.#followResizes(channels.resize);
  }

  /** The size a terminal begins with, where the client tells one at once. */
  async firstSize(): Promise<TerminalSize | undefined> {
    return this.#channels.resize === undefined ? undefined : await this.resizes.next(FIRST_SIZE_WAIT_MS);
  }

  /**
   * Ends the outputs, then tells the client how it ended, then closes, and waits until the connection is gone. Where
   * `signal` has aborted, its reason is what the client is told.
   */
  async finish(outcome: Outcome, signal: AbortSignal): Promise<void> {
    this.resizes.end();
    const told = signal.aborted ? { error: reasonOf(signal) } : outcome;
    await Promise.race([this.#tell(told), this.#carrier.closed]);
    this.#carrier.close();
    await this.#carrier.closed;
  }

  async #tell(outcome: Outcome): Promise<void> {
    const { stdin, stdout, stderr, error } = this.#channels;
    // Nobody reads the rest of stdin, and it must not hold up what else the client sends; its end tells Go clients to
    // stop copying.
    stdin?.end(() => stdin.destroy());
    await Promise.all([flushed(stdout), flushed(stderr)]);
    // Before the ends of the outputs: clients of the v1 protocol look for no status after them.
    const status = encodeStatus(outcome, this.#statusFormat);
    if (status !== undefined) error.write(status);
    await endOf(error);
    await Promise.all([endOf(stdout), endOf(stderr)]);
  }

  #followResizes(stream: Duplex | undefined): void {
    const decoder = new ResizeDecoder();
    stream?.on('data', (chunk: Buffer) => {
      for (const size of decoder.push(chunk)) this.resizes.push(size);
    });
  }
}

/** Waits until all that was written has left, or the stream is broken. */
async function flushed(stream: Writable | undefined): Promise<void> {
  if (stream === undefined || stream.writableLength === 0 || stream.writableEnded) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  stream.write(Buffer.alloc(0), () => {
    resolve(undefined);
  });
  await promise;
}

/** Ends a stream and waits until all of it has left, or the stream is broken. */
async function endOf(stream: Writable | undefined): Promise<void> {
  if (stream === undefined) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  finished(stream, { readable: false }, () => {
    resolve(undefined);
  });
  if (!stream.writableEnded) stream.end();
  await promise;
}
