import { Field } from '../base/field.ts';
import { isObject, type JsonObject } from '../base/json.ts';
import type { OciDevice, OciDeviceRule, OciMount, OciRlimit, OciSpec } from './oci-types.ts';
import type { BaseSpec } from './input.ts';
import { sortByDepth } from './mounts.ts';
import { exactIntegers } from './spec-json.ts';

const TOP = ['ociVersion', 'root', 'process', 'hostname', 'domainname', 'mounts', 'hooks', 'annotations', 'linux'];

/** What a request decides also by leaving it out, each with the key that a node's owner sets it by. */
const DECIDED: readonly (readonly [parent: 'process' | 'linux', field: string, key: string])[] = [
  ['process', 'apparmorProfile', 'apparmor_profile'],
  ['process', 'selinuxLabel', 'selinux'],
  ['linux', 'seccomp', 'seccomp_profile'],
  ['linux', 'mountLabel', 'selinux'],
  ['linux', 'uidMappings', "the pod's user namespace"],
  ['linux', 'gidMappings', "the pod's user namespace"],
];

/**
 * Reads the text of a base spec. What `runc spec` and `ctr oci spec` print can be read.
 * @throws DaemonError InvalidArgument that names the field.
 */
export function parseBaseSpec(text: string, what: string): BaseSpec {
  const spec = Field.parse(text, what, exactIntegers);
  for (const name of Object.keys(spec.object()))
    if (!TOP.includes(name)) spec.at(name).refuse(`left out: the fields are ${TOP.join(', ')}`);
  const process = spec.at('process').given ?? new Field({}, what);
  const linux = spec.at('linux').given ?? new Field({}, what);
  for (const [parent, field, key] of DECIDED) {
    const given = (parent === 'process' ? process : linux).at(field).given;
    if (given !== undefined) given.refuse(`left out: ${key} decides it`);
  }
  spec.at('annotations').given?.map();
  checkHooks(spec.at('hooks').given);
  const resources = linux.at('resources').given ?? new Field({}, what);
  const { env: _env, rlimits: _rlimits, ...restOfProcess } = process.object();
  const { devices: _rules, ...restOfResources } = resources.object();
  const { devices: _devices, ...restOfLinux } = linux.object();
  const { mounts: _mounts, hostname: _hostname, domainname: _domainname, root: _root, ...restOfSpec } = spec.object();
  return {
    env: process.at('env').given?.list(readVariable) ?? [],
    rlimits: process.at('rlimits').given?.list(readRlimit) ?? [],
    mounts: spec.at('mounts').given?.list(readMount) ?? [],
    devices: linux.at('devices').given?.list(readDevice) ?? [],
    deviceRules: resources.at('devices').given?.list(readRule).filter(isOfDevice) ?? [],
    rest: { ...restOfSpec, process: restOfProcess, linux: { ...restOfLinux, resources: restOfResources } },
  };
}

/** The spec of a container laid over the base: it wins wherever both say something. */
export function withBaseSpec(base: BaseSpec | undefined, spec: OciSpec): OciSpec {
  if (base === undefined) return spec;
  const { process, linux, mounts } = spec;
  const [first, ...rules] = linux.resources.devices ?? [];
  const laid = laidOver(base.rest, spec as unknown as JsonObject) as unknown as OciSpec;
  return {
    ...laid,
    process: {
      ...laid.process,
      env: [...further(base.env, process.env, nameOf), ...process.env],
      rlimits: [...further(base.rlimits, process.rlimits, ({ type }) => type), ...process.rlimits],
    },
    mounts: sortByDepth([...mounts, ...further(base.mounts, mounts, ({ destination }) => destination)]),
    linux: {
      ...laid.linux,
      devices: [...further(base.devices, linux.devices, ({ path }) => path), ...linux.devices],
      resources: {
        ...laid.linux.resources,
        // The first denies or allows all; what follows makes exceptions.
        devices: [...(first === undefined ? [] : [first]), ...base.deviceRules, ...rules],
      },
    },
  };
}

/** Those of the base that have no name of ours. */
function further<T>(ofBase: readonly T[], ours: readonly T[], name: (value: T) => string): T[] {
  const taken = new Set(ours.map(name));
  return ofBase.filter((value) => !taken.has(name(value)));
}

/** Object into object; of anything else the upper one. */
function laidOver(lower: JsonObject, upper: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...lower };
  for (const [name, value] of Object.entries(upper)) {
    const below = lower[name];
    result[name] = isObject(below) && isObject(value) ? laidOver(below, value) : value;
  }
  return result;
}

const nameOf = (variable: string): string => variable.split('=', 1)[0] ?? '';

function readVariable(entry: Field): string {
  const text = entry.text();
  return text.indexOf('=') > 0 && !text.includes('\0') ? text : entry.refuse('NAME=VALUE');
}

function readRlimit(entry: Field): OciRlimit {
  const type = entry.at('type').text();
  if (!/^RLIMIT_[A-Z]+$/.test(type)) entry.at('type').refuse('the name of a limit such as RLIMIT_NOFILE');
  return { type, soft: entry.at('soft').unsigned(), hard: entry.at('hard').unsigned() };
}

function readMount(entry: Field): OciMount {
  const destination = entry.at('destination').text();
  if (!destination.startsWith('/')) entry.at('destination').refuse('an absolute path');
  return {
    ...entry.object(),
    destination,
    type: entry.at('type').given?.text() ?? 'bind',
    source: entry.at('source').given?.text() ?? '',
    options: entry.at('options').given?.texts() ?? [],
  };
}

function readDevice(entry: Field): OciDevice {
  const path = entry.at('path').text();
  if (!path.startsWith('/')) entry.at('path').refuse('an absolute path');
  entry.at('type').oneOf(['b', 'c', 'u', 'p']);
  return entry.object() as unknown as OciDevice;
}

function readRule(entry: Field): OciDeviceRule {
  entry.at('allow').flag();
  return entry.object() as unknown as OciDeviceRule;
}

/** A rule for all devices would undo what a request asks for, or what it may not. */
function isOfDevice({ type, major }: OciDeviceRule): boolean {
  return (type !== undefined && type !== 'a') || major !== undefined;
}

function checkHooks(hooks: Field | undefined): void {
  for (const stage of Object.keys(hooks?.object() ?? {})) {
    hooks?.at(stage).given?.list((hook) => {
      const path = hook.at('path').text();
      return path.startsWith('/') ? path : hook.at('path').refuse('an absolute path');
    });
  }
}
