import { fail } from '../../base/errors.ts';
import { FLAG_FIN, FrameType, VERSION, type Frame } from './frames.ts';

const HEADER_BYTES = 8;
/** Most a control frame may carry. The clients' are under 200 bytes. */
const MOST_CONTROL_BYTES = 16 * 1024;

interface DataFrame {
  readonly streamId: number;
  readonly fin: boolean;
  leftBytes: number;
}

/**
 * Cuts the bytes of a SPDY/3.1 connection into frames, wherever the network has cut them. At most one control frame is
 * held back; the payload of a DATA frame is handed on in the pieces it comes in, `fin` on the last.
 */
export class FrameDecoder {
  /** The beginning of a frame: its header, for a control frame also its payload. */
  #pending = Buffer.alloc(0);
  #data: DataFrame | undefined;

  /** @throws {DaemonError} InvalidArgument for what is not SPDY/3; the connection is then of no more use. */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#data !== undefined) rest = this.#takeData(this.#data, rest, frames);
      else rest = this.#takeHead(rest, frames);
    }
    return frames;
  }

  #takeData(frame: DataFrame, bytes: Buffer, frames: Frame[]): Buffer {
    const data = bytes.subarray(0, frame.leftBytes);
    frame.leftBytes -= data.length;
    const complete = frame.leftBytes === 0;
    if (complete) this.#data = undefined;
    frames.push({ is: 'Data', streamId: frame.streamId, data, fin: complete && frame.fin });
    return bytes.subarray(data.length);
  }

  /** Takes as much as the frame's beginning lacks, and the frame where that completes it. */
  #takeHead(bytes: Buffer, frames: Frame[]): Buffer {
    const wanted = wantedBytes(
      this.#pending.length >= HEADER_BYTES ? this.#pending : Buffer.concat([this.#pending, bytes.subarray(0, HEADER_BYTES)]),
    );
    const taken = bytes.subarray(0, wanted - this.#pending.length);
    const head = this.#pending.length === 0 ? taken : Buffer.concat([this.#pending, taken]);
    const rest = bytes.subarray(taken.length);
    if (head.length < wanted) {
      this.#pending = Buffer.from(head); // a copy: a few bytes must not hold the whole chunk
      return rest;
    }
    this.#pending = Buffer.alloc(0);
    if (isControl(head)) {
      const frame = parseControlFrame(head);
      if (frame !== undefined) frames.push(frame);
    } else {
      this.#startData(head, frames);
    }
    return rest;
  }

  #startData(header: Buffer, frames: Frame[]): void {
    const streamId = header.readUInt32BE(0);
    if (streamId === 0) fail('InvalidArgument', 'read a SPDY DATA frame: its stream is 0, must be greater');
    const fin = (header.readUInt8(4) & FLAG_FIN) !== 0;
    const leftBytes = header.readUIntBE(5, 3);
    if (leftBytes > 0) this.#data = { streamId, fin, leftBytes };
    else frames.push({ is: 'Data', streamId, fin, data: Buffer.alloc(0) });
  }
}

function isControl(head: Buffer): boolean {
  return (head.readUInt8(0) & 0x80) !== 0;
}

/** How many bytes from the frame's first are needed to go on. */
function wantedBytes(head: Buffer): number {
  if (head.length < HEADER_BYTES || !isControl(head)) return HEADER_BYTES;
  const version = head.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) fail('InvalidArgument', `read a SPDY frame: its version is ${version}, must be ${VERSION}`);
  const lengthBytes = head.readUIntBE(5, 3);
  if (lengthBytes > MOST_CONTROL_BYTES) {
    fail('InvalidArgument', `read a SPDY control frame: it has ${lengthBytes} bytes, must be at most ${MOST_CONTROL_BYTES}`);
  }
  return HEADER_BYTES + lengthBytes;
}

/** A whole control frame; undefined for a type that SPDY/3.1 does not know, which must be ignored (section 2.2.1). */
function parseControlFrame(frame: Buffer): Frame | undefined {
  const type = frame.readUInt16BE(2);
  const fin = (frame.readUInt8(4) & FLAG_FIN) !== 0;
  const payload = frame.subarray(HEADER_BYTES);
  const need = (lengthBytes: number): void => {
    if (payload.length < lengthBytes) {
      fail('InvalidArgument', `read a SPDY control frame of type ${type}: it has ${payload.length} bytes, must be at least ${lengthBytes}`);
    }
  };
  const word = (offset: number): number => payload.readUInt32BE(offset);
  switch (type) {
    case FrameType.SynStream:
      need(10);
      return { is: 'SynStream', streamId: word(0) & 0x7fffffff, fin, headerBlock: payload.subarray(10) };
    case FrameType.SynReply:
    case FrameType.Headers:
      need(4);
      return {
        is: type === FrameType.SynReply ? 'SynReply' : 'Headers',
        streamId: word(0) & 0x7fffffff,
        fin,
        headerBlock: payload.subarray(4),
      };
    case FrameType.RstStream:
      need(8);
      return { is: 'RstStream', streamId: word(0) & 0x7fffffff, status: word(4) };
    case FrameType.Settings: {
      need(4);
      need(4 + word(0) * 8);
      const at = (index: number): { id: number; value: number } => ({ id: word(4 + index * 8) & 0xffffff, value: word(8 + index * 8) });
      return { is: 'Settings', entries: Array.from({ length: word(0) }, (_, index) => at(index)) };
    }
    case FrameType.Ping:
      need(4);
      return { is: 'Ping', id: word(0) };
    case FrameType.GoAway:
      need(8);
      return { is: 'GoAway', lastGoodStreamId: word(0) & 0x7fffffff, status: word(4) };
    case FrameType.WindowUpdate:
      need(8);
      return { is: 'WindowUpdate', streamId: word(0) & 0x7fffffff, deltaBytes: word(4) & 0x7fffffff };
    default:
      return undefined;
  }
}
