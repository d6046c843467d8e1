/**
 * Writes api/cri/enums.ts and api/cri/runtime.ts from api/cri/api.proto: `npm run generate`.
 *
 * The parser is protobufjs's; the output is plain interfaces and a pair of static functions a message on the Reader and
 * Writer of protobufjs/minimal, so that the daemon starts without parsing or compiling a proto.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import protobuf from 'protobufjs';

const FOLDER = join(import.meta.dirname, '../api/cri');
const PACKAGE = 'runtime.v1';
const HEADER = '// Generated from api.proto by scripts/generate-cri.ts (`npm run generate`). Not to be edited.\n';

/** How a scalar type stands in TypeScript, its default, and how it is read, written and found to be its default. */
interface Scalar {
  readonly type: string;
  readonly zero: string;
  readonly read: string;
  readonly write: (value: string) => string;
  readonly isSet: (value: string) => string;
  readonly wireType: number;
}

const number = (method: string): Scalar => ({
  type: 'number',
  zero: '0',
  read: `r.${method}()`,
  write: (value) => `w.${method}(${value})`,
  isSet: (value) => value,
  wireType: 0,
});

const SCALARS: Readonly<Record<string, Scalar>> = {
  int32: number('int32'),
  uint32: number('uint32'),
  bool: { ...number('bool'), type: 'boolean', zero: 'false' },
  int64: { ...number('int64'), type: 'bigint', zero: '0n', read: 'readInt64(r)', write: (value) => `writeInt64(w, ${value})` },
  uint64: { ...number('uint64'), type: 'bigint', zero: '0n', read: 'readUint64(r)', write: (value) => `writeUint64(w, ${value})` },
  // Minus zero and NaN are values of their own.
  double: { ...number('double'), isSet: (value) => `${value} !== undefined && !Object.is(${value}, 0)`, wireType: 1 },
  string: {
    ...number('string'),
    type: 'string',
    zero: "''",
    read: 'readString(r)',
    write: (value) => `writeString(w, ${value})`,
    wireType: 2,
  },
  bytes: {
    ...number('bytes'),
    type: 'Uint8Array',
    zero: 'new Uint8Array(0)',
    read: 'new Uint8Array(r.bytes())', // a copy: a view would keep the whole request alive
    isSet: (value) => `${value}?.length`,
    wireType: 2,
  },
};

/** `runtime.v1.SecurityProfile.ProfileType` stands as `SecurityProfileProfileType`. */
function localName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(`.${PACKAGE}.`, '').replaceAll('.', '');
}

/** `pod_sandbox_id` -> `podSandboxId`, `CDI_devices` -> `cdiDevices`, `Avg10` -> `avg10`. */
export function camelCase(name: string): string {
  const [first = '', ...rest] = name.split('_');
  const start = first === first.toUpperCase() ? first.toLowerCase() : first.charAt(0).toLowerCase() + first.slice(1);
  return start + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function docComment(text: string | null | undefined, indent: string): string {
  if (text === null || text === undefined || text === '') return '';
  const lines = text.split('\n');
  if (lines.length === 1) return `${indent}/** ${text} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

/** Everything the generator needs to know of a field, and a clear end where it meets what the CRI has not used so far. */
class FieldWriter {
  readonly name: string;
  readonly #field: protobuf.Field;
  readonly #scalar: Scalar | undefined;
  readonly #optional: boolean;

  constructor(field: protobuf.Field) {
    this.#field = field;
    this.name = camelCase(field.name);
    const resolved = field.resolvedType;
    this.#scalar = resolved instanceof protobuf.Enum ? { ...number('int32'), type: localName(resolved) } : SCALARS[field.type];
    this.#optional = field.options?.['proto3_optional'] === true;
    const isMap = field instanceof protobuf.MapField;
    if (isMap && (field.keyType !== 'string' || field.type !== 'string')) this.#refuse('a map that is not string to string');
    if (field.partOf !== null && !this.#optional) this.#refuse('a oneof');
    if (this.#scalar === undefined && field.resolvedType === null) this.#refuse(`type ${field.type}`);
  }

  #refuse(what: string): never {
    throw new Error(`generate ${this.#field.fullName}: ${what} is not known to scripts/generate-cri.ts, teach it`);
  }

  get #message(): string {
    return localName(this.#field.resolvedType ?? this.#field);
  }

  declaration(): string {
    const comment = docComment(this.#field.comment, '  ');
    if (this.#field instanceof protobuf.MapField) return `${comment}  ${this.name}: Record<string, string>;\n`;
    const type = this.#scalar?.type ?? this.#message;
    if (this.#field.repeated) return `${comment}  ${this.name}: ${type}[];\n`;
    if (this.#scalar === undefined || this.#optional) return `${comment}  ${this.name}?: ${type} | undefined;\n`;
    return `${comment}  ${this.name}: ${type};\n`;
  }

  initial(): string {
    if (this.#field instanceof protobuf.MapField) return `${this.name}: {}`;
    if (this.#field.repeated) return `${this.name}: []`;
    return `${this.name}: ${this.#scalar === undefined || this.#optional ? 'undefined' : this.#scalar.zero}`;
  }

  #tag(wireType: number): number {
    return this.#field.id * 8 + wireType;
  }

  cases(): string {
    const target = `m.${this.name}`;
    const one = (wireType: number, statement: string): string => `      case ${this.#tag(wireType)}: ${statement}; break;\n`;
    if (this.#field instanceof protobuf.MapField) return one(2, `readEntry(r, ${target})`);
    if (this.#scalar === undefined) {
      const read = `read${this.#message}`;
      return one(2, this.#field.repeated ? `${target}.push(nested(r, ${read}))` : `${target} = nested(r, ${read}, ${target})`);
    }
    const { read, wireType } = this.#scalar;
    if (!this.#field.repeated) return one(wireType, `${target} = ${read}`);
    const single = one(wireType, `${target}.push(${read})`);
    return wireType === 2 ? single : single + one(2, `packed(r, () => ${target}.push(${read}))`);
  }

  write(): string {
    const value = `m.${this.name}`;
    if (this.#field instanceof protobuf.MapField) return `  writeMap(w, ${this.#tag(2)}, ${value});\n`;
    if (this.#scalar === undefined) {
      const write = `write${this.#message}`;
      if (this.#field.repeated)
        return `  if (${value}) for (const item of ${value}) { w.uint32(${this.#tag(2)}).fork(); ${write}(w, item); w.ldelim(); }\n`;
      return `  if (${value}) { w.uint32(${this.#tag(2)}).fork(); ${write}(w, ${value}); w.ldelim(); }\n`;
    }
    const { write, wireType, isSet } = this.#scalar;
    const tagged = (item: string): string =>
      write(item).replace(/^w\.|\(w\b/, (start) =>
        start === 'w.' ? `w.uint32(${this.#tag(wireType)}).` : `(w.uint32(${this.#tag(wireType)})`,
      );
    if (this.#field.repeated && wireType !== 2) {
      return `  if (${value}?.length) { w.uint32(${this.#tag(2)}).fork(); for (const item of ${value}) ${write('item')}; w.ldelim(); }\n`;
    }
    if (this.#field.repeated) return `  if (${value}) for (const item of ${value}) ${tagged('item')};\n`;
    return `  if (${this.#optional ? `${value} !== undefined` : isSet(value)}) ${tagged(value)};\n`;
  }
}

function generateEnum(type: protobuf.Enum): string {
  const name = localName(type);
  const values = Object.entries(type.values).map(([key, value]) => `${docComment(type.comments[key], '  ')}  ${key}: ${value},\n`);
  const comment = docComment(type.comment, '');
  return `\n${comment}export const ${name} = {\n${values.join('')}} as const;\n${comment}export type ${name} = Open<typeof ${name}>;\n`;
}

function generateMessage(type: protobuf.Type): string {
  const name = localName(type);
  const fields = type.fieldsArray.map((field) => new FieldWriter(field.resolve()));
  const comment = docComment(type.comment, '');
  if (fields.length === 0) {
    return `\n${comment}export type ${name} = Empty;\n` + `const read${name} = readEmpty;\nconst write${name} = writeEmpty;\n`;
  }
  return (
    `\n${comment}export interface ${name} {\n${fields.map((field) => field.declaration()).join('')}}\n` +
    `function read${name}(r: Reader, m: ${name} = { ${fields.map((field) => field.initial()).join(', ')} }): ${name} {\n` +
    '  while (r.pos < r.len) {\n    const tag = r.tag();\n    switch (tag) {\n' +
    fields.map((field) => field.cases()).join('') +
    '      default: r.skipType(tag & 7, 0, tag >>> 3);\n    }\n  }\n  return m;\n}\n' +
    `function write${name}(w: Writer, m: Init<${name}>): void {\n${fields.map((field) => field.write()).join('')}}\n`
  );
}

function generateServices(services: readonly protobuf.Service[]): string {
  const one = (service: protobuf.Service): string => {
    const methods = service.methodsArray.map((method) => {
      method.resolve();
      const { name, resolvedRequestType: request, resolvedResponseType: response } = method;
      if (request === null || response === null || method.requestStream === true)
        throw new Error(`generate ${method.fullName}: not a unary or server-streaming RPC`);
      return (
        docComment(method.comment, '    ') +
        `    ${name}: method('/${PACKAGE}.${service.name}/${name}', ${String(method.responseStream === true)}, messages.${localName(request)}, messages.${localName(response)}),\n`
      );
    });
    return `${docComment(service.comment, '  ')}  ${service.name}: {\n${methods.join('')}  },\n`;
  };
  return `\n/** The RPCs of both services. */\nexport const services = {\n${services.map(one).join('')}};\n`;
}

const SUPPORT = `import protobuf from 'protobufjs/minimal.js';
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

interface Declarations {
  readonly enums: readonly protobuf.Enum[];
  readonly types: readonly protobuf.Type[];
  readonly services: readonly protobuf.Service[];
}

function declarationsOf(root: protobuf.Root): Declarations {
  const enums: protobuf.Enum[] = [];
  const types: protobuf.Type[] = [];
  const services: protobuf.Service[] = [];
  const visit = (object: protobuf.ReflectionObject): void => {
    if (object instanceof protobuf.Enum) enums.push(object);
    else if (object instanceof protobuf.Service) services.push(object);
    else {
      if (object instanceof protobuf.Type) types.push(object);
      if (object instanceof protobuf.Namespace) object.nestedArray.forEach(visit);
    }
  };
  visit(root.lookup(PACKAGE) ?? root);
  return { enums, types, services };
}

/** The generated files by name, from the text of a proto. @throws where it holds a construct the CRI has not used so far. */
export function generate(proto: string): Record<string, string> {
  const { root } = protobuf.parse(proto, { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  const { enums, types, services } = declarationsOf(root);
  const enumFile =
    `${HEADER}\n/** A number of the enum, or one that a later version of the CRI added. */\n` +
    `type Open<T> = T[keyof T] | (number & Record<never, never>);\n${enums.map(generateEnum).join('')}`;
  const names = enums.map(localName).sort();
  const support = SUPPORT.replace('ENUM_IMPORTS', `import type {\n${names.map((name) => `  ${name},\n`).join('')}} from './enums.ts';`);
  const codecs = types.map(localName).map((name) => `  ${name}: codec(read${name}, write${name}),\n`);
  const runtimeFile =
    HEADER +
    support +
    types.map(generateMessage).join('') +
    `\n/** Every message type, by its name. */\nexport const messages = {\n${codecs.join('')}};\n` +
    generateServices(services);
  return { 'enums.ts': enumFile, 'runtime.ts': runtimeFile };
}

if (import.meta.main) {
  const files = generate(await readFile(join(FOLDER, 'api.proto'), 'utf8'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(FOLDER, name), text);
}
