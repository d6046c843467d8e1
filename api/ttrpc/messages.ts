// Generated from api.proto by scripts/generate-codec.ts (`npm run generate`). Not to be edited.
import type { Reader, Writer } from 'protobufjs/minimal.js';
import { codec, nested, readInt64, readString, writeInt64, writeString } from '../codec.ts';
import type { Init } from '../codec.ts';
export type * from '../codec.ts';

export interface Request {
  service: string;
  method: string;
  payload: Uint8Array;
  /** Nanoseconds that the caller waits; 0: without an end. */
  timeoutNano: bigint;
  metadata: KeyValue[];
}
function readRequest(r: Reader, m: Request = { service: '', method: '', payload: new Uint8Array(0), timeoutNano: 0n, metadata: [] }): Request {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.service = readString(r); break;
      case 18: m.method = readString(r); break;
      case 26: m.payload = new Uint8Array(r.bytes()); break;
      case 32: m.timeoutNano = readInt64(r); break;
      case 42: m.metadata.push(nested(r, readKeyValue)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeRequest(w: Writer, m: Init<Request>): void {
  if (m.service) writeString(w.uint32(10), m.service);
  if (m.method) writeString(w.uint32(18), m.method);
  if (m.payload?.length) w.uint32(26).bytes(m.payload);
  if (m.timeoutNano) writeInt64(w.uint32(32), m.timeoutNano);
  if (m.metadata) for (const item of m.metadata) { w.uint32(42).fork(); writeKeyValue(w, item); w.ldelim(); }
}

export interface Response {
  /** Absent where the call went well. */
  status?: Status | undefined;
  payload: Uint8Array;
}
function readResponse(r: Reader, m: Response = { status: undefined, payload: new Uint8Array(0) }): Response {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.status = nested(r, readStatus, m.status); break;
      case 18: m.payload = new Uint8Array(r.bytes()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeResponse(w: Writer, m: Init<Response>): void {
  if (m.status) { w.uint32(10).fork(); writeStatus(w, m.status); w.ldelim(); }
  if (m.payload?.length) w.uint32(18).bytes(m.payload);
}

/** google.rpc.Status. */
export interface Status {
  /** A code of gRPC. */
  code: number;
  message: string;
  details: Any[];
}
function readStatus(r: Reader, m: Status = { code: 0, message: '', details: [] }): Status {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 8: m.code = r.int32(); break;
      case 18: m.message = readString(r); break;
      case 26: m.details.push(nested(r, readAny)); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeStatus(w: Writer, m: Init<Status>): void {
  if (m.code) w.uint32(8).int32(m.code);
  if (m.message) writeString(w.uint32(18), m.message);
  if (m.details) for (const item of m.details) { w.uint32(26).fork(); writeAny(w, item); w.ldelim(); }
}

/** google.protobuf.Any. */
export interface Any {
  typeUrl: string;
  value: Uint8Array;
}
function readAny(r: Reader, m: Any = { typeUrl: '', value: new Uint8Array(0) }): Any {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.typeUrl = readString(r); break;
      case 18: m.value = new Uint8Array(r.bytes()); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeAny(w: Writer, m: Init<Any>): void {
  if (m.typeUrl) writeString(w.uint32(10), m.typeUrl);
  if (m.value?.length) w.uint32(18).bytes(m.value);
}

export interface KeyValue {
  key: string;
  value: string;
}
function readKeyValue(r: Reader, m: KeyValue = { key: '', value: '' }): KeyValue {
  while (r.pos < r.len) {
    const tag = r.tag();
    switch (tag) {
      case 10: m.key = readString(r); break;
      case 18: m.value = readString(r); break;
      default: r.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return m;
}
function writeKeyValue(w: Writer, m: Init<KeyValue>): void {
  if (m.key) writeString(w.uint32(10), m.key);
  if (m.value) writeString(w.uint32(18), m.value);
}

/** Every message type, by its name. */
export const messages = {
  Request: codec(readRequest, writeRequest),
  Response: codec(readResponse, writeResponse),
  Status: codec(readStatus, writeStatus),
  Any: codec(readAny, writeAny),
  KeyValue: codec(readKeyValue, writeKeyValue),
};
