import { readFile } from 'node:fs/promises';
import protobuf from 'protobufjs';
import { CRI, NRI } from '../../scripts/generate-codec.ts';
import type { Api } from '../../scripts/generate-codec.ts';

/** What makes two descriptions of a package the same on the wire, one line a declaration, each list sorted. */
export interface ProtoFacts {
  readonly package: string;
  /** `Protocol: TCP = 0` */
  readonly enums: readonly string[];
  /** `Mount: repeated IDMapping uidMappings = 6`; a message without fields stands as its name alone. */
  readonly fields: readonly string[];
  /** `RuntimeService: GetContainerEvents(GetEventsRequest) stream ContainerEventResponse` */
  readonly rpcs: readonly string[];
}

/** The checked-in facts, and the tag of the Go module that they were printed from. */
export interface ProtoFactsFile extends ProtoFacts {
  readonly tag: string;
}

const REPOSITORY = new URL('../../', import.meta.url);
const PACKABLE = new Set(['int32', 'int64', 'uint32', 'uint64', 'bool', 'double']);

/** One of our protos and the Go module that it is held to. */
export interface Upstream {
  readonly api: Api;
  /** What scripts/build-proto-facts.sh calls it. */
  readonly name: string;
  readonly module: string;
  /** Any of its services, by its full name. */
  readonly service: string;
  readonly factsFile: URL;
}

function upstream(api: Api, name: string, module: string, service: string): Upstream {
  return { api, name, module, service: `${api.package}.${service}`, factsFile: new URL(`test/unit/api/${name}-facts.json`, REPOSITORY) };
}

export const CRI_API = upstream(CRI, 'cri', 'k8s.io/cri-api', 'RuntimeService');
export const NRI_API = upstream(NRI, 'nri', 'github.com/containerd/nri', 'Plugin');
export const UPSTREAMS: readonly Upstream[] = [CRI_API, NRI_API];

export async function readProto(api: Api = CRI): Promise<string> {
  return readFile(new URL(`${api.folder}/api.proto`, REPOSITORY), 'utf8');
}

/** The tag of the Go module that README.md in the proto's folder names. */
export async function readTag({ api, module }: Upstream): Promise<string> {
  const readme = await readFile(new URL(`${api.folder}/README.md`, REPOSITORY), 'utf8');
  const tag = new RegExp(`^ +${module.replaceAll('.', '\\.')} (v\\S+)$`, 'm').exec(readme)?.[1];
  if (tag === undefined) throw new Error(`${api.folder}/README.md names no tag of ${module}`);
  return tag;
}

export async function readFactsFile({ factsFile }: Upstream): Promise<ProtoFactsFile> {
  return JSON.parse(await readFile(factsFile, 'utf8')) as ProtoFactsFile;
}

export function parseProto(proto: string, api: Api = CRI): protobuf.Namespace {
  const { root } = protobuf.parse(proto, { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  return root.lookup(api.package) as protobuf.Namespace;
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
  const { parent, name } = object;
  return parent instanceof protobuf.Type ? `${localName(parent)}.${name}` : name;
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
export function factsOf(proto: string, api: Api): ProtoFacts {
  const namespace = parseProto(proto, api);
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
