// SPDY/3.1 frames. Source: draft-mbelshe-httpbis-spdy-00, section 2.2 and 2.6.

export const VERSION = 3;

export const FrameType = {
  SynStream: 1,
  SynReply: 2,
  RstStream: 3,
  Settings: 4,
  Ping: 6,
  GoAway: 7,
  Headers: 8,
  WindowUpdate: 9,
} as const;

/** Why a stream is reset. */
export const RstStatus = {
  ProtocolError: 1,
  InvalidStream: 2,
  RefusedStream: 3,
  Cancel: 5,
  InternalError: 6,
  StreamAlreadyClosed: 9,
} as const;
export type RstStatus = (typeof RstStatus)[keyof typeof RstStatus];

/** Why a connection ends. */
export const GoAwayStatus = { Ok: 0, ProtocolError: 1, InternalError: 2 } as const;
export type GoAwayStatus = (typeof GoAwayStatus)[keyof typeof GoAwayStatus];

export const FLAG_FIN = 1;

/** A frame as the peer sent it; header blocks are still compressed. A DATA frame may come as several pieces. */
export type Frame =
  | { readonly is: 'SynStream'; readonly streamId: number; readonly fin: boolean; readonly headerBlock: Buffer }
  | { readonly is: 'SynReply' | 'Headers'; readonly streamId: number; readonly fin: boolean; readonly headerBlock: Buffer }
  | { readonly is: 'Data'; readonly streamId: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly is: 'RstStream'; readonly streamId: number; readonly status: number }
  | { readonly is: 'Ping'; readonly id: number }
  | { readonly is: 'GoAway'; readonly lastGoodStreamId: number; readonly status: number }
  /** No peer of ours has flow control (moby/spdystream has none, nor do we), so these two are read and left. */
  | { readonly is: 'Settings'; readonly entries: readonly { readonly id: number; readonly value: number }[] }
  | { readonly is: 'WindowUpdate'; readonly streamId: number; readonly deltaBytes: number };

/** The eight bytes before the payload of a DATA frame. */
export function dataHeader(streamId: number, lengthBytes: number, fin: boolean): Buffer {
  const header = Buffer.allocUnsafe(8);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(lengthBytes, 4);
  header.writeUInt8(fin ? FLAG_FIN : 0, 4);
  return header;
}

export function synReply(streamId: number, headerBlock: Uint8Array): Buffer {
  return controlFrame(FrameType.SynReply, 0, [streamId], headerBlock);
}

export function rstStream(streamId: number, status: RstStatus): Buffer {
  return controlFrame(FrameType.RstStream, 0, [streamId, status]);
}

export function ping(id: number): Buffer {
  return controlFrame(FrameType.Ping, 0, [id]);
}

export function goAway(lastGoodStreamId: number, status: GoAwayStatus): Buffer {
  return controlFrame(FrameType.GoAway, 0, [lastGoodStreamId, status]);
}

/** A control frame: its header, the words, the rest of the payload. */
export function controlFrame(type: number, flags: number, words: readonly number[], rest: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.allocUnsafe(8 + words.length * 4 + rest.byteLength);
  frame.writeUInt16BE(0x8000 | VERSION, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(frame.length - 8, 4);
  frame.writeUInt8(flags, 4);
  words.forEach((word, index) => frame.writeUInt32BE(word, 8 + index * 4));
  frame.set(rest, 8 + words.length * 4);
  return frame;
}
