/** Answers of plugins that src/nri/merge merges as the module does. */
import type {
  ContainerAdjustment,
  ContainerUpdate,
  CreateContainerRequest,
  Hooks,
  Init,
  LinuxContainerAdjustment,
  LinuxResources,
  UpdateContainerRequest,
} from '../../../api/nri/messages.ts';
import type { MergeCase } from './merge-lab.ts';

type Adjust = Init<ContainerAdjustment>;

/** A container with something of everything. */
export const CREATE: Init<CreateContainerRequest> = {
  pod: { id: 'p1', name: 'pod', namespace: 'default', uid: 'u1' },
  container: {
    id: 'c1',
    podSandboxId: 'p1',
    name: 'ctr',
    annotations: { own: '1', 'other.own': '2' },
    args: ['sleep', '1'],
    env: ['OWN=1', 'PATH=/bin', 'BARE'],
    mounts: [
      { destination: '/own', type: 'bind', source: '/src', options: ['rbind'] },
      { destination: '/proc', type: 'proc', source: 'proc' },
    ],
    hooks: { prestart: [{ path: '/own/hook' }] },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 10n, soft: 5n }],
    linux: {
      namespaces: [{ type: 'network', path: '/run/netns/1' }, { type: 'mount' }, { type: 'ipc' }],
      devices: [{ path: '/dev/own', type: 'c', major: 1n, minor: 3n }],
      resources: { memory: { limit: { value: 1000n } }, cpu: { shares: { value: 2n }, cpus: '0-3' }, unified: { 'own.max': '1' } },
      oomScoreAdj: { value: 3n },
      cgroupsPath: '/own',
      sysctl: { 'net.own': '1' },
      netDevices: { own0: { name: 'eth9' } },
      seccompProfile: { profileType: 0 },
    },
  },
};

export const UPDATE: Init<UpdateContainerRequest> = {
  pod: { id: 'p1', name: 'pod' },
  container: { id: 'c1', name: 'ctr' },
  linuxResources: { memory: { limit: { value: 1000n } }, cpu: { shares: { value: 2n }, quota: { value: -1n } } },
};

const create = (name: string, ...adjust: readonly (Adjust | undefined)[]): MergeCase => ({
  name,
  call: 'create',
  request: CREATE,
  answers: adjust.map((one) => ({ adjust: one })),
});
const linux = (name: string, ...answers: readonly Init<LinuxContainerAdjustment>[]): MergeCase =>
  create(name, ...answers.map((one) => ({ linux: one })));
const resources = (name: string, ...answers: readonly Init<LinuxResources>[]): MergeCase =>
  linux(name, ...answers.map((one) => ({ resources: one })));
const withUpdates = (name: string, ...answers: readonly (readonly Init<ContainerUpdate>[])[]): MergeCase => ({
  name,
  call: 'create',
  request: CREATE,
  answers: answers.map((update) => ({ update })),
});
const update = (name: string, ...answers: readonly (readonly Init<ContainerUpdate>[])[]): MergeCase => ({
  name,
  call: 'update',
  request: UPDATE,
  answers: answers.map((one) => ({ update: one })),
});

export const shares = (containerId: string, value: bigint, more: Init<ContainerUpdate> = {}): Init<ContainerUpdate> => ({
  containerId,
  linux: { resources: { cpu: { shares: { value } } } },
  ...more,
});

const ALL_RESOURCES: Init<LinuxResources> = {
  memory: {
    limit: { value: 1n },
    reservation: { value: 2n },
    swap: { value: -1n },
    kernel: { value: 4n },
    kernelTcp: { value: 5n },
    swappiness: { value: 0n },
    disableOomKiller: { value: false },
    useHierarchy: { value: true },
  },
  cpu: {
    shares: { value: 0n },
    quota: { value: -1n },
    period: { value: 100_000n },
    realtimeRuntime: { value: 9n },
    realtimePeriod: { value: 10n },
    cpus: '0-1',
    mems: '0',
  },
  hugepageLimits: [
    { pageSize: '2MB', limit: 4n },
    { pageSize: '1GB', limit: 2n ** 63n },
  ],
  blockioClass: { value: 'slow' },
  rdtClass: { value: '' },
  unified: { 'memory.high': '1', 'io.weight': '2' },
  devices: [{ allow: true, type: 'c', major: { value: 1n }, access: 'rw' }],
};

const HOOKS: Init<Hooks> = {
  prestart: [{ path: '/1', args: ['1', 'a'], env: ['A=b'], timeout: { value: 0n } }],
  createRuntime: [{ path: '/2' }],
  createContainer: [{ path: '/3' }],
  startContainer: [{ path: '/4' }, { path: '/4' }],
  poststart: [{ path: '/5' }],
  poststop: [{ path: '/6' }],
};

const policy = { defaultAction: 'SCMP_ACT_ERRNO', defaultErrno: { value: 1 }, syscalls: [{ names: ['chmod'], action: 'SCMP_ACT_LOG' }] };
const device = (path: string, minor = 1n): Init<LinuxContainerAdjustment> => ({ devices: [{ path, type: 'c', major: 5n, minor }] });

export const MERGE_CASES: readonly MergeCase[] = [
  create('no plugin'),
  create('plugins that say nothing', undefined, {}, { linux: {} }, { linux: { resources: {} } }),

  create('annotations of two plugins', { annotations: { a: '1', own: '9' } }, { annotations: { b: '' } }),
  create('an annotation of two plugins', { annotations: { a: '1' } }, { annotations: { a: '1' } }),
  create('an annotation that is removed and set', { annotations: { a: '1' } }, { annotations: { '-a': '', a: '2' } }),
  create('an annotation that is set after a removal by another', { annotations: { '-own': '' } }, { annotations: { own: '2' } }),
  create(
    'an annotation that a third plugin sets, after one has taken it over',
    { annotations: { a: '1' } },
    { annotations: { '-a': '', a: '2' } },
    { annotations: { a: '3' } },
  ),
  create('an annotation that a third plugin takes over again', { annotations: { a: '1' } }, { annotations: { '-a': '', a: '2' } }, { annotations: { '-a': '', a: '3' } }), // prettier-ignore
  create('an annotation that is removed, of the container', { annotations: { '-own': 'ignored' } }),
  create('an annotation that is removed and nowhere', { annotations: { '-none': '' } }, { annotations: { '-none': '' } }),
  create('an annotation with two minuses', { annotations: { '--a': '' } }, { annotations: { '---b': '', '-b': '1' } }),
  create('annotations with the names of properties', JSON.parse('{ "annotations": { "__proto__": "1", "constructor": "2" } }') as Adjust),

  create(
    'mounts in order',
    { mounts: [{ destination: '/b' }, { destination: '/a' }] },
    { mounts: [{ destination: '/c', options: ['ro'] }] },
  ),
  create('a mount in the place of the container’s own', { mounts: [{ destination: '/own', type: 'tmpfs' }] }),
  create('a mount of two plugins', { mounts: [{ destination: '/m' }] }, { mounts: [{ destination: '/m' }] }),
  create('a mount twice of one plugin', { mounts: [{ destination: '/m' }, { destination: '/m' }] }),
  create('a mount that is removed', { mounts: [{ destination: '-/own' }, { destination: '-/proc' }] }),
  create('a mount that is removed and set', { mounts: [{ destination: '-/own' }, { destination: '/own', source: '/new' }] }),
  create('a mount of a plugin that the next removes', { mounts: [{ destination: '/m' }] }, { mounts: [{ destination: '-/m' }] }),
  create('a mount of a plugin that the next takes over', { mounts: [{ destination: '/m' }] }, { mounts: [{ destination: '/m' }, { destination: '-/m' }] }), // prettier-ignore
  create(
    'a mount that a plugin has taken away, set by a third',
    { mounts: [{ destination: '/m' }] },
    { mounts: [{ destination: '-/m' }] },
    { mounts: [{ destination: '/m' }] },
  ),
  create('a mount of the container’s, removed by one and set by the next', { mounts: [{ destination: '-/own' }] }, { mounts: [{ destination: '/own' }] }), // prettier-ignore
  create('a mount removed twice', { mounts: [{ destination: '-/own' }, { destination: '-/own', source: 'x' }] }, { mounts: [{ destination: '-/own' }] }), // prettier-ignore

  create('environment variables', { env: [{ key: 'A', value: '1' }, { key: 'OWN', value: 'a=b' }] }, { env: [{ key: 'B', value: '' }] }), // prettier-ignore
  create('an environment variable of two plugins', { env: [{ key: 'A', value: '1' }] }, { env: [{ key: 'A', value: '1' }] }),
  create('an environment variable twice of one plugin', { env: [{ key: 'A', value: '1' }, { key: 'A', value: '2' }] }), // prettier-ignore
  create('an environment variable that is removed and set', { env: [{ key: 'A', value: '1' }] }, { env: [{ key: '-A' }, { key: 'A', value: '2' }] }), // prettier-ignore
  create('environment variables that are removed, of the container', { env: [{ key: '-OWN' }, { key: '-BARE' }, { key: '-NONE' }] }),
  create('an environment variable that a plugin has taken away, set by a third', { env: [{ key: 'A', value: '1' }] }, { env: [{ key: '-A' }] }, { env: [{ key: 'A', value: '3' }] }), // prettier-ignore

  create('a command', { args: ['sh', '-c', 'x'] }),
  create('a command of two plugins', { args: ['sh'] }, { args: ['bash'] }),
  create('a command that is taken over', { args: ['sh'] }, { args: ['', 'bash', ''] }),
  create('a command that is taken over from nobody', { args: ['', 'bash'] }),
  create('a command that is taken over twice', { args: ['a'] }, { args: ['', 'b'] }, { args: ['', 'c'] }),
  create('a command that a third plugin sets', { args: ['a'] }, { args: ['', 'b'] }, { args: ['c'] }),

  create('hooks of two plugins', { hooks: HOOKS }, { hooks: { poststop: [{ path: '/7' }] } }),
  create('hooks of three plugins, one of them empty', { hooks: HOOKS }, { hooks: {} }, { hooks: HOOKS }),

  linux('devices', device('/dev/a'), device('/dev/own'), device('/dev/b', -1n)),
  linux('a device of two plugins', device('/dev/a'), device('/dev/a')),
  linux('a device that is removed', { devices: [{ path: '-/dev/own' }] }),
  linux('a device that is removed and set', device('/dev/a'), { devices: [{ path: '-/dev/a' }, { path: '/dev/a', type: 'b' }] }),
  linux('a device that a plugin has taken away, set by a third', device('/dev/a'), { devices: [{ path: '-/dev/a' }] }, device('/dev/a')),

  resources('all resources', ALL_RESOURCES),
  resources('resources of two plugins', { memory: { limit: { value: 0n } } }, { memory: { swap: { value: 1n } }, cpu: { cpus: '' } }),
  ...Object.entries(ALL_RESOURCES.memory ?? {}).map(([name, value]) =>
    resources(`memory ${name} of two plugins`, { memory: { [name]: value } }, { memory: { [name]: value } }),
  ),
  ...Object.entries(ALL_RESOURCES.cpu ?? {}).map(([name, value]) =>
    resources(`cpu ${name} of two plugins`, { cpu: { [name]: value } }, { cpu: { [name]: value } }),
  ),
  resources('limits for pages of two sizes', { hugepageLimits: [{ pageSize: '2MB', limit: 1n }] }, { hugepageLimits: [{ pageSize: '1GB', limit: 1n }] }), // prettier-ignore
  resources('a limit for pages of two plugins', { hugepageLimits: [{ pageSize: '2MB', limit: 1n }] }, { hugepageLimits: [{ pageSize: '2MB', limit: 1n }] }), // prettier-ignore
  resources('a limit for pages twice', { hugepageLimits: [{ pageSize: '2MB' }, { pageSize: '2MB' }] }),
  resources('unified of two plugins', { unified: { a: '1' } }, { unified: { b: '1', 'own.max': '2' } }),
  resources('an entry of unified of two plugins', { unified: { a: '1' } }, { unified: { a: '1' } }),
  resources('rules for devices of two plugins', { devices: [{ allow: true }] }, { devices: [{ allow: true }, { type: 'b' }] }),
  resources('a block I/O class of two plugins', { blockioClass: { value: 'a' } }, { blockioClass: { value: '' } }),
  resources('an RDT class of two plugins', { rdtClass: { value: 'a' } }, { rdtClass: { value: 'a' } }),
  resources('a limit of processes', { pids: { limit: 0n } }),
  resources('a limit of processes of two plugins', { pids: { limit: 5n } }, { pids: { limit: 5n } }),

  linux('a cgroup path', { cgroupsPath: '/new' }, { cgroupsPath: '' }),
  linux('a cgroup path of two plugins', { cgroupsPath: '/new' }, { cgroupsPath: '/new' }),
  linux('an OOM score', { oomScoreAdj: { value: -999n } }),
  linux('an OOM score of two plugins', { oomScoreAdj: { value: 0n } }, { oomScoreAdj: { value: 0n } }),
  linux('an I/O priority', { ioPriority: { class: 2, priority: 7 } }),
  linux('an I/O priority of two plugins', { ioPriority: {} }, { ioPriority: {} }),
  linux('a seccomp policy', { seccompPolicy: policy }),
  linux('a seccomp policy of two plugins', { seccompPolicy: policy }, { seccompPolicy: {} }),
  linux('a scheduler', { scheduler: { policy: 2, priority: 1, flags: [0, 3], runtime: 1n } }),
  linux('a scheduler of two plugins', { scheduler: {} }, { scheduler: { policy: 1 } }),
  linux('a memory policy', { memoryPolicy: { mode: 2, nodes: '0', flags: [0] } }),
  linux('a memory policy of two plugins', { memoryPolicy: { mode: 2 } }, { memoryPolicy: {} }),

  linux('namespaces', { namespaces: [{ type: 'network', path: '/n' }, { type: 'uts' }] }, { namespaces: [{ type: '-ipc' }, { type: '-none' }] }), // prettier-ignore
  linux('a namespace of two plugins', { namespaces: [{ type: 'uts' }] }, { namespaces: [{ type: 'uts' }] }),
  linux('a namespace that is removed by two plugins', { namespaces: [{ type: '-ipc' }] }, { namespaces: [{ type: '-ipc' }] }),
  linux('a namespace that is removed and set', { namespaces: [{ type: '-ipc' }, { type: 'ipc', path: '/x' }] }),

  linux('sysctls', { sysctl: { 'net.a': '1', 'net.own': '2' } }, { sysctl: { 'net.b': '' } }),
  linux('a sysctl of two plugins', { sysctl: { 'net.a': '1' } }, { sysctl: { 'net.a': '1' } }),
  linux('a sysctl that is removed and set', { sysctl: { 'net.a': '1' } }, { sysctl: { '-net.a': '', 'net.a': '2' } }),
  linux('a sysctl that is removed, of the container', { sysctl: { '-net.own': '' } }, { sysctl: { '-net.own': '', '-net.none': '' } }),
  linux('a sysctl that is removed by one and set by the next', { sysctl: { '-net.own': '' } }, { sysctl: { 'net.own': '2' } }),

  linux('network devices', { netDevices: { eth1: { name: 'a' } } }, { netDevices: { own0: { name: '' } } }),
  linux('a network device of two plugins', { netDevices: { eth1: { name: 'a' } } }, { netDevices: { eth1: { name: 'b' } } }),
  linux('a network device that is removed', { netDevices: { '-own0': { name: 'x' } } }),
  linux(
    'a network device that is removed and set',
    { netDevices: { eth1: { name: 'a' } } },
    { netDevices: { '-eth1': {}, eth1: { name: 'b' } } },
  ),

  linux(
    'RDT',
    { rdt: { closId: { value: 'a' } } },
    { rdt: { schemata: { value: ['L3:0=f', 'MB:0=10'] }, enableMonitoring: { value: false } } },
  ),
  linux('an RDT class of service of two plugins', { rdt: { closId: { value: 'a' } } }, { rdt: { closId: { value: 'a' } } }),
  linux('RDT schemata of two plugins', { rdt: { schemata: { value: [] } } }, { rdt: { schemata: { value: [] } } }),
  linux('RDT monitoring of two plugins', { rdt: { enableMonitoring: { value: true } } }, { rdt: { enableMonitoring: {} } }),
  linux('RDT that is removed', { rdt: { closId: { value: 'a' } } }, { rdt: { remove: true } }),
  linux(
    'RDT that is removed and set',
    { rdt: { closId: { value: 'a' }, schemata: {} } },
    { rdt: { remove: true, closId: { value: 'b' } } },
  ),
  linux(
    'RDT that a third plugin sets after a removal',
    { rdt: { closId: { value: 'a' } } },
    { rdt: { remove: true } },
    { rdt: { schemata: {} } },
  ),
  linux('RDT that is removed twice', { rdt: { remove: true } }, { rdt: { remove: true, enableMonitoring: { value: true } } }, { rdt: {} }),

  create('rlimits', { rlimits: [{ type: 'RLIMIT_CORE', hard: 1n }] }, { rlimits: [{ type: 'RLIMIT_NOFILE', hard: 2n ** 64n - 1n }] }),
  create('an rlimit of two plugins', { rlimits: [{ type: 'RLIMIT_CORE' }] }, { rlimits: [{ type: 'RLIMIT_CORE' }] }),
  create('CDI devices', { cdiDevices: [{ name: 'v/c=a' }] }, { cdiDevices: [{ name: 'v/c=b' }] }),
  create('a CDI device of two plugins', { cdiDevices: [{ name: 'v/c=a' }] }, { cdiDevices: [{ name: 'v/c=a' }] }),

  withUpdates('updates of others', [shares('o1', 1n), { containerId: 'o2' }], [{ containerId: 'o1', linux: { resources: { memory: { limit: { value: 5n } } } } }]), // prettier-ignore
  withUpdates('an update of another by two plugins', [shares('o1', 1n)], [shares('o1', 1n)]),
  withUpdates('an update of another by two plugins, of which the second may fail', [shares('o1', 1n)], [shares('o1', 3n, { ignoreFailure: true })]), // prettier-ignore
  withUpdates('updates of one container that may fail, all or not', [shares('o1', 1n, { ignoreFailure: true }), shares('o2', 1n, { ignoreFailure: true })], [{ containerId: 'o1' }, { containerId: 'o2', ignoreFailure: true }]), // prettier-ignore
  withUpdates('an update of the container that is created', [shares('c1', 1n)]),
  withUpdates('an update of the container that is created, which may fail', [shares('o1', 1n), shares('c1', 1n, { ignoreFailure: true })]),
  withUpdates('updates of all resources', [{ containerId: 'o1', linux: { resources: ALL_RESOURCES } }]),
  withUpdates('updates of two containers with the same fields', [shares('o1', 1n), shares('o2', 1n)]),

  update('an update that no plugin changes', []),
  update('an update that a plugin changes', [shares('c1', 5n)], []),
  update('an update that two plugins change', [shares('c1', 5n)], [{ containerId: 'c1', linux: { resources: { unified: { a: '1' } } } }]),
  update('an update that two plugins change in one field', [shares('c1', 5n)], [shares('c1', 6n)]),
  update('an update that changes others too', [shares('o1', 5n), shares('c1', 6n)], [shares('o2', 5n)]),
  update('an update of all resources', [{ containerId: 'c1', linux: { resources: ALL_RESOURCES } }]),
  update('an update of one field by two, of which the second may fail', [shares('c1', 5n)], [shares('c1', 6n, { ignoreFailure: true })]),
  { name: 'an update without resources', call: 'update', request: { container: { id: 'c1' } }, answers: [{ update: [shares('c1', 1n)] }] },

  { name: 'a stop', call: 'stop', answers: [{ update: [shares('o1', 1n)] }, { update: [shares('c1', 1n)] }] },
  { name: 'a stop, a field of two plugins', call: 'stop', answers: [{ update: [shares('o1', 1n)] }, { update: [shares('o1', 1n)] }] },
];
