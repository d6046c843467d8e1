/**
 * The frames of ttrpc (containerd/ttrpc: PROTOCOL.md): ten bytes of header (length, stream, type, flags; numbers big-endian), then the
 * message.
 */
import type { Writable } from 'node:stream';
import { TtrpcOversizedError, TtrpcProtocolError } from './errors.ts';

const HEADER_BYTES = 10;
/** Most that a message may have. PROTOCOL.md, "Message Frame". */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Of a longer one the first byte of the header is not zero, which the protocol keeps for later: it is no frame of today. */
const MAX_SKIPPED_BYTES = 2 ** 24 - 1;
/**
 * A frame is written as Go's peer writes it, through a buffer of this size: as much as fits, then all the rest at once. NRI's multiplexer
 * keeps these borders, and its other end depends on them: it reads each piece whole, the first of a frame into a buffer of this size
 * (nri: pkg/net/multiplex/mux.go conn.Read), and it holds no more than 256 pieces.
 */
const FIRST_PIECE_BYTES = 4096;
const FIRST_ALLOCATION_BYTES = 4096;

export const MessageType = { Request: 1, Response: 2, Data: 3 } as const;

interface FrameHeader {
  /** Odd: the client began it. */
  readonly streamId: number;
  /** One of {@link MessageType}, or of a later version. */
  readonly type: number;
}

export interface Frame extends FrameHeader {
  readonly payload: Uint8Array;
}

/** What comes out of a {@link FrameReader}. */
export interface FrameSink {
  frame(frame: Frame): void;
  /** A message was over {@link MAX_MESSAGE_BYTES}; its bytes are skipped. */
  oversized(header: FrameHeader, error: TtrpcOversizedError): void;
}

/** Finds the frames in a stream of bytes, however it is cut. It holds no more than twice of what has come of one message. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Of the frame whose header is there. */
  #length = 0;
  #payload = Buffer.alloc(0);
  #payloadBytes = 0;
  #skip = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Whether a frame has begun and not ended. */
  get isMidFrame(): boolean {
    return this.#headerBytes > 0 || this.#skip > 0;
  }

  /** @throws {TtrpcProtocolError} where the bytes are no frames. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#headerBytes < HEADER_BYTES) {
        at = this.#takeHeader(chunk, at);
      } else {
        at = this.#takePayload(chunk, at);
      }
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end);
    if (this.#headerBytes < HEADER_BYTES) return end;
    this.#length = this.#header.readUInt32BE(0);
    if (this.#length > MAX_SKIPPED_BYTES)
      throw new TtrpcProtocolError(`a message of ${this.#length} bytes is announced: this is not ttrpc`);
    if (this.#length > MAX_MESSAGE_BYTES) {
      this.#skip = this.#length;
      this.#headerBytes = 0;
      this.#sink.oversized(this.#headerFields(), new TtrpcOversizedError(this.#length, MAX_MESSAGE_BYTES));
    } else if (this.#length === 0) this.#complete(Buffer.alloc(0));
    return end;
  }

  #takePayload(chunk: Buffer, at: number): number {
    const missing = this.#length - this.#payloadBytes;
    const end = Math.min(chunk.length, at + missing);
    if (this.#payloadBytes === 0 && end - at === missing) {
      this.#complete(chunk.subarray(at, end));
      return end;
    }
    this.#makeRoom(this.#payloadBytes + end - at);
    this.#payloadBytes += chunk.copy(this.#payload, this.#payloadBytes, at, end);
    if (this.#payloadBytes === this.#length) this.#complete(this.#payload.subarray(0, this.#length));
    return end;
  }

  /** A header's word alone gets no memory: what is there at most doubles. */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#payload.length) return;
    const larger = Buffer.allocUnsafe(Math.min(this.#length, Math.max(2 * bytes, FIRST_ALLOCATION_BYTES)));
    this.#payload.copy(larger, 0, 0, this.#payloadBytes);
    this.#payload = larger;
  }

  #complete(payload: Buffer): void {
    this.#headerBytes = 0;
    this.#payload = Buffer.alloc(0);
    this.#payloadBytes = 0;
    this.#sink.frame({ ...this.#headerFields(), payload });
  }

  #headerFields(): FrameHeader {
    return { streamId: this.#header.readUInt32BE(4), type: this.#header.readUInt8(8) };
  }
}

/**
 * Writes a frame; `written` is called when the system has it.
 * @returns false where the stream has enough for now.
 * @throws {TtrpcOversizedError} of a message that no peer would take; nothing is written.
 */
export function writeFrame(stream: Writable, { streamId, type, payload }: Frame, written?: () => void): boolean {
  if (payload.length > MAX_MESSAGE_BYTES) throw new TtrpcOversizedError(payload.length, MAX_MESSAGE_BYTES);
  const first = Buffer.allocUnsafe(Math.min(FIRST_PIECE_BYTES, HEADER_BYTES + payload.length));
  first.writeUInt32BE(payload.length, 0);
  first.writeUInt32BE(streamId, 4);
  first.writeUInt8(type, 8);
  first.writeUInt8(0, 9);
  first.set(payload.subarray(0, FIRST_PIECE_BYTES - HEADER_BYTES), HEADER_BYTES);
  const rest = payload.subarray(FIRST_PIECE_BYTES - HEADER_BYTES);
  if (rest.length === 0) return stream.write(first, written);
  stream.write(first);
  return stream.write(rest, written);
}
