/**
 * Writes api/cri/enums.ts, runtime.ts and shapes.ts from api/cri/api.proto: `npm run generate`.
 *
 * The parser is protobufjs's; the output is plain interfaces and a pair of static functions a message on the Reader and
 * Writer of protobufjs/minimal, so that the daemon starts without parsing or compiling a proto.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { CODEC_SUPPORT } from './cri-codec-support.ts';

const FOLDER = join(import.meta.dirname, '../api/cri');
const PACKAGE = 'runtime.v1';
const HEADER = '// Generated from api.proto by scripts/generate-cri.ts (`npm run generate`). Not to be edited.\n';

/** The messages that the daemon's records keep; shapes.ts tells their fields, and those of every message in them. */
const KEPT = ['PodSandboxConfig', 'ContainerConfig', 'LinuxContainerResources'];

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

  /** Its type in shapes.ts. */
  shape(): string {
    if (this.#field instanceof protobuf.MapField) return 'map';
    const isEnum = this.#field.resolvedType instanceof protobuf.Enum;
    const type = isEnum ? 'number' : (this.#scalar?.type ?? this.#message);
    if (this.#field.repeated) return `${type}[]`;
    return this.#scalar !== undefined && this.#optional ? `${type}?` : type;
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

/** The kept messages and all that are in them, in the order of the proto. */
function keptTypes(types: readonly protobuf.Type[]): protobuf.Type[] {
  const found = new Set<protobuf.Type>();
  const visit = (type: protobuf.Type): void => {
    if (found.has(type)) return;
    found.add(type);
    for (const { resolvedType } of type.fieldsArray) if (resolvedType instanceof protobuf.Type) visit(resolvedType);
  };
  for (const type of types) if (KEPT.includes(localName(type))) visit(type);
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
  const support = CODEC_SUPPORT.replace(
    'ENUM_IMPORTS',
    `import type {\n${names.map((name) => `  ${name},\n`).join('')}} from './enums.ts';`,
  );
  const codecs = types.map(localName).map((name) => `  ${name}: codec(read${name}, write${name}),\n`);
  const runtimeFile =
    HEADER +
    support +
    types.map(generateMessage).join('') +
    `\n/** Every message type, by its name. */\nexport const messages = {\n${codecs.join('')}};\n` +
    generateServices(services);
  return { 'enums.ts': enumFile, 'runtime.ts': runtimeFile, 'shapes.ts': generateShapes(keptTypes(types)) };
}

if (import.meta.main) {
  const files = generate(await readFile(join(FOLDER, 'api.proto'), 'utf8'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(FOLDER, name), text);
}
