/** The head of api/cri/runtime.ts, as text: the types of the codec and what every message's functions call. */
export const CODEC_SUPPORT = `import protobuf from 'protobufjs/minimal.js';
import type { Reader, Writer } from 'protobufjs/minimal.js';
ENUM_IMPORTS
export * from './enums.ts';

/** What a message may be built from: any of its fields, at any depth. What is left out has its default. */
export type Init<T> = T extends string | number | bigint | boolean | undefined | Uint8Array ? T
  : T extends readonly (infer U)[] ? readonly Init<U>[]
  : { readonly [K in keyof T]?: Init<T[K]> | undefined };

/** A message without fields. */
export type Empty = Record<never, never>;

/** One message type on the wire. */
export interface Codec<T> {
  encode(message: Init<T>): Uint8Array;
  /** @throws where the bytes are not such a message. Fields it does not know are left out. */
  decode(bytes: Uint8Array): T;
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
  readonly [Name in keyof Service & string as Uncapitalize<Name>]:
    Service[Name] extends Method<infer Request, infer Response, infer Stream>
      ? (request: Request, call: Call) => Stream extends true ? AsyncIterable<Init<Response>> : Promise<Init<Response>>
      : never;
};

function codec<T>(read: (r: Reader) => T, write: (w: Writer, m: Init<T>) => void): Codec<T> {
  return {
    encode: (message) => {
      const w = protobuf.Writer.create();
      write(w, message);
      return w.finish();
    },
    decode: (bytes) => read(protobuf.Reader.create(bytes)),
  };
}

function method<Request, Response, Stream extends boolean>(
  path: string, responseStream: Stream, request: Codec<Request>, response: Codec<Response>,
): Method<Request, Response, Stream> {
  return {
    path, requestStream: false, responseStream,
    encodeRequest: request.encode, decodeRequest: request.decode, encodeResponse: response.encode, decodeResponse: response.decode,
  };
}

/** Reads what the next length spans; a second piece of the same field is merged into the first. */
function nested<T>(r: Reader, read: (r: Reader, into?: T) => T, into?: T): T {
  const end = r.size() + r.pos;
  const outer = r.len;
  if (end > outer) throw new RangeError(\`a message ends at byte \${end}, past the end of what holds it at \${outer}\`);
  r.len = end;
  const message = read(r, into);
  if (r.pos !== end) throw new RangeError(\`a message ends at byte \${r.pos}, its length says \${end}\`);
  r.len = outer;
  return message;
}

function packed(r: Reader, one: () => unknown): void {
  nested(r, () => {
    while (r.pos < r.len) one();
  });
}

function readEmpty(r: Reader, m: Empty = {}): Empty {
  while (r.pos < r.len) {
    const tag = r.tag();
    r.skipType(tag & 7, 0, tag >>> 3);
  }
  return m;
}

function writeEmpty(): void {
  // No fields.
}

/** A string that is not UTF-8 is refused, as the proto3 specification wants. */
function readString(r: Reader): string {
  const start = r.pos;
  const text = r.string();
  if (!text.includes('\\ufffd')) return text;
  r.pos = start;
  return r.stringVerify();
}

/** Half of a surrogate pair would make the whole message unreadable for the other side. */
function writeString(w: Writer, text: string): void {
  w.string(text.toWellFormed());
}

interface Long { readonly low: number; readonly high: number }

function readInt64(r: Reader): bigint {
  const { low, high } = r.int64() as Long;
  return high === 0 ? BigInt(low >>> 0) : (BigInt(high) << 32n) | BigInt(low >>> 0);
}

function readUint64(r: Reader): bigint {
  const { low, high } = r.uint64() as Long;
  return high === 0 ? BigInt(low >>> 0) : (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function writeInt64(w: Writer, value: bigint): void {
  if (BigInt.asIntN(64, value) !== value) throw new RangeError(\`\${value} does not fit in an int64\`);
  writeBits(w, value);
}

function writeUint64(w: Writer, value: bigint): void {
  if (BigInt.asUintN(64, value) !== value) throw new RangeError(\`\${value} does not fit in a uint64\`);
  writeBits(w, value);
}

function writeBits(w: Writer, value: bigint): void {
  const small = Number(value);
  if (Number.isSafeInteger(small)) w.int64(small);
  else w.int64({ low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: false } as never);
}

function readEntry(r: Reader, map: Record<string, string>): void {
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
  // Plain assignment to this one name would be lost.
  if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

function writeMap(w: Writer, tag: number, map: { readonly [key: string]: string | undefined } | undefined): void {
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
`;
