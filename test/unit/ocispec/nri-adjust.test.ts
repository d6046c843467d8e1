import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../api/nri/enums.ts';
import type { ContainerAdjustment, Init, LinuxContainerAdjustment } from '../../../api/nri/messages.ts';
import { buildSpec } from '../../../src/ocispec/build.ts';
import { mergeCdiEdits } from '../../../src/ocispec/cdi-edits.ts';
import { withAdjustment } from '../../../src/ocispec/nri-adjust.ts';
import type { AdjustmentContext } from '../../../src/ocispec/nri-context.ts';
import type { OciSpec } from '../../../src/ocispec/oci-types.ts';
import { ABLE, adjustment, linuxAdjustment } from '../../support/nri-adjustments.ts';
import { containerConfig, containerInput, HOST, RUNTIME, sandboxConfig } from '../../support/spec-inputs.ts';

const CONFIG = {
  metadata: { name: 'web' },
  image: { image: 'sha256:1' },
  command: ['/bin/web'],
  envs: [{ key: 'A', value: Buffer.from('1') }],
  linux: { resources: { memoryLimitInBytes: 1_000_000n, cpuShares: 512n } },
};
const SPEC = buildSpec(containerInput({ config: containerConfig(CONFIG), sandboxConfig: sandboxConfig({ hostname: 'h' }) }));
const IDS = { containerId: 0, hostId: 100_000, length: 65_536 };
const USER_NAMESPACE = { uids: IDS, gids: IDS };

const adjusted = (init: Init<ContainerAdjustment>, changes: Partial<AdjustmentContext> = {}, spec = SPEC): OciSpec =>
  withAdjustment(spec, adjustment(init), { ...ABLE, ...changes });
const linux = (init: Init<LinuxContainerAdjustment>, changes: Partial<AdjustmentContext> = {}): OciSpec =>
  adjusted({ linux: init }, changes);

test('an adjustment that asks for nothing leaves the spec as it is', () => {
  assert.deepStrictEqual(adjusted({}), SPEC);
  assert.deepStrictEqual(linux({ resources: {} }), SPEC);
});

test('variables change where they stand and come last where they are new; arguments, hooks and annotations as asked', () => {
  const spec = adjusted({
    env: [{ key: 'NEW', value: 'n=1' }, { key: 'A', value: '2' }, { key: '-HOSTNAME', value: '' }, { key: '-GONE', value: '' }],
    args: ['/bin/sh', ''],
    annotations: { added: 'x', '-gone': '', '-both': '', both: 'there' },
    hooks: { poststop: [{ path: '/bin/true', args: ['true'], env: ['B=1'], timeout: { value: 2n } }], prestart: [{ path: '/bin/false' }] },
  }); // prettier-ignore
  assert.deepStrictEqual(
    spec.process.env.filter((entry) => !entry.startsWith('PATH=') && !entry.startsWith('HOME=')),
    ['A=2', 'NEW=n=1'],
  );
  assert.deepStrictEqual(spec.process.args, ['/bin/sh', '']);
  assert.deepStrictEqual(spec.annotations, { ...SPEC.annotations, added: 'x', both: 'there' });
  assert.deepStrictEqual(spec.hooks, {
    prestart: [{ path: '/bin/false' }],
    poststop: [{ path: '/bin/true', args: ['true'], env: ['B=1'], timeout: 2 }],
  });
});

test('a device comes with the rule that lets it be used; a pipe needs none', () => {
  const spec = linux({
    devices: [
      { path: '/dev/fuse', type: 'c', major: 10n, minor: 229n, fileMode: { value: 0o666 }, uid: { value: 5 }, gid: { value: 0 } },
      { path: '/dev/disk', type: 'b', major: 8n, minor: 0n },
      { path: '/dev/pipe', type: 'p' },
      { path: '-/dev/gone' },
    ],
  });
  assert.deepStrictEqual(spec.linux.devices, [
    { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 5, gid: 0 },
    { path: '/dev/disk', type: 'b', major: 8, minor: 0 },
    { path: '/dev/pipe', type: 'p', major: 0, minor: 0 },
  ]);
  assert.deepStrictEqual(spec.linux.resources.devices, [
    ...(SPEC.linux.resources.devices ?? []),
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
    { allow: true, type: 'b', major: 8, minor: 0, access: 'rwm' },
  ]);
});

test('in a user namespace a device is the node of the host, wherever that is, and one that is nowhere is refused', () => {
  const spec = buildSpec(containerInput({ userMapping: USER_NAMESPACE }));
  const device = { path: '/dev/mine', type: 'c', major: 10n, minor: 229n };
  const context = { userMapping: USER_NAMESPACE, deviceSources: new Map([['/dev/mine', '/dev/fuse']]) };
  const elsewhere = adjusted({ linux: { devices: [device] } }, context, spec);

  assert.deepStrictEqual(elsewhere.linux.devices, []);
  const bound = { destination: '/dev/mine', type: 'bind', source: '/dev/fuse', options: ['bind'] };
  assert.deepStrictEqual(elsewhere.mounts.filter(({ destination }) => destination === '/dev/mine'), [bound]); // prettier-ignore
  assert.deepStrictEqual(elsewhere.linux.resources.devices?.at(-1), { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
  const removed = adjusted({ linux: { devices: [{ path: '-/dev/mine' }] } }, context, elsewhere);
  assert.deepStrictEqual(removed.mounts, spec.mounts);
  const inPlace = adjusted({ linux: { devices: [device] } }, { ...context, deviceSources: new Map([['/dev/mine', '/dev/mine']]) }, spec);
  assert.deepStrictEqual(inPlace.linux.devices.map(({ path }) => path), ['/dev/mine']); // prettier-ignore
  assert.throws(
    () => adjusted({ linux: { devices: [device] } }, { userMapping: USER_NAMESPACE }, spec),
    /"\/dev\/mine" is c 10:229, which is nowhere in \/dev of this node/,
  );
});

test("in a user namespace a bind mount of a plugin has its type, and namespaces are the pod's or new", () => {
  const spec = buildSpec(containerInput({ userMapping: USER_NAMESPACE }));
  const context = { userMapping: USER_NAMESPACE };
  const mount = { destination: '/data', source: '/var/data', options: ['rbind', 'rro'] };
  const { mounts } = adjusted({ mounts: [mount] }, context, spec);

  assert.equal(mounts.find(({ destination }) => destination === '/data')?.type, 'bind');
  assert.ok(adjusted({ linux: { namespaces: [{ type: 'ipc' }] } }, context, spec));
  for (const namespaces of [[{ type: '-network' }], [{ type: 'uts', path: '/proc/1/ns/uts' }], [{ type: '-pid' }]])
    assert.throws(() => adjusted({ linux: { namespaces } }, context, spec), /must be its pod's or a new one/);
});

test('a mount takes the place of another and stands where its depth and name say; its propagation reaches the root', () => {
  const spec = adjusted({
    mounts: [
      { destination: '/etc/hosts', type: 'bind', source: '/var/hosts', options: ['bind', 'ro'] },
      { destination: '-/dev/shm', source: '' },
      { destination: '/b/c', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/b', type: 'bind', source: '/var/lib/b', options: ['rbind', 'rslave', 'relabel'] },
    ],
  });
  const places = spec.mounts.map(({ destination }) => destination);
  assert.deepStrictEqual(places, [
    ...['/b', '/dev', '/proc', '/sys', '/b/c', '/dev/mqueue', '/dev/pts', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf'],
    '/sys/fs/cgroup',
  ]);
  assert.equal(spec.mounts.find(({ destination }) => destination === '/etc/hosts')?.source, '/var/hosts');
  assert.deepStrictEqual(spec.mounts[0]?.options, ['rbind', 'rslave'], 'relabel is no option of the kernel');
  assert.equal(spec.linux.rootfsPropagation, 'rslave');
});

test('without a cgroup namespace of its own the cgroup mount repeats the options of the host', () => {
  const optionsOf = ({ mounts }: OciSpec): readonly string[] => mounts.find(({ type }) => type === 'cgroup')?.options ?? [];
  assert.deepStrictEqual(optionsOf(linux({ namespaces: [{ type: '-cgroup' }] })), [
    ...optionsOf(SPEC),
    'nsdelegate',
    'memory_recursiveprot',
  ]);
  assert.deepStrictEqual(optionsOf(linux({ namespaces: [{ type: '-ipc' }] })), optionsOf(SPEC));
});

test('limits go field by field over those that are there; a limit on memory takes swap along; zero of the processor takes away', () => {
  const spec = linux({
    resources: {
      memory: { limit: { value: 2_000_000n }, reservation: { value: 5n } },
      cpu: { shares: { value: 0n }, quota: { value: -5n }, cpus: '0-1' },
      hugepageLimits: [{ pageSize: '2MB', limit: 3n }],
      unified: { 'memory.high': '9' },
      pids: { limit: 7n },
      devices: [{ allow: true, type: 'c', major: { value: 1n }, access: 'r' }],
    },
  });
  assert.deepStrictEqual(spec.linux.resources, {
    devices: [...(SPEC.linux.resources.devices ?? []), { allow: true, type: 'c', major: 1, access: 'r' }],
    cpu: { quota: -1, cpus: '0-1' },
    memory: { limit: 2_000_000, swap: 2_000_000, reservation: 5 },
    hugepageLimits: [{ pageSize: '2MB', limit: 3 }],
    unified: { 'memory.high': '9' },
    pids: { limit: 7 },
  });
});

test('a limit beyond any machine is one that runtimes and kernels can read', () => {
  const most = 2n ** 63n - 1n;
  const { resources } = linux({ resources: { memory: { reservation: { value: most } }, pids: { limit: most } } }).linux;
  assert.equal(resources.memory?.reservation, Number.MAX_SAFE_INTEGER);
  assert.deepStrictEqual(resources.pids, { limit: -1 });
  assert.deepStrictEqual(linux({ resources: { pids: { limit: 4_194_304n } } }).linux.resources.pids, { limit: 4_194_304 });
});

test('an OOM score keeps above what the daemon may set, rlimits below, and a type is limited once', () => {
  const host = { ...HOST, oomScoreAdjFloor: -5, rlimitCeilings: { RLIMIT_NOFILE: { soft: 10, hard: 20 } } };
  const spec = adjusted(
    {
      linux: { oomScoreAdj: { value: -900n } },
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 1n, hard: 2n },
        { type: 'RLIMIT_NOFILE', soft: 30n, hard: 2n ** 64n - 1n },
        { type: 'RLIMIT_CORE', soft: 0n, hard: 2n ** 64n - 1n },
      ],
    },
    { host },
  );
  assert.equal(spec.process.oomScoreAdj, -5);
  assert.deepStrictEqual(spec.process.rlimits, [
    { type: 'RLIMIT_NOFILE', soft: 20, hard: 20 },
    { type: 'RLIMIT_CORE', soft: 0, hard: 2n ** 64n - 1n },
  ]);
});

test('a class of NONE takes scheduler and I/O priority away; a class of RDT is a group, and an empty one takes it away', () => {
  const had = linux({
    scheduler: { policy: 2, priority: 5, flags: [0, 3], runtime: 2n ** 63n },
    ioPriority: { class: 2, priority: 7 },
    rdt: { closId: { value: 'gold' }, schemata: { value: ['L3:0=f'] }, enableMonitoring: { value: true } },
    memoryPolicy: { mode: 2, nodes: '0', flags: [0] },
  });
  assert.deepStrictEqual(had.process.scheduler, {
    policy: 'SCHED_FIFO',
    priority: 5,
    flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_KEEP_POLICY'],
    runtime: 2n ** 63n,
  });
  assert.deepStrictEqual(had.process.ioPriority, { class: 'IOPRIO_CLASS_BE', priority: 7 });
  assert.deepStrictEqual(had.linux.intelRdt, { closID: 'gold', schemata: ['L3:0=f'], enableMonitoring: true });
  assert.deepStrictEqual(had.linux.memoryPolicy, { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] });
  const none = { scheduler: { policy: 0 }, ioPriority: {}, resources: { rdtClass: { value: '' } } };
  const gone = adjusted({ linux: none }, {}, had);
  assert.deepStrictEqual([gone.process.scheduler, gone.process.ioPriority, gone.linux.intelRdt], [undefined, undefined, undefined]);
  assert.deepStrictEqual(linux({ resources: { rdtClass: { value: 'gold' } } }).linux.intelRdt, { closID: 'gold' });
  assert.deepStrictEqual(adjusted({ linux: { rdt: { remove: true, closId: { value: 'x' } } } }, {}, had).linux.intelRdt, { closID: 'x' });
});

test('a seccomp policy takes the place of the whole one', () => {
  const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 1 }, args: [{ index: 0, value: 2n ** 64n - 1n, op: 'SCMP_CMP_EQ' }] }]; // prettier-ignore
  const spec = linux({ seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW', defaultErrno: { value: 38 }, syscalls } });
  assert.deepStrictEqual(spec.linux.seccomp, {
    defaultAction: 'SCMP_ACT_ALLOW',
    defaultErrnoRet: 38,
    syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [{ index: 0, value: 2n ** 64n - 1n, op: 'SCMP_CMP_EQ' }] }],
  });
});

test('CDI devices come before the devices of the adjustment', () => {
  const node = {
    path: '/dev/gpu',
    hostPath: '',
    type: 'c',
    major: 1,
    minor: 3,
    fileMode: 0o600,
    permissions: 'r',
    uid: 0,
    gid: 0,
  } as const;
  const nothing = { env: ['A=cdi'], netDevices: [], hooks: [], mounts: [], intelRdt: undefined, additionalGids: [] };
  const cdi = mergeCdiEdits([{ ...nothing, deviceNodes: [node] }]);
  const asked = { cdiDevices: [{ name: 'v.com/gpu=0' }], env: [{ key: 'A', value: '2' }], linux: { devices: [{ path: '-/dev/gpu' }] } };
  const spec = adjusted(asked, { cdi });
  assert.deepStrictEqual(spec.linux.devices, []);
  assert.ok(spec.process.env.includes('A=cdi'));
  assert.throws(() => adjusted(asked), /CDI_devices are not resolved/);
});

const V1 = { ...HOST, cgroupVersion: 'v1' } as const;
const REFUSED: readonly [init: Init<ContainerAdjustment>, words: RegExp, changes?: Partial<AdjustmentContext>][] = [
  [{ args: [''] }, /args begin with an empty word/],
  [{ args: ['sh', 'a\0b'] }, /args has "a\\u0000b", must be without a NUL byte/],
  [{ env: [{ key: 'A=B', value: '' }] }, /env has the key "A=B", must not be empty or hold "="/],
  [{ env: [{ key: '', value: '1' }] }, /env has the key ""/],
  [{ env: [{ key: 'A', value: '\0' }] }, /env: "A" or its value holds a NUL byte/],
  [{ annotations: { 'io.kubernetes.cri.sandbox-id': 'x' } }, /annotations changes "io.kubernetes.cri.sandbox-id", must not/],
  [{ annotations: { '-io.kubernetes.cri.container-type': '' } }, /annotations changes "io.kubernetes.cri.container-type"/],
  [{ hooks: { prestart: [{ path: 'true' }] } }, /hooks.prestart has the path "true", must be absolute/],
  [{ hooks: { poststop: [{ path: '/t', timeout: { value: 0n } }] } }, /hooks.poststop has the timeout 0, must be from 1 to 2147483647 seconds/],
  [{ hooks: { poststop: [{ path: '/t', timeout: { value: 10_000_000_000n } }] } }, /hooks.poststop has the timeout 10000000000, must be/],
  [{ hooks: { poststop: [{ path: '/t', env: ['A=\0'] }] } }, /hooks.poststop has "A=\\u0000", must be without a NUL byte/],
  [{ rlimits: [{ type: 'NOFILE', soft: 1n, hard: 1n }] }, /rlimits has the type "NOFILE", must be one of RLIMIT_AS/],
  [{ rlimits: [{ type: 'RLIMIT_CPU', soft: 2n, hard: 1n }] }, /RLIMIT_CPU is soft 2, must not be above hard, 1/],
  [{ mounts: [{ destination: 'data', type: 'tmpfs' }] }, /mounts: the one at "data" must be at an absolute path below the root/],
  [{ mounts: [{ destination: '/x', type: 'tmpfs', options: ['a\0'] }] }, /mounts: the one at "\/x" has "a\\u0000", must be without a NUL/],
  [{ mounts: [{ destination: '/x/..', type: 'tmpfs' }] }, /must be at an absolute path below the root/],
  [{ mounts: [{ destination: '/x', type: 'bind', source: 'y' }] }, /has the source "y", must be an absolute path of the node/],
  [{ mounts: [{ destination: '/x', source: '/y' }] }, /has no type, must have one, or bind among its options/],
  [{ mounts: [{ destination: '/proc/sys', type: 'bind', source: '/y' }] }, /is in \/proc, must not be/],
  [{ mounts: [{ destination: '/x', type: 'bind', source: '/home', options: ['rshared'] }] }, /is rshared, and its source "\/home" is on the mount "\/", which is private, must be shared$/],
  [{ mounts: [{ destination: '/x', type: 'bind', source: '/y', options: ['rro'] }] }, /has the option rro/, { runtime: { ...RUNTIME, recursiveReadOnlyMounts: false } }],
  [{ mounts: [{ destination: '/x', type: 'bind', source: '/y', options: ['idmap'] }] }, /has the option idmap/, { runtime: RUNTIME }],
  [{ mounts: [{ destination: '/x', type: 'bind', source: '/y', options: ['relabel'] }] }, /has the option relabel/, { host: { ...HOST, selinux: true } }],
  [{ linux: { devices: [{ path: 'x', type: 'c' }] } }, /linux.devices has the path "x", must be absolute/],
  [{ linux: { devices: [{ path: '/dev/..', type: 'c' }] } }, /has the path "\/dev\/..", must be absolute and below the root/],
  [{ linux: { devices: [{ path: '/dev/x\0', type: 'c' }] } }, /linux.devices has "\/dev\/x\\u0000", must be without a NUL/],
  [{ linux: { devices: [{ path: '/dev/x', type: 'd' }] } }, /has the type "d", must be b, c, u or p/],
  [{ linux: { devices: [{ path: '/dev/x', type: 'c', major: -1n }] } }, /has the number -1:0, must be from 0/],
  [{ linux: { cgroupsPath: '/other' } }, /linux.cgroups_path is "\/other", must not be there/, { cgroupMust: 'must not be there' }],
  [{ linux: { oomScoreAdj: { value: 1001n } } }, /linux.oom_score_adj is 1001, must be from -1000 to 1000/],
  [{ linux: { ioPriority: { class: 9 } } }, /linux.io_priority.class is 9/],
  [{ linux: { ioPriority: { class: 1, priority: 8 } } }, /linux.io_priority.priority is 8, must be from 0 to 7/],
  [{ linux: { ioPriority: { class: 1 } } }, /linux.io_priority is set, must not be: the runtime handler/, { runtime: RUNTIME }],
  [{ linux: { scheduler: { policy: 8 } } }, /linux.scheduler.policy is 8/],
  [{ linux: { scheduler: { policy: 1, flags: [7] } } }, /linux.scheduler.flags has 7/],
  [{ linux: { scheduler: { policy: 1 } } }, /linux.scheduler is set, must not be: the runtime handler/, { runtime: RUNTIME }],
  [{ linux: { seccompPolicy: {} } }, /linux.seccomp_policy has the action "", must be one of SCMP_ACT_KILL/],
  [{ linux: { seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['x'], action: 'SCMP_ACT_LOG', args: [{ op: '==' }] }] } } }, /has the operator "=="/],
  [{ linux: { seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW' } } }, /this kernel has no seccomp/, { host: { ...HOST, seccomp: false } }],
  [{ linux: { namespaces: [{ type: 'cpu' }] } }, /linux.namespaces has the type "cpu", must be one of pid, network/],
  [{ linux: { namespaces: [{ type: 'network', path: 'x' }] } }, /the path of network is "x", must be absolute/],
  [{ linux: { namespaces: [{ type: 'network', path: '/x\0' }] } }, /the path of network has "\/x\\u0000", must be without a NUL/],
  [{ linux: { namespaces: [{ type: 'user' }] } }, /user is to be a new one, must be its pod's/],
  [{ linux: { namespaces: [{ type: '-mount' }] } }, /mount is to be the node's, must be a new one/],
  [{ linux: { namespaces: [{ type: 'time' }] } }, /time is to be a new one, must be left out/, { runtime: RUNTIME }],
  [{ linux: { sysctl: { 'vm.swappiness': '1' } } }, /linux.sysctl has "vm.swappiness", which is one of the whole node/],
  [{ linux: { sysctl: { 'net..x': '1' } } }, /linux.sysctl: set sysctl "net..x": must be a name/],
  [{ linux: { sysctl: { 'net.core.somaxconn': '1' }, namespaces: [{ type: '-network' }] } }, /the container uses the node's network namespace/],
  [{ linux: { netDevices: { '': { name: 'x' } } } }, /linux.net_devices has an empty name/],
  [{ linux: { netDevices: { eth1: {} } } }, /linux.net_devices has "eth1", must not: the runtime handler cannot/, { runtime: RUNTIME }],
  [{ linux: { netDevices: { eth1: {} }, namespaces: [{ type: '-network' }] } }, /"eth1", must not: the container uses the node's network/],
  [{ linux: { memoryPolicy: { mode: 1 } } }, /linux.memory_policy.mode has MPOL_PREFERRED, must not: the runtime handler knows only MPOL_BIND/],
  [{ linux: { memoryPolicy: { mode: 2, flags: [9] } } }, /linux.memory_policy.flags has 9, which is no value of it/],
  [{ linux: { memoryPolicy: { mode: 2 } } }, /linux.memory_policy is set, must not be/, { runtime: RUNTIME }],
  [{ linux: { rdt: { closId: { value: 'x' } } } }, /linux.rdt.clos_id is set, must not be: this node has no resctrl/, { hostMounts: [] }],
  [{ linux: { resources: { rdtClass: { value: 'x' } } } }, /linux.resources.rdt_class is set, must not be: this node has no resctrl/, { hostMounts: [] }],
  [{ linux: { rdt: { schemata: { value: ['x'] } } } }, /linux.rdt.schemata is set, must not be: the runtime handler/, { runtime: RUNTIME }],
  [{ linux: { rdt: { enableMonitoring: { value: true } } } }, /linux.rdt.enable_monitoring is set/, { runtime: RUNTIME }],
  [{ linux: { resources: { blockioClass: { value: 'x' } } } }, /linux.resources.blockio_class is "x", must be left out/],
  [{ linux: { resources: { memory: { kernel: { value: 1n } } } } }, /linux.resources.memory.kernel is 1, must not be set/],
  [{ linux: { resources: { memory: { kernelTcp: { value: 1n } } } } }, /linux.resources.memory.kernel_tcp is 1/],
  [{ linux: { resources: { memory: { swappiness: { value: 1n } } } } }, /memory.swappiness is set, must not be: it needs cgroup v1/],
  [{ linux: { resources: { memory: { disableOomKiller: { value: true } } } } }, /memory.disable_oom_killer is set, must not be: it needs cgroup v1/],
  [{ linux: { resources: { memory: { useHierarchy: { value: false } } } } }, /memory.use_hierarchy is false, must be true/],
  [{ linux: { resources: { memory: { swap: { value: 5n } } } } }, /memory_swap_limit_in_bytes is 5 and counts memory too, must not be below memory_limit_in_bytes, 1000000/],
  [{ linux: { resources: { memory: { swap: { value: 5n } } } } }, /memory.swap is 5, must be left out: this node counts no swap/, { host: { ...HOST, swapAccounting: false } }],
  [{ linux: { resources: { cpu: { realtimeRuntime: { value: 1n } } } } }, /cpu.realtime_runtime is 1, must not be set: it needs cgroup v1/],
  [{ linux: { resources: { cpu: { realtimePeriod: { value: 1n } } } } }, /cpu.realtime_period is 1/],
  [{ linux: { resources: { cpu: { period: { value: 5n } } } } }, /cpu_period is 5, must be 0 or from 1000/],
  [{ linux: { resources: { cpu: { cpus: '9' } } } }, /cpuset_cpus is "9", must be within 0-7/],
  [{ linux: { resources: { hugepageLimits: [{ pageSize: '4MB', limit: 1n }] } } }, /hugepage_limits asks for a limit on huge pages of 4MB/],
  [{ linux: { resources: { unified: { '../x': '1' } } } }, /unified has "..\/x", must be the name of a cgroup v2 file/],
  [{ linux: { resources: { unified: { 'memory.high': '1' } } } }, /unified \(memory.high\) needs cgroup v2/, { host: V1 }],
  [{ linux: { resources: { devices: [{ type: 'p' }] } } }, /linux.resources.devices has the type "p", must be a, b or c/],
  [{ linux: { resources: { devices: [{ type: 'c', access: 'rx' }] } } }, /linux.resources.devices has the access "rx", must be of the letters/],
  [{ linux: { resources: { devices: [{ type: 'c', access: '' }] } } }, /linux.resources.devices has the access ""/],
  [{ linux: { resources: { devices: [{ type: 'c', access: 'r', major: { value: 2n ** 63n - 1n } }] } } }, /linux.resources.devices has the number 9223372036854775807, must be from 0/],
]; // prettier-ignore

test('what cannot be is refused with the field and what must be', () => {
  for (const [init, message, changes] of REFUSED) {
    const name = JSON.stringify(init, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
    assert.throws(() => adjusted(init, changes), { kind: 'FailedPrecondition', message }, name);
    assert.throws(() => adjusted(init, changes), /^DaemonError: create container: an NRI plugin: /, name);
  }
});

test('a refusal names the plugin that owns the field, or the entry', () => {
  const owners = {
    simple: { [Field.CgroupsPath]: '10-cgroups' },
    compound: {
      [Field.Mounts]: { owners: { data: '20-mounts' } },
      [Field.CgroupsUnified]: { owners: { '../x': '30-unified' } },
      [Field.HugepageLimits]: { owners: { '4MB': '40-pages' } },
    },
  };
  const named =
    (init: ContainerAdjustment, more: Partial<AdjustmentContext> = {}) =>
    () =>
      withAdjustment(SPEC, init, { ...ABLE, ...more, owners });
  assert.throws(
    named(linuxAdjustment({ cgroupsPath: '/x' }), { cgroupMust: 'must be another' }),
    /^DaemonError: create container: NRI plugin 10-cgroups: linux\.cgroups_path /,
  );
  assert.throws(
    named(linuxAdjustment({ resources: { unified: { 'memory.low': '1', '../x': '1' } } })),
    /^DaemonError: create container: NRI plugin 30-unified: set resources: unified has "..\/x"/,
  );
  assert.throws(
    named(linuxAdjustment({ resources: { hugepageLimits: [{ pageSize: '4MB', limit: 1n }] } })),
    /^DaemonError: create container: NRI plugin 40-pages: set resources: hugepage_limits asks/,
  );
  assert.throws(named(adjustment({ mounts: [{ destination: 'data' }] })), /NRI plugin 20-mounts: mounts: the one at "data" /);
  assert.throws(named(adjustment({ mounts: [{ destination: 'constructor' }] })), /an NRI plugin: mounts: the one at "constructor" /);
});

test('a refusal is never long, whatever a plugin has sent', () => {
  const cpus = '9'.repeat(100_000);
  assert.throws(
    () => linux({ resources: { cpu: { cpus } } }),
    ({ message }: Error) => message.length < 1100 && message.endsWith('...'),
  );
});

test('a PID namespace that is shared stays; a container of its own one may have another', () => {
  const shared = buildSpec(containerInput({ namespaces: { net: '/n', ipc: '/i', uts: '/u', pid: '/proc/5/ns/pid' } }));
  for (const namespaces of [[{ type: '-pid' }], [{ type: 'pid' }]])
    assert.throws(() => adjusted({ linux: { namespaces } }, {}, shared), /must be the one that it shares with its pod/);
  assert.ok(adjusted({ linux: { namespaces: [{ type: 'pid', path: '/proc/5/ns/pid' }] } }, {}, shared));
  assert.equal(linux({ namespaces: [{ type: '-pid' }] }).linux.namespaces.some(({ type }) => type === 'pid'), false); // prettier-ignore
});
