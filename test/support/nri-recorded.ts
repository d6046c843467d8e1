import { readFile } from 'node:fs/promises';
import protobuf from 'protobufjs/minimal.js';

/** A call between two ends that are upstream's, with the bytes on the wire: pieces of the multiplexer, connection 1. */
export interface RecordedCall {
  readonly name: string;
  readonly service: string;
  readonly method: string;
  /** The value in the BytesValue that is the payload. */
  readonly payload: Buffer;
  readonly request: Buffer;
  readonly response: Buffer;
}

/** Recorded by `$(bash scripts/build-nri-peer.sh) record > test/unit/nri/recorded.json`: nri 0.12.0, ttrpc 1.2.7. */
export async function recordedCalls(): Promise<RecordedCall[]> {
  const text = await readFile(new URL('../unit/nri/recorded.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as Record<keyof RecordedCall, string>[]).map(({ name, service, method, payload, request, response }) => ({
    name,
    service,
    method,
    payload: Buffer.from(payload, 'hex'),
    request: Buffer.from(request, 'hex'),
    response: Buffer.from(response, 'hex'),
  }));
}

/** google.protobuf.BytesValue, which the peer's payloads are. */
export function bytesValue(value: Uint8Array | string): Uint8Array {
  const bytes = Buffer.from(value);
  return bytes.length === 0 ? new Uint8Array(0) : protobuf.Writer.create().uint32(10).bytes(bytes).finish();
}

export function valueOf(payload: Uint8Array): Buffer {
  if (payload.length === 0) return Buffer.alloc(0);
  const reader = protobuf.Reader.create(payload);
  reader.uint32();
  return Buffer.from(reader.bytes());
}

/** What the pieces of a connection hold. */
export function joinPieces(wire: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length;) {
    const length = wire.readUInt32BE(at + 4);
    pieces.push(wire.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(pieces);
}

/** A frame of ttrpc as bytes. */
export function frameBytes(streamId: number, type: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(10);
  header.writeUInt32BE(payload.length, 0);
  header.writeUInt32BE(streamId, 4);
  header.writeUInt8(type, 8);
  return Buffer.concat([header, payload]);
}

/** A piece of the multiplexer as bytes. */
export function pieceBytes(connection: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(connection, 0);
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}
