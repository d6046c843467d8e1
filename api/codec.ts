/** What the generated codecs of api/ call, and the types of what they export. */
import protobuf from 'protobufjs/minimal.js';
import type { Reader, Writer } from 'protobufjs/minimal.js';

/** What a message may be built from: any of its fields, at any depth. What is left out has its default. */
export type Init<T> = T extends string | number | bigint | boolean | undefined | Uint8Array
  ? T
  : T extends readonly (infer U)[]
    ? readonly Init<U>[]
    : { readonly [K in keyof T]?: Init<T[K]> | undefined };

/** A message without fields. */
// eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- that is what it is
export type NoFields = Record<never, never>;

/** One message type on the wire. */
export interface Codec<T> {
  readonly encode: (message: Init<T>) => Uint8Array;
  /** @throws where the bytes are not such a message. Fields it does not know are left out. */
  readonly decode: (bytes: Uint8Array) => T;
}

/** One RPC. */
export interface Method<Request, Response, Stream extends boolean> {
  /** The HTTP/2 path. */
  readonly path: string;
  readonly requestStream: false;
  /** Whether the answer is a stream of responses. */
  readonly responseStream: Stream;
  readonly encodeRequest: (message: Init<Request>) => Uint8Array;
  readonly decodeRequest: (bytes: Uint8Array) => Request;
  readonly encodeResponse: (message: Init<Response>) => Uint8Array;
  readonly decodeResponse: (bytes: Uint8Array) => Response;
}

/** A function an RPC: what a service must have, no more and no less. A streaming one yields its responses. */
export type Handlers<Service, Call> = {
  readonly [Name in keyof Service & string as Uncapitalize<Name>]: Service[Name] extends Method<infer Request, infer Response, infer Stream>
    ? (
        request: Request,
        call: Call,
      ) => Stream extends true ? AsyncIterable<Init<Response>> | Iterable<Init<Response>> : Promise<Init<Response>>
    : never;
};

export function codec<T>(read: (r: Reader) => T, write: (w: Writer, m: Init<T>) => void): Codec<T> {
  return {
    encode: (message) => {
      const w = protobuf.Writer.create();
      write(w, message);
      return w.finish();
    },
    decode: (bytes) => read(protobuf.Reader.create(bytes)),
  };
}

export function grpcMethod<Request, Response, Stream extends boolean>(
  path: string,
  responseStream: Stream,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response, Stream> {
  return {
    path,
    requestStream: false,
    responseStream,
    encodeRequest: request.encode,
    decodeRequest: request.decode,
    encodeResponse: response.encode,
    decodeResponse: response.decode,
  };
}

/** Reads what the next length spans; a second piece of the same field is merged into the first. */
export function nested<T>(r: Reader, read: (r: Reader, into?: T) => T, into?: T): T {
  const end = r.size() + r.pos;
  const outer = r.len;
  if (end > outer) throw new RangeError(`a message ends at byte ${end}, past the end of what holds it at ${outer}`);
  r.len = end;
  const message = read(r, into);
  if (r.pos !== end) throw new RangeError(`a message ends at byte ${r.pos}, its length says ${end}`);
  r.len = outer;
  return message;
}

export function packed(r: Reader, one: () => unknown): void {
  nested(r, () => {
    while (r.pos < r.len) one();
  });
}

export function readNoFields(r: Reader, m: NoFields = {}): NoFields {
  while (r.pos < r.len) {
    const tag = r.tag();
    r.skipType(tag & 7, 0, tag >>> 3);
  }
  return m;
}

export function writeNoFields(): void {
  // No fields.
}

/** A string that is not UTF-8 is refused, as the proto3 specification wants. */
export function readString(r: Reader): string {
  const start = r.pos;
  const text = r.string();
  if (!text.includes('\ufffd')) return text;
  r.pos = start;
  return r.stringVerify();
}

/** Half of a surrogate pair would make the whole message unreadable for the other side. */
export function writeString(w: Writer, text: string): void {
  w.string(text.toWellFormed());
}

interface Long {
  readonly low: number;
  readonly high: number;
}

export function readInt64(r: Reader): bigint {
  const { low, high } = r.int64() as Long;
  return high === 0 ? BigInt(low >>> 0) : (BigInt(high) << 32n) | BigInt(low >>> 0);
}

export function readUint64(r: Reader): bigint {
  const { low, high } = r.uint64() as Long;
  return high === 0 ? BigInt(low >>> 0) : (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

export function writeInt64(w: Writer, value: bigint): void {
  if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value} does not fit in an int64`);
  writeBits(w, value);
}

export function writeUint64(w: Writer, value: bigint): void {
  if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} does not fit in a uint64`);
  writeBits(w, value);
}

function writeBits(w: Writer, value: bigint): void {
  const small = Number(value);
  if (Number.isSafeInteger(small)) w.int64(small);
  else w.int64({ low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: false });
}

/** One type of a map's keys or values: its number on the wire, and how it is made, read and written. */
export interface Part<T> {
  readonly wireType: number;
  zero(): T;
  read(r: Reader): T;
  write(w: Writer, value: T): void;
}

export const textPart: Part<string> = { wireType: 2, zero: () => '', read: readString, write: writeString };

/** Keys of TypeScript's objects are text also where they are numbers on the wire. */
export const int32Part: Part<string> = {
  wireType: 0,
  zero: () => '0',
  read: (r) => String(r.int32()),
  write: (w, value) => w.int32(Number(value)),
};

export function messagePart<T>(read: (r: Reader) => T, write: (w: Writer, m: Init<T>) => void): Part<T> {
  return {
    wireType: 2,
    zero: () => read(protobuf.Reader.create(new Uint8Array(0))),
    read: (r) => nested(r, read),
    write: (w, value) => {
      w.fork();
      write(w, value as Init<T>);
      w.ldelim();
    },
  };
}

export function readEntryOf<T>(r: Reader, map: Record<string, T>, keys: Part<string>, values: Part<T>): void {
  let key = keys.zero();
  let value: T | undefined;
  nested(r, () => {
    while (r.pos < r.len) {
      const tag = r.tag();
      if (tag === 8 + keys.wireType) key = keys.read(r);
      else if (tag === 16 + values.wireType) value = values.read(r);
      else r.skipType(tag & 7, 0, tag >>> 3);
    }
  });
  setEntry(map, key, value ?? values.zero());
}

export function writeMapOf<T>(
  w: Writer,
  tag: number,
  map: { readonly [key: string]: Init<T> | undefined } | undefined,
  keys: Part<string>,
  values: Part<T>,
): void {
  if (map === undefined) return;
  for (const [key, value] of Object.entries(map)) {
    if (value === undefined) continue;
    w.uint32(tag).fork();
    keys.write(w.uint32(8 + keys.wireType), key);
    values.write(w.uint32(16 + values.wireType), value as T);
    w.ldelim();
  }
}

function setEntry<T>(map: Record<string, T>, key: string, value: T): void {
  // Plain assignment to this one name would be lost.
  if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

export function readEntry(r: Reader, map: Record<string, string>): void {
  let key = '';
  let value = '';
  nested(r, () => {
    while (r.pos < r.len) {
      const tag = r.tag();
      if (tag === 10) key = readString(r);
      else if (tag === 18) value = readString(r);
      else r.skipType(tag & 7, 0, tag >>> 3);
    }
  });
  setEntry(map, key, value);
}

export function writeMap(w: Writer, tag: number, map: { readonly [key: string]: string | undefined } | undefined): void {
  if (map === undefined) return;
  for (const key of Object.keys(map)) {
    const value = map[key];
    if (value === undefined) continue;
    w.uint32(tag).fork();
    writeString(w.uint32(10), key);
    writeString(w.uint32(18), value);
    w.ldelim();
  }
}
