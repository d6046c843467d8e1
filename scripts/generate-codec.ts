/**
 * Writes what api/cri, api/nri and api/ttrpc have beside their api.proto: `npm run generate`.
 *
 * The parser is protobufjs's; the output is plain interfaces and a pair of static functions a message on the Reader and
 * Writer of protobufjs/minimal, so that the daemon starts without parsing or compiling a proto.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import protobuf from 'protobufjs';

const HEADER = '// Generated from api.proto by scripts/generate-codec.ts (`npm run generate`). Not to be edited.\n';

/** One folder of api/, and what is generated in it beside enums.ts. */
export interface Api {
  readonly folder: string;
  readonly package: string;
  /** The file with the messages. */
  readonly codec: string;
  /** How services stand there: a table of RPCs with their HTTP/2 paths, or a table of calls and a name for each service. */
  readonly services: 'grpc' | 'ttrpc';
  /** The messages that the daemon's records keep; shapes.ts tells their fields, and those of every message in them. */
  readonly kept: readonly string[];
}

export const CRI: Api = {
  folder: 'api/cri',
  package: 'runtime.v1',
  codec: 'runtime.ts',
  services: 'grpc',
  kept: ['PodSandboxConfig', 'ContainerConfig', 'LinuxContainerResources'],
};
export const NRI: Api = { folder: 'api/nri', package: 'nri.pkg.api.v1alpha1', codec: 'messages.ts', services: 'ttrpc', kept: [] };
/** The envelope of a call to or from a plugin. */
export const TTRPC: Api = { folder: 'api/ttrpc', package: 'ttrpc', codec: 'messages.ts', services: 'ttrpc', kept: [] };
export const APIS: readonly Api[] = [CRI, NRI, TTRPC];

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
  const { parent, name } = object;
  return parent instanceof protobuf.Type ? localName(parent) + name : name;
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

/** Everything the generator needs to know of a field, and a clear end where it meets what our protos have not used so far. */
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
    if (field instanceof protobuf.MapField) {
      if (field.keyType !== 'string' && field.keyType !== 'int32') this.#refuse(`a map by ${field.keyType}`);
      if (field.type !== 'string' && !(field.resolvedType instanceof protobuf.Type)) this.#refuse(`a map to ${field.type}`);
    }
    if (field.partOf !== null && !this.#optional) this.#refuse('a oneof');
    if (this.#scalar === undefined && field.resolvedType === null) this.#refuse(`type ${field.type}`);
  }

  #refuse(what: string): never {
    throw new Error(`generate ${this.#field.fullName}: ${what} is not known to scripts/generate-codec.ts, teach it`);
  }

  get #message(): string {
    return localName(this.#field.resolvedType ?? this.#field);
  }

  declaration(): string {
    const comment = docComment(this.#field.comment, '  ');
    const type = this.#scalar?.type ?? this.#message;
    if (this.#field instanceof protobuf.MapField)
      return `${comment}  ${this.name}: Record<${this.#field.keyType === 'int32' ? 'number' : 'string'}, ${type}>;\n`;
    if (this.#field.repeated) return `${comment}  ${this.name}: ${type}[];\n`;
    if (this.#scalar === undefined || this.#optional) return `${comment}  ${this.name}?: ${type} | undefined;\n`;
    return `${comment}  ${this.name}: ${type};\n`;
  }

  initial(): string {
    if (this.#field instanceof protobuf.MapField) return `${this.name}: {}`;
    if (this.#field.repeated) return `${this.name}: []`;
    return `${this.name}: ${this.#scalar === undefined || this.#optional ? 'undefined' : this.#scalar.zero}`;
  }

  /** Its type in shapes.ts. */
  shape(): string {
    if (this.#field instanceof protobuf.MapField) return this.#parts === undefined ? 'map' : this.#refuse('a map in a record');
    const isEnum = this.#field.resolvedType instanceof protobuf.Enum;
    const type = isEnum ? 'number' : (this.#scalar?.type ?? this.#message);
    if (this.#field.repeated) return `${type}[]`;
    return this.#scalar !== undefined && this.#optional ? `${type}?` : type;
  }

  /** How the keys and values of a map are read and written, where they are not both text. */
  get #parts(): string | undefined {
    if (!(this.#field instanceof protobuf.MapField)) return undefined;
    if (this.#field.keyType === 'string' && this.#scalar !== undefined) return undefined;
    const key = this.#field.keyType === 'int32' ? 'int32Part' : 'textPart';
    return `${key}, ${this.#scalar === undefined ? `messagePart(read${this.#message}, write${this.#message})` : 'textPart'}`;
  }

  #tag(wireType: number): number {
    return this.#field.id * 8 + wireType;
  }

  cases(): string {
    const target = `m.${this.name}`;
    const one = (wireType: number, statement: string): string => `      case ${this.#tag(wireType)}: ${statement}; break;\n`;
    if (this.#field instanceof protobuf.MapField)
      return one(2, this.#parts === undefined ? `readEntry(r, ${target})` : `readEntryOf(r, ${target}, ${this.#parts})`);
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
    if (this.#field instanceof protobuf.MapField) {
      const head = `w, ${this.#tag(2)}, ${value}`;
      return this.#parts === undefined ? `  writeMap(${head});\n` : `  writeMapOf(${head}, ${this.#parts});\n`;
    }
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
    return `\n${comment}export type ${name} = NoFields;\n` + `const read${name} = readNoFields;\nconst write${name} = writeNoFields;\n`;
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

/** The kept messages and all that are in them, in the order of the proto. */
function keptTypes(types: readonly protobuf.Type[], kept: readonly string[]): protobuf.Type[] {
  const found = new Set<protobuf.Type>();
  const visit = (type: protobuf.Type): void => {
    if (found.has(type)) return;
    found.add(type);
    for (const { resolvedType } of type.fieldsArray) if (resolvedType instanceof protobuf.Type) visit(resolvedType);
  };
  for (const type of types) if (kept.includes(localName(type))) visit(type);
  return types.filter((type) => found.has(type));
}

const SHAPES_COMMENT = `/**
 * The fields of every message that a record keeps, as data: each with the name of its type, \`[]\` for a list of it, \`?\` where it may be
 * missing. A map is of text to text; a message may always be missing.
 */
`;

function generateShapes(types: readonly protobuf.Type[]): string {
  const one = (type: protobuf.Type): string => {
    const fields = type.fieldsArray
      .map((field) => new FieldWriter(field.resolve()))
      .map((field) => `    ${field.name}: '${field.shape()}',\n`);
    return fields.length === 0 ? `  ${localName(type)}: {},\n` : `  ${localName(type)}: {\n${fields.join('')}  },\n`;
  };
  return `${HEADER}\n${SHAPES_COMMENT}export const shapes = {\n${types.map(one).join('')}} as const;\n`;
}

/** What api/codec.ts has for generated texts. */
const CODEC_FUNCTIONS = [
  'codec',
  'grpcMethod',
  'int32Part',
  'messagePart',
  'nested',
  'packed',
  'readNoFields',
  'readEntry',
  'readEntryOf',
  'readInt64',
  'readString',
  'readUint64',
  'textPart',
  'writeNoFields',
  'writeInt64',
  'writeMap',
  'writeMapOf',
  'writeString',
  'writeUint64',
];

function partnersOf(method: protobuf.Method): readonly [request: string, response: string] {
  method.resolve();
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null || method.requestStream === true)
    throw new Error(`generate ${method.fullName}: not a unary or server-streaming RPC`);
  return [`messages.${localName(request)}`, `messages.${localName(response)}`];
}

function generateGrpcServices(services: readonly protobuf.Service[], api: Api): string {
  const one = (service: protobuf.Service): string => {
    const methods = service.methodsArray.map((method) => {
      const [request, response] = partnersOf(method);
      const path = `/${api.package}.${service.name}/${method.name}`;
      return (
        docComment(method.comment, '    ') +
        `    ${method.name}: grpcMethod('${path}', ${String(method.responseStream === true)}, ${request}, ${response}),\n`
      );
    });
    return `${docComment(service.comment, '  ')}  ${service.name}: {\n${methods.join('')}  },\n`;
  };
  return `\n/** The RPCs of both services. */\nexport const services = {\n${services.map(one).join('')}};\n`;
}

function generateTtrpcServices(services: readonly protobuf.Service[], api: Api): string {
  const one = (service: protobuf.Service): string => {
    const calls = service.methodsArray.map((method) => {
      const [request, response] = partnersOf(method);
      if (method.responseStream === true) throw new Error(`generate ${method.fullName}: a stream over ttrpc`);
      return `${docComment(method.comment, '  ')}  ${method.name}: { request: ${request}, response: ${response} },\n`;
    });
    return (
      `\nexport const ${service.name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}_SERVICE = '${api.package}.${service.name}';\n` +
      `${docComment(service.comment, '')}export const ${service.name}Methods = {\n${calls.join('')}} as const;\n`
    );
  };
  return services.map(one).join('');
}

/** The import of what a generated text calls of api/codec.ts. */
function codecImports(text: string): string {
  const types = ['Codec', 'Init', 'NoFields'].filter((name) => new RegExp(`\\b${name}\\b`).test(text));
  const functions = CODEC_FUNCTIONS.filter((name) => new RegExp(`\\b${name}(?:[(,);])`).test(text));
  return `import { ${functions.join(', ')} } from '../codec.ts';\nimport type { ${types.join(', ')} } from '../codec.ts';\n`;
}

interface Declarations {
  readonly enums: readonly protobuf.Enum[];
  readonly types: readonly protobuf.Type[];
  readonly services: readonly protobuf.Service[];
}

function declarationsOf(root: protobuf.Root, name: string): Declarations {
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
  visit(root.lookup(name) ?? root);
  return { enums, types, services };
}

/** The generated files by name, from the text of a proto. @throws where it holds a construct that our protos have not used so far. */
export function generate(proto: string, api: Api): Record<string, string> {
  const { root } = protobuf.parse(proto, { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  const { enums, types, services } = declarationsOf(root, api.package);
  const codecs = types.map(localName).map((name) => `  ${name}: codec(read${name}, write${name}),\n`);
  const body =
    types.map(generateMessage).join('') +
    `\n/** Every message type, by its name. */\nexport const messages = {\n${codecs.join('')}};\n` +
    (api.services === 'grpc' ? generateGrpcServices(services, api) : generateTtrpcServices(services, api));
  const files: Record<string, string> = {};
  let imports = `import type { Reader, Writer } from 'protobufjs/minimal.js';\n${codecImports(body)}`;
  if (enums.length > 0) {
    files['enums.ts'] =
      `${HEADER}\n/** A number of the enum, or one that a later version added. */\n` +
      `type Open<T> = T[keyof T] | (number & Record<never, never>);\n${enums.map(generateEnum).join('')}`;
    const used = new Set(types.flatMap((type) => type.fieldsArray.map(({ resolvedType }) => resolvedType)));
    const names = enums.filter((type) => used.has(type)).map(localName);
    imports += `import type {\n${names
      .sort()
      .map((name) => `  ${name},\n`)
      .join('')}} from './enums.ts';\nexport * from './enums.ts';\n`;
  }
  files[api.codec] = `${HEADER}${imports}export type * from '../codec.ts';\n${body}`;
  const kept = keptTypes(types, api.kept);
  if (kept.length > 0) files['shapes.ts'] = generateShapes(kept);
  return files;
}

if (import.meta.main) {
  for (const api of APIS) {
    const folder = join(import.meta.dirname, '..', api.folder);
    const files = generate(await readFile(join(folder, 'api.proto'), 'utf8'), api);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  }
}
