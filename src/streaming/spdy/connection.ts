import type { Duplex } from 'node:stream';
import { finished } from 'node:stream';
import { DaemonError, messageOf } from '../../base/errors.ts';
import { FrameDecoder } from './decoder.ts';
import { dataHeader, goAway, GoAwayStatus, ping, rstStream, RstStatus, synReply, type Frame } from './frames.ts';
import { EmptyHeaderWriter, HeaderReader, type Headers } from './headers.ts';
import { SpdyStream, type StreamOwner } from './stream.ts';

/** Most streams open at one time; more are refused. */
const MOST_STREAMS = 4096;
/** Most bytes of replies that may wait for a peer that asks but does not read. */
const MOST_WAITING_REPLY_BYTES = 256 * 1024;
/** How long the peer may take to close after we did, milliseconds. */
const LINGER_MS = 10_000;
/** How often a peer that we do not read from is asked whether it is there, milliseconds. */
const WATCH_MS = 10_000;

export interface SpdyConnectionOptions {
  /** Most bytes one stream holds that nobody has read yet; then the peer must wait, all its streams with it. */
  readonly streamBufferBytes: number;
  /** Decides on a new stream: undefined takes it, a status refuses it. Once taken, the stream is replied to. */
  readonly accept: (headers: Headers, id: number) => RstStatus | undefined;
  /** A stream that was taken. */
  readonly opened: (stream: SpdyStream) => void;
  /** Something came or went; heartbeats are nothing. */
  readonly active: () => void;
  /** The connection is over, once; without an error where we or the peer ended it in good order. */
  readonly closed: (error: Error | undefined) => void;
  readonly watchMs?: number;
  readonly lingerMs?: number;
}

/**
 * The server's side of a SPDY/3.1 connection, over a socket or whatever else carries bytes. The peers (moby/spdystream)
 * know no flow control, so there is none: a full stream stops the reading of the whole connection, and writes go as
 * fast as the transport takes them.
 */
export class SpdyConnection implements StreamOwner {
  readonly #transport: Duplex;
  readonly #options: SpdyConnectionOptions;
  readonly #decoder = new FrameDecoder();
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new EmptyHeaderWriter();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #full = new Set<SpdyStream>();
  #frames: Frame[] = [];
  #working = false;
  #lastId = 0;
  #waitingReplyBytes = 0;
  #nextPing = 2;
  #watch: NodeJS.Timeout | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #error: Error | undefined;

  constructor(transport: Duplex, options: SpdyConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    transport.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    // A peer that half-closes the transport itself has left: streams have ends of their own.
    transport.on('end', () => {
      this.#over(undefined);
    });
    finished(transport, (error) => {
      this.#over(error ?? undefined);
    });
  }

  /** How many streams are open. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /**
   * Ends the connection once all that was written has left: says GOAWAY, half-closes, and drops what still comes until
   * the peer has closed too. Closing at once would let the kernel answer late input with a reset, which takes the tail
   * of our output away from the peer (RFC 1122, 4.2.2.13).
   */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#stopWork();
    this.#transport.write(goAway(this.#lastId, GoAwayStatus.Ok));
    this.#transport.end(() => {
      this.#linger();
    });
    this.#transport.resume();
  }

  /** Ends the connection at once; what has not left is lost. */
  destroy(error: Error): void {
    this.#error ??= error;
    this.#transport.destroy();
    this.#over(error);
  }

  sendData(stream: SpdyStream, data: Buffer, fin: boolean, done: (error?: Error | null) => void): void {
    if (this.#state !== 'open') {
      done(this.#error ?? new Error('the connection is closed'));
      return;
    }
    this.#options.active();
    // One write: over a WebSocket each is a message of its own.
    this.#transport.write(Buffer.concat([dataHeader(stream.id, data.length, fin), data]), (error) => {
      this.#options.active();
      done(error);
    });
  }

  sendReset(stream: SpdyStream, status: RstStatus): void {
    this.#reply(rstStream(stream.id, status));
  }

  setFull(stream: SpdyStream, full: boolean): void {
    if (full) this.#full.add(stream);
    else if (!this.#full.delete(stream)) return;
    this.#steer();
  }

  forget(stream: SpdyStream): void {
    if (this.#streams.get(stream.id) === stream) this.#streams.delete(stream.id);
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#frames.push(frame);
    } catch (error) {
      this.#violated(error);
      return;
    }
    if (!this.#working) void this.#work();
  }

  /** Handles the frames in their order. Inflating a header block takes a moment; meanwhile nothing more is read. */
  async #work(): Promise<void> {
    this.#working = true;
    try {
      let index = 0;
      for (; index < this.#frames.length; index += 1) {
        const frame = this.#frames[index];
        if (frame === undefined || this.#state !== 'open') break;
        if (frame.is !== 'Ping') this.#options.active();
        if ('headerBlock' in frame) {
          this.#steer();
          this.#handleHeaders(frame, await this.#headerReader.read(frame.headerBlock));
        } else {
          this.#handle(frame);
        }
      }
    } catch (error) {
      this.#violated(error);
    } finally {
      this.#frames = [];
      this.#working = false;
      this.#steer();
    }
  }

  #handleHeaders(frame: Frame & { readonly headerBlock: Buffer }, headers: Headers): void {
    if (this.#state !== 'open' || frame.is !== 'SynStream') return; // the other two have been inflated for the blocks to come
    const { streamId } = frame;
    if (streamId % 2 === 0 || streamId <= this.#lastId) {
      this.#reply(rstStream(streamId === 0 ? 1 : streamId, RstStatus.ProtocolError));
      return;
    }
    this.#lastId = streamId;
    const refusal = this.#streams.size >= MOST_STREAMS ? RstStatus.RefusedStream : this.#options.accept(headers, streamId);
    if (refusal !== undefined) {
      this.#reply(rstStream(streamId, refusal));
      return;
    }
    const stream = new SpdyStream(this, streamId, headers, this.#options.streamBufferBytes);
    this.#streams.set(streamId, stream);
    this.#reply(synReply(streamId, this.#headerWriter.next()));
    if (frame.fin) stream.receive(Buffer.alloc(0), true);
    this.#options.opened(stream);
  }

  #handle(frame: Exclude<Frame, { readonly headerBlock: Buffer }>): void {
    switch (frame.is) {
      case 'Data':
        if (frame.streamId > this.#lastId) this.#reply(rstStream(frame.streamId, RstStatus.InvalidStream));
        else this.#streams.get(frame.streamId)?.receive(frame.data, frame.fin);
        break;
      case 'RstStream':
        this.#streams.get(frame.streamId)?.receiveReset();
        break;
      case 'Ping':
        if (frame.id % 2 === 1) this.#reply(ping(frame.id)); // an even one answers ours
        break;
      case 'GoAway':
        // The peers send GOAWAY only to close, never to let open streams finish (moby/spdystream reads no further either).
        this.#over(undefined);
        break;
      case 'Settings':
      case 'WindowUpdate':
        break;
    }
  }

  /** Sends a control frame. A peer that asks for answers and never reads them is cut off. */
  #reply(frame: Buffer): void {
    if (this.#state !== 'open') return;
    this.#waitingReplyBytes += frame.length;
    if (this.#waitingReplyBytes > MOST_WAITING_REPLY_BYTES) {
      this.destroy(
        new DaemonError(
          'ResourceExhausted',
          `SPDY connection: more than ${MOST_WAITING_REPLY_BYTES} bytes of replies wait to be read by the client`,
        ),
      );
      return;
    }
    this.#transport.write(frame, () => {
      this.#waitingReplyBytes -= frame.length;
    });
  }

  /** Reads on, or not: while a block is inflated or a stream is full, the peer waits. */
  #steer(): void {
    if (this.#state !== 'open') return;
    const full = this.#full.size > 0;
    if (full || this.#working) this.#transport.pause();
    else this.#transport.resume();
    if (!full) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    } else {
      // A side that does not read learns only by writing that the peer has gone.
      this.#watch ??= setInterval(() => {
        this.#reply(ping(this.#nextPing));
        this.#nextPing = (this.#nextPing + 2) % 0x7ffffffe || 2;
      }, this.#options.watchMs ?? WATCH_MS).unref();
    }
  }

  #violated(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#transport.write(goAway(this.#lastId, GoAwayStatus.ProtocolError));
    this.#over(error instanceof Error ? error : new Error(messageOf(error)));
  }

  /** The end of it, from whatever side; the transport goes as soon as it has been flushed. */
  #over(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.#error ??= error;
    this.#stopWork();
    this.#headerReader.close();
    for (const stream of [...this.#streams.values()]) stream.breakOff(new DaemonError('Canceled', 'the client has gone', { cause: error }));
    if (wasOpen && !this.#transport.destroyed) {
      this.#transport.resume();
      this.#transport.end();
      this.#linger();
    }
    this.#options.closed(this.#error);
  }

  /** Waits for the peer to close, but not for ever. */
  #linger(): void {
    if (this.#transport.destroyed) return;
    const timer = setTimeout(() => this.#transport.destroy(), this.#options.lingerMs ?? LINGER_MS).unref();
    this.#transport.once('close', () => {
      clearTimeout(timer);
    });
  }

  #stopWork(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#full.clear();
    this.#frames = [];
  }
}
