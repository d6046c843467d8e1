import type { Duplex } from 'node:stream';
import { messageOf } from '../../base/errors.ts';
import { TtrpcClosedError, TtrpcOversizedError, TtrpcProtocolError } from './errors.ts';
import { FrameReader, writeFrame } from './frame.ts';
import type { Frame, FrameSink } from './frame.ts';

/** What happens on a {@link Channel}. */
export interface ChannelSink extends FrameSink {
  /** Once, and last: the channel has ended, by this side or by the other, for this reason. */
  ended(reason: Error): void;
}

/** Frames over a stream, and its one end. The stream is the channel's alone and is destroyed with it. */
export class Channel {
  readonly #stream: Duplex;
  readonly #reader: FrameReader;
  readonly #sink: ChannelSink;
  readonly #ended = Promise.withResolvers<undefined>();
  #reason: Error | undefined;

  constructor(stream: Duplex, sink: ChannelSink) {
    this.#stream = stream;
    this.#sink = sink;
    // What is left of the bytes in which the channel was closed counts no more.
    this.#reader = new FrameReader({
      frame: (frame) => {
        if (this.#reason === undefined) sink.frame(frame);
      },
      oversized: (header, error) => {
        if (this.#reason === undefined) sink.oversized(header, error);
      },
    });
    stream.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    stream.on('end', () => {
      this.close(new TtrpcClosedError(this.#reader.isMidFrame ? 'the peer has closed in the middle of a message' : 'the peer has closed'));
    });
    stream.on('error', (error) => {
      this.close(isOurs(error) ? error : new TtrpcClosedError(`the connection has failed: ${messageOf(error)}`, { cause: error }));
    });
    stream.on('close', () => {
      this.close(new TtrpcClosedError('the connection was closed'));
    });
    if (stream.destroyed) this.close(new TtrpcClosedError('the connection was closed before'));
  }

  /** Resolves when the channel has ended; {@link reason} then says why. */
  get closed(): Promise<void> {
    return this.#ended.promise;
  }

  get reason(): Error | undefined {
    return this.#reason;
  }

  /**
   * @returns false where the peer does not read what was sent before.
   * @throws {TtrpcOversizedError} of a message that no peer would take; nothing is sent.
   */
  send(frame: Frame, written?: () => void): boolean {
    return this.#reason !== undefined || writeFrame(this.#stream, frame, written);
  }

  /** Reads no more until the peer has read what was sent. */
  pauseUntilDrained(): void {
    if (this.#stream.isPaused()) return;
    this.#stream.pause();
    this.#stream.once('drain', () => {
      this.#stream.resume();
    });
  }

  close(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#stream.destroy(reason instanceof TtrpcProtocolError ? reason : undefined);
    this.#sink.ended(reason);
    this.#ended.resolve(undefined);
  }

  #read(chunk: Buffer): void {
    if (this.#reason !== undefined) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.close(error instanceof TtrpcProtocolError ? error : new TtrpcProtocolError(messageOf(error), { cause: error }));
    }
  }
}

function isOurs(error: unknown): error is Error {
  return error instanceof TtrpcProtocolError || error instanceof TtrpcClosedError || error instanceof TtrpcOversizedError;
}
