/** Reads the containerEdits of a CDI spec file. What the upstream library accepts is accepted, what it refuses is refused. */
import type { Field } from '../base/field.ts';
import { DEVICE_TYPES, HOOK_NAMES } from './spec.ts';
import type { CdiMount, ContainerEdits, DeviceNode, Hook, IntelRdt, NetDevice } from './spec.ts';

/** Most that a user id, a group id or a file mode can be: Go's uint32. */
const UINT32_MAX = 0xffff_ffff;
/** A class of service is a directory of resctrl: NAME_MAX does not hold it, the library's own limit does. */
const CLOS_ID_LIMIT = 4096;

/** The fields of an object by name. As in Go's JSON, upper and lower case are the same, null is left out, and others are refused. */
export function fieldsOf<const N extends string>(object: Field, names: readonly N[]): (name: N) => Field {
  const found = new Map<N, Field>();
  for (const key of Object.keys(object.object())) {
    const name = names.find((each) => each.toLowerCase() === key.toLowerCase());
    if (name === undefined || found.has(name)) return object.at(key).refuse(`left out: the fields here are ${names.join(', ')}, each once`);
    found.set(name, object.at(key));
  }
  return (name) => found.get(name) ?? object.at(name);
}

/** A text; empty where it is left out. A number or a flag of YAML is taken as it is written: `name: 0`. */
export function textOf(field: Field): string {
  const { value } = field;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return field.given?.text() ?? '';
}

export function listOf<T>(field: Field, read: (entry: Field) => T): T[] {
  return field.given?.list(read) ?? [];
}

export function readEdits(field: Field): ContainerEdits {
  if (field.given === undefined) return NO_EDITS;
  const at = fieldsOf(field, ['env', 'deviceNodes', 'netDevices', 'hooks', 'mounts', 'intelRdt', 'additionalGids']);
  const rdt = at('intelRdt').given;
  return {
    env: listOf(at('env'), readVariable),
    deviceNodes: listOf(at('deviceNodes'), readDeviceNode),
    netDevices: readNetDevices(at('netDevices')),
    hooks: listOf(at('hooks'), readHook),
    mounts: listOf(at('mounts'), readMount),
    intelRdt: rdt === undefined ? undefined : readIntelRdt(rdt),
    additionalGids: listOf(at('additionalGids'), uint32),
  };
}

const NO_EDITS: ContainerEdits = {
  env: [],
  deviceNodes: [],
  netDevices: [],
  hooks: [],
  mounts: [],
  intelRdt: undefined,
  additionalGids: [],
};

/** Whether nothing is to be done: a device must do something. */
export function isEmpty({ intelRdt, ...lists }: ContainerEdits): boolean {
  return intelRdt === undefined && Object.values(lists).every(({ length }) => length === 0);
}

function readVariable(field: Field): string {
  const text = textOf(field);
  return text.indexOf('=') > 0 ? text : field.refuse('NAME=value');
}

function readDeviceNode(field: Field): DeviceNode {
  const at = fieldsOf(field, ['path', 'hostPath', 'type', 'major', 'minor', 'fileMode', 'permissions', 'uid', 'gid']);
  const permissions = textOf(at('permissions'));
  if (!/^[rwm]*$/.test(permissions)) at('permissions').refuse('of the letters r, w and m');
  return {
    path: needed(at('path')),
    hostPath: textOf(at('hostPath')),
    type: textOf(at('type')) === '' ? '' : at('type').oneOf(DEVICE_TYPES),
    major: wholeOf(at('major')) ?? 0,
    minor: wholeOf(at('minor')) ?? 0,
    fileMode: optional(at('fileMode'), uint32),
    permissions,
    uid: optional(at('uid'), uint32),
    gid: optional(at('gid'), uint32),
  };
}

/** Neither an interface of the host nor a name in the container may come twice. */
function readNetDevices(field: Field): NetDevice[] {
  const seen = { hostInterfaceName: new Set<string>(), name: new Set<string>() };
  return listOf(field, (entry) => {
    const at = fieldsOf(entry, ['hostInterfaceName', 'name']);
    const once = (name: 'hostInterfaceName' | 'name'): string => {
      const value = needed(at(name));
      if (seen[name].has(value)) at(name).refuse('given once');
      seen[name].add(value);
      return value;
    };
    return { hostInterfaceName: once('hostInterfaceName'), name: once('name') };
  });
}

function readHook(field: Field): Hook {
  const at = fieldsOf(field, ['hookName', 'path', 'args', 'env', 'timeout']);
  return {
    hookName: at('hookName').oneOf(HOOK_NAMES),
    path: needed(at('path')),
    args: listOf(at('args'), textOf),
    env: listOf(at('env'), readVariable),
    timeout: wholeOf(at('timeout')),
  };
}

function readMount(field: Field): CdiMount {
  const at = fieldsOf(field, ['hostPath', 'containerPath', 'options', 'type']);
  return {
    hostPath: needed(at('hostPath')),
    containerPath: needed(at('containerPath')),
    options: listOf(at('options'), textOf),
    type: textOf(at('type')),
  };
}

function readIntelRdt(field: Field): IntelRdt {
  const at = fieldsOf(field, ['closID', 'l3CacheSchema', 'memBwSchema', 'schemata', 'enableMonitoring']);
  const closID = textOf(at('closID'));
  const isName = Buffer.byteLength(closID) < CLOS_ID_LIMIT && closID !== '.' && closID !== '..' && !/[/\n]/.test(closID);
  if (!isName && closID !== '/') at('closID').refuse('the name of a directory of resctrl, or /');
  return {
    closID,
    l3CacheSchema: textOf(at('l3CacheSchema')),
    memBwSchema: textOf(at('memBwSchema')),
    schemata: optional(at('schemata'), (list) => list.list(textOf)),
    enableMonitoring: at('enableMonitoring').given?.flag() ?? false,
  };
}

function needed(field: Field): string {
  const text = textOf(field);
  return text === '' ? field.refuse('given') : text;
}

function optional<T>(field: Field, read: (field: Field) => T): T | undefined {
  return field.given === undefined ? undefined : read(field);
}

function uint32(field: Field): number {
  const value = field.count();
  return value <= UINT32_MAX ? value : field.refuse(`at most ${UINT32_MAX}`);
}

function wholeOf(field: Field): number | undefined {
  return optional(field, () => (Number.isSafeInteger(field.value) ? field.number() : field.refuse('a whole number')));
}
