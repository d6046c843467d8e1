import { readFile } from 'node:fs/promises';
import protobuf from 'protobufjs';

/** What makes two descriptions of runtime.v1 the same on the wire, one line a declaration, each list sorted. */
export interface CriFacts {
  readonly package: string;
  /** `Protocol: TCP = 0` */
  readonly enums: readonly string[];
  /** `Mount: repeated IDMapping uidMappings = 6`; a message without fields stands as its name alone. */
  readonly fields: readonly string[];
  /** `RuntimeService: GetContainerEvents(GetEventsRequest) stream ContainerEventResponse` */
  readonly rpcs: readonly string[];
}

/** The checked-in facts, and the tag of cri-api they were printed from. */
export interface CriFactsFile extends CriFacts {
  readonly tag: string;
}

const REPOSITORY = new URL('../../', import.meta.url);
export const FACTS_FILE = new URL('test/unit/api/cri-facts.json', REPOSITORY);
const PACKABLE = new Set(['int32', 'int64', 'uint32', 'uint64', 'bool', 'double']);

export async function readProto(): Promise<string> {
  return readFile(new URL('api/cri/api.proto', REPOSITORY), 'utf8');
}

/** The tag of k8s.io/cri-api that api/cri/README.md names. */
export async function readTag(): Promise<string> {
  const readme = await readFile(new URL('api/cri/README.md', REPOSITORY), 'utf8');
  const tag = /^ +k8s\.io\/cri-api (v\S+)$/m.exec(readme)?.[1];
  if (tag === undefined) throw new Error('api/cri/README.md names no tag of k8s.io/cri-api');
  return tag;
}

export async function readFactsFile(): Promise<CriFactsFile> {
  return JSON.parse(await readFile(FACTS_FILE, 'utf8')) as CriFactsFile;
}

export function parseProto(proto: string): protobuf.Namespace {
  const { root } = protobuf.parse(proto, { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  return root.lookup('runtime.v1') as protobuf.Namespace;
}

/** Every message type of a namespace, nested ones too. */
export function typesOf(namespace: protobuf.NamespaceBase): protobuf.Type[] {
  return namespace.nestedArray.flatMap((object) => (object instanceof protobuf.Type ? [object, ...typesOf(object)] : []));
}

function enumsOf(namespace: protobuf.NamespaceBase): protobuf.Enum[] {
  return namespace.nestedArray.flatMap((object) => {
    if (object instanceof protobuf.Enum) return [object];
    return object instanceof protobuf.Type ? enumsOf(object) : [];
  });
}

function localName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace('.runtime.v1.', '');
}

function describeField(field: protobuf.Field): string {
  const resolved = field.resolvedType;
  const type = resolved === null ? field.type : localName(resolved);
  const name = `${field.name} = ${field.id}`;
  const deprecated = field.options?.['deprecated'] === true ? ' deprecated' : '';
  if (field instanceof protobuf.MapField) return `map<${field.keyType}, ${type}> ${name}${deprecated}`;
  const optional = field.options?.['proto3_optional'] === true;
  const label = field.repeated ? 'repeated ' : optional ? 'optional ' : '';
  const isPackable = PACKABLE.has(type) || resolved instanceof protobuf.Enum;
  const packed = field.repeated && isPackable && field.packed ? ' packed' : '';
  const oneof = field.partOf === null || optional ? '' : ` in ${field.partOf.name}`;
  return `${label}${type} ${name}${oneof}${packed}${deprecated}`;
}

/** The facts of a proto's text. */
export function factsOf(proto: string): CriFacts {
  const namespace = parseProto(proto);
  const services = namespace.nestedArray.filter((object) => object instanceof protobuf.Service);
  return {
    package: namespace.fullName.slice(1),
    enums: enumsOf(namespace)
      .flatMap((type) => Object.entries(type.values).map(([name, value]) => `${localName(type)}: ${name} = ${value}`))
      .sort(),
    fields: typesOf(namespace)
      .flatMap((type) =>
        type.fieldsArray.length === 0 ? [localName(type)] : type.fieldsArray.map((field) => `${localName(type)}: ${describeField(field)}`),
      )
      .sort(),
    rpcs: services
      .flatMap((service) =>
        service.methodsArray.map(
          ({ name, requestType, requestStream, responseType, responseStream }) =>
            `${service.name}: ${name}(${requestStream === true ? 'stream ' : ''}${requestType}) ${responseStream === true ? 'stream ' : ''}${responseType}`,
        ),
      )
      .sort(),
  };
}
