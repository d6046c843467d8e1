/** Wrong values for every field of a request, made from the schema, and what may become of them. */
import protobuf from 'protobufjs';
import { camelCase } from '../../scripts/generate-codec.ts';

/** One field of a request with a value that it cannot mean. */
export interface WrongValue {
  /** By the names of the proto: `config.linux.security_context.run_as_user`. */
  readonly field: string;
  /** What is wrong with it: `negative`, `NUL`. */
  readonly kind: string;
  /** Path in the message as the code has it; a number is a place in a list. */
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

const HUGE = 'x'.repeat(1_000_000);

/** By the type of the proto. */
const WRONG: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  string: { NUL: 'a\0b', huge: HUGE },
  bytes: { NUL: Buffer.from('a\0b'), huge: Buffer.from(HUGE) },
  int32: { negative: -1, least: -(2 ** 31), most: 2 ** 31 - 1 },
  uint32: { most: 2 ** 32 - 1 },
  int64: { negative: -1n, least: -(2n ** 63n), most: 2n ** 63n - 1n },
  uint64: { most: 2n ** 64n - 1n },
};

/** Fields that are not read. */
const UNREAD: ReadonlySet<string> = new Set(['windows']);

/** Values that are fine, and why. */
const FINE: readonly (readonly [field: RegExp, kind: RegExp, why: string])[] = [
  [/(^|\.)(annotations|auth\.\w+)$/, /./, 'free text, which reaches no kernel'],
  [/\.attempt$/, /most/, 'any number is one'],
  [/^(config\.linux\.)?(overhead|resources)\./, /negative|least|most/, "it informs, and the kubelet writes the pod's cgroup itself"],
  [/^sandbox_config\./, /negative|least|most|unknown/, 'a copy of what RunPodSandbox was asked'],
  [/\.(cpu_quota|memory_limit_in_bytes|memory_swap_limit_in_bytes)$/, /negative|least/, 'no limit'],
  [/\.(memory_limit_in_bytes|hugepage_limits\.limit)$/, /most/, 'a limit that nothing meets'],
  [/^timeout$/, /most/, 'a time that never comes'],
  [/^linux\.memory_swap_limit_in_bytes$/, /most/, 'beside the limit on memory that the container has'],
  [/\.cpu_shares$/, /most/, 'the highest weight there is'],
  [/\.oom_score_adj$/, /negative/, 'a score'],
];

/** What is wrong with an answer; undefined where it is as it must be. `code` is OK for one that was taken. */
export function faultOf(
  { field, kind }: WrongValue,
  { code, message }: { readonly code: string; readonly message: string },
): string | undefined {
  const isFine = FINE.some(([fields, kinds]) => fields.test(field) && kinds.test(kind));
  if (code === 'OK') return isFine ? undefined : `${field}, ${kind}: taken`;
  // The second is what the node or its runtime cannot do.
  if (code !== 'INVALID_ARGUMENT' && code !== 'FAILED_PRECONDITION') return `${field}, ${kind}: ${code}: ${message.slice(0, 300)}`;
  const [parent = '', name = ''] = ['', ...field.split('.')].slice(-2);
  // Of a variable its list is named: key and value are words of the proto alone.
  const words = parent === 'envs' ? parent : name;
  return new RegExp(`\\b${words}\\b`).test(message) ? undefined : `${field}, ${kind}: its name is not in "${message.slice(0, 300)}"`;
}

const isWrapper = (type: protobuf.Type): boolean => /^(Int64|UInt64)Value$/.test(type.name);

function wrongOf(field: protobuf.Field): Readonly<Record<string, unknown>> {
  const { resolvedType } = field;
  if (field instanceof protobuf.MapField)
    return { 'NUL in the key': { 'a\0b': 'c' }, 'NUL in the value': { a: 'b\0c' }, huge: { a: HUGE } };
  if (resolvedType instanceof protobuf.Enum) return { unknown: 99, negative: -1 };
  if (resolvedType instanceof protobuf.Type) {
    const inner = WRONG[resolvedType.fields['value']?.type ?? ''] ?? {};
    return Object.fromEntries(Object.entries(inner).map(([kind, value]) => [kind, { value }]));
  }
  return WRONG[field.type] ?? {};
}

/** Every wrong value of every field of a message. */
export function wrongValuesOf(type: protobuf.Type, field = '', path: readonly (string | number)[] = []): WrongValue[] {
  return type.fieldsArray.flatMap((each): WrongValue[] => {
    if (UNREAD.has(each.name)) return [];
    const name = field === '' ? each.name : `${field}.${each.name}`;
    const isList = each.repeated && !(each instanceof protobuf.MapField);
    const at = [...path, camelCase(each.name), ...(isList ? [0] : [])];
    const { resolvedType } = each;
    if (resolvedType instanceof protobuf.Type && !isWrapper(resolvedType)) return wrongValuesOf(resolvedType, name, at);
    return Object.entries(wrongOf(each)).map(([kind, value]) => ({ field: name, kind, path: at, value }));
  });
}

const IDS = { hostId: 1_310_720, containerId: 0, length: 65_536 };

/** Messages that a good request lacks, with which it is still good; by the names of their fields. */
const PARTS: Readonly<Record<string, object>> = {
  portMappings: { protocol: 0, containerPort: 80, hostPort: 0, hostIp: '' },
  devices: { hostPath: '/dev/null', containerPath: '/dev/x', permissions: 'rw' },
  envs: { key: 'A', value: Buffer.from('b') },
  usernsOptions: { mode: 0, uids: [{ ...IDS }], gids: [{ ...IDS }] },
  uidMappings: IDS,
  gidMappings: IDS,
  hugepageLimits: { pageSize: '2MB', limit: 0n },
};

type Holder = Record<string | number, unknown>;

/** A copy of a good request with the wrong value in it, and nothing else wrong. */
export function withValue<T extends object>(good: T, { path, value }: WrongValue): T {
  const copy = structuredClone(good);
  let holder = copy as Holder;
  for (const [index, key] of path.slice(0, -1).entries()) {
    const isOfList = typeof path[index + 1] === 'number';
    holder[key] ??= isOfList ? [] : structuredClone(PARTS[String(typeof key === 'number' ? path[index - 1] : key)] ?? {});
    holder = holder[key] as Holder;
  }
  holder[path.at(-1)!] = value;
  return copy;
}
