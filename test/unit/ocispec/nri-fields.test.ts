/** No field of an adjustment is without a meaning: each changes the spec or is refused, also one that a later proto adds. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import type { ContainerAdjustment, Init, LinuxResources } from '../../../api/nri/messages.ts';
import { camelCase } from '../../../scripts/generate-codec.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { mergeCdiEdits } from '../../../src/ocispec/cdi-edits.ts';
import { withAdjustment } from '../../../src/ocispec/nri-adjust.ts';
import { changeOf } from '../../../src/ocispec/nri-resources.ts';
import { ABLE, adjustment, nriResources } from '../../support/nri-adjustments.ts';
import { containerInput, HOST } from '../../support/spec-inputs.ts';

const PROTO = await readFile(join(import.meta.dirname, '../../../api/nri/api.proto'), 'utf8');
const { root } = protobuf.parse(PROTO, { keepCase: true });
const PACKAGE = 'nri.pkg.api.v1alpha1';

/** The fields of a message, and of those in it, as paths; a value that may be left out is one field. */
function fieldsOf(name: string, before: readonly string[] = []): string[] {
  return root.lookupType(`${PACKAGE}.${name}`).fieldsArray.flatMap((field) => {
    const path = [...before, camelCase(field.name)];
    const type = field.resolve().resolvedType;
    if (type instanceof protobuf.Type && !type.name.startsWith('Optional')) return fieldsOf(type.name, path);
    return [path.join('.')];
  });
}

const hook = { path: '/h', args: ['a'], env: ['A=1'], timeout: { value: 1n } };
const hooks = {
  prestart: [hook],
  createRuntime: [hook],
  createContainer: [hook],
  startContainer: [hook],
  poststart: [hook],
  poststop: [hook],
};
const resources: Init<LinuxResources> = {
  memory: { limit: { value: 10n }, reservation: { value: 5n }, swap: { value: 20n } },
  cpu: { shares: { value: 7n }, quota: { value: 2000n }, period: { value: 3000n }, cpus: '0', mems: '0' },
  hugepageLimits: [{ pageSize: '2MB', limit: 1n }],
  rdtClass: { value: 'gold' },
  unified: { 'memory.high': '1' },
  devices: [{ allow: true, type: 'c', major: { value: 1n }, minor: { value: 2n }, access: 'r' }],
  pids: { limit: 9n },
};
/** Every field that changes a spec. */
const WHOLE: Init<ContainerAdjustment> = {
  annotations: { a: 'b' },
  mounts: [{ destination: '/d', type: 'tmpfs', source: '/s', options: ['bind', 'ro'] }],
  env: [{ key: 'K', value: 'v' }],
  hooks,
  rlimits: [{ type: 'RLIMIT_CPU', soft: 1n, hard: 2n }],
  cdiDevices: [{ name: 'v.com/c=0' }],
  args: ['x'],
  linux: {
    devices: [
      { path: '/dev/x', type: 'c', major: 1n, minor: 2n, fileMode: { value: 0o600 }, uid: { value: 5 }, gid: { value: 6 } },
    ],
    resources,
    oomScoreAdj: { value: 5n },
    ioPriority: { class: 1, priority: 3 },
    seccompPolicy: {
      defaultAction: 'SCMP_ACT_ALLOW',
      defaultErrno: { value: 1 },
      architectures: ['SCMP_ARCH_X86'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      listenerPath: '/l',
      listenerMetadata: 'm',
      syscalls: [
        { names: ['a'], action: 'SCMP_ACT_LOG', errnoRet: { value: 1 }, args: [{ index: 1, value: 2n, valueTwo: 3n, op: 'SCMP_CMP_EQ' }] },
      ],
    },
    namespaces: [{ type: 'uts', path: '/u' }],
    sysctl: { 'net.core.somaxconn': '1' },
    cgroupsPath: '/x',
    netDevices: { eth1: { name: 'x' } },
    scheduler: { policy: 1, nice: 1, priority: 1, flags: [1], runtime: 1n, deadline: 2n, period: 3n },
    rdt: { closId: { value: 'c' }, schemata: { value: ['s'] }, enableMonitoring: { value: true }, remove: true },
    memoryPolicy: { mode: 2, nodes: '0', flags: [0] },
  },
}; // prettier-ignore

/** What is refused here, or on a node with cgroup v2, each as a plugin would ask for it. */
const REFUSED: Readonly<Record<string, Init<ContainerAdjustment>>> = {
  'linux.resources.blockioClass': { linux: { resources: { blockioClass: { value: 'x' } } } },
  'linux.resources.memory.kernel': { linux: { resources: { memory: { kernel: { value: 1n } } } } },
  'linux.resources.memory.kernelTcp': { linux: { resources: { memory: { kernelTcp: { value: 1n } } } } },
  'linux.resources.memory.swappiness': { linux: { resources: { memory: { swappiness: { value: 1n } } } } },
  'linux.resources.memory.disableOomKiller': { linux: { resources: { memory: { disableOomKiller: { value: true } } } } },
  'linux.resources.memory.useHierarchy': { linux: { resources: { memory: { useHierarchy: { value: false } } } } },
  'linux.resources.cpu.realtimeRuntime': { linux: { resources: { cpu: { realtimeRuntime: { value: 1n } } } } },
  'linux.resources.cpu.realtimePeriod': { linux: { resources: { cpu: { realtimePeriod: { value: 1n } } } } },
};

/** Its meaning is the entry that it stands in: without it there is none, and the device is resolved before. */
const RESOLVED_BEFORE = 'cdiDevices.name';

const SPEC = buildSpec(containerInput());
const nothing = { env: ['CDI=1'], deviceNodes: [], netDevices: [], hooks: [], mounts: [], intelRdt: undefined, additionalGids: [] };
const CONTEXT = { ...ABLE, cdi: mergeCdiEdits([nothing]) };

type Json = Record<string, unknown>;

/** A copy without a field, wherever its path leads: lists and maps stand on the way. */
function without(value: unknown, [name = '', ...rest]: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => without(each, [name, ...rest]));
  const object = value as Json;
  if (!Object.hasOwn(object, name)) {
    // A map: its entries have it.
    return Object.fromEntries(Object.entries(object).map(([key, each]) => [key, isObject(each) ? without(each, [name, ...rest]) : each]));
  }
  const { [name]: field, ...others } = object;
  return rest.length === 0 ? others : { ...others, [name]: without(field, rest) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function outcome(asked: Init<ContainerAdjustment>): unknown {
  try {
    return withAdjustment(SPEC, adjustment(asked), CONTEXT);
  } catch (error) {
    return String(error);
  }
}

test('each field of an adjustment changes the spec, or is refused', () => {
  const whole = outcome(WHOLE);
  assert.equal(typeof whole, 'object', String(whole));
  const fields = fieldsOf('ContainerAdjustment');
  assert.ok(fields.length > 70, String(fields.length));
  for (const path of fields) {
    if (path === RESOLVED_BEFORE) continue;
    const refused = REFUSED[path];
    if (refused !== undefined)
      assert.throws(() => withAdjustment(SPEC, adjustment(refused), CONTEXT), { kind: 'FailedPrecondition' }, path);
    // What a class of RDT does, rdt.remove undoes, and the other way round.
    else if (path.endsWith('rdtClass') || path.endsWith('rdt.remove')) {
      const [one, other] = path.endsWith('rdtClass')
        ? [{ resources: { rdtClass: { value: 'g' } } }, {}]
        : [{ resources, rdt: { remove: true } }, { resources }];
      assert.notDeepEqual(outcome({ linux: one }), outcome({ linux: other }), path);
    } else assert.notDeepEqual(outcome(without(WHOLE, path.split('.')) as Init<ContainerAdjustment>), whole, path);
  }
});

test('each field of the resources is part of a later change, or is refused', () => {
  const later = nriResources({ ...resources, devices: [], rdtClass: undefined });
  const whole = changeOf(later, HOST);
  for (const path of fieldsOf('LinuxResources')) {
    const refused = REFUSED[`linux.resources.${path}`]?.linux?.resources ?? ATCREATION[path.split('.')[0] ?? ''];
    if (refused === undefined)
      assert.notDeepEqual(changeOf(nriResources(without(later, path.split('.')) as Init<LinuxResources>), HOST), whole, path);
    else assert.throws(() => changeOf(nriResources(refused), HOST), { kind: 'FailedPrecondition' }, path);
  }
});

/** What a container has from its creation on. */
const ATCREATION: Readonly<Record<string, Init<LinuxResources>>> = {
  rdtClass: { rdtClass: { value: '' } },
  devices: { devices: [{ allow: true }] },
};
