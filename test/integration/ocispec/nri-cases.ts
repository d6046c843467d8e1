/** Adjustments that end as with upstream's generator, and those that do not, with the reason. */
import type { ContainerAdjustment, Init, LinuxContainerAdjustment } from '../../../api/nri/messages.ts';

export interface AdjustmentCase {
  readonly name: string;
  readonly asked: Init<ContainerAdjustment>;
}

const linux = (name: string, asked: Init<LinuxContainerAdjustment>): AdjustmentCase => ({ name, asked: { linux: asked } });
const syscall = { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 2 }, args: [{ index: 0, value: 2n ** 64n - 1n, valueTwo: 5n, op: 'SCMP_CMP_EQ' }] }; // prettier-ignore

/** What ours makes of these is what upstream makes of them. */
export const ALIKE: readonly AdjustmentCase[] = [
  { name: 'nothing', asked: {} },
  { name: 'annotations', asked: { annotations: { new: '1', a: 'changed', '-gone': '', '-b': '', __proto__x: 'y' } } },
  { name: 'variables', asked: { env: [{ key: 'HOME', value: '/h=1' }, { key: 'NEW', value: '' }, { key: '-PATH' }, { key: '-NONE' }] } },
  { name: 'a variable twice', asked: { env: [{ key: 'N', value: '1' }, { key: 'N', value: '2' }, { key: 'HOME', value: '1' }, { key: 'HOME', value: '2' }] } },
  { name: 'a variable taken away and set', asked: { env: [{ key: '-HOME' }, { key: 'HOME', value: 'x' }, { key: '-NEW' }, { key: 'NEW', value: 'x' }] } },
  { name: 'a variable set and taken away', asked: { env: [{ key: 'HOME', value: 'x' }, { key: '-HOME' }, { key: 'NEW', value: 'x' }, { key: '-NEW' }] } },
  { name: 'arguments', asked: { args: ['/bin/true', '', 'x'] } },
  { name: 'hooks', asked: { hooks: { prestart: [{ path: '/a' }], createRuntime: [{ path: '/b', args: ['b', ''] }], createContainer: [{ path: '/c', env: ['A=1'] }], startContainer: [{ path: '/d', timeout: { value: 5n } }], poststart: [{ path: '/e' }, { path: '/e' }], poststop: [{ path: '/f' }] } } },
  { name: 'no hooks', asked: { hooks: {} } },
  { name: 'a mount', asked: { mounts: [{ destination: '/m', type: 'bind', source: '/s', options: ['rbind', 'ro', 'size=1'] }] } },
  { name: 'a mount without a type', asked: { mounts: [{ destination: '/m', source: '/s', options: ['bind'] }] } },
  { name: 'a mount in the place of another', asked: { mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, { destination: '/data', type: 'tmpfs', source: 'none' }] } },
  { name: 'a mount taken away', asked: { mounts: [{ destination: '-/data' }, { destination: '-/none' }] } },
  { name: 'a mount at a place that is there twice', asked: { mounts: [{ destination: '-/twice' }] } },
  { name: 'mounts in odd places', asked: { mounts: [{ destination: '/z/./y', type: 'tmpfs', source: 't' }, { destination: '/z/', type: 'tmpfs', source: 't' }, { destination: '/z//y/x', type: 'tmpfs', source: 't' }, { destination: '/ä', type: 'tmpfs', source: 't' }, { destination: '/Z', type: 'tmpfs', source: 't' }] } },
  { name: 'a private mount', asked: { mounts: [{ destination: '/m', type: 'bind', source: '/', options: ['rbind', 'rprivate'] }] } },
  linux('devices', { devices: [{ path: '/dev/x', type: 'c', major: 10n, minor: 1n, fileMode: { value: 0o640 }, uid: { value: 0 }, gid: { value: 7 } }, { path: '/dev/y', type: 'b', major: 8n, minor: 2n }, { path: '-/dev/other' }, { path: '/dev/has', type: 'c', major: 1n, minor: 5n }] }),
  linux('another cgroup', { cgroupsPath: '/x' }),
  linux('the OOM score', { oomScoreAdj: { value: -999n } }),
  linux('the OOM score zero', { oomScoreAdj: { value: 0n } }),
  linux('an I/O priority', { ioPriority: { class: 3, priority: 0 } }),
  linux('an I/O priority of none', { ioPriority: { class: 0, priority: 3 } }),
  linux('a scheduler', { scheduler: { policy: 7, nice: -5, priority: 3, flags: [0, 6], runtime: 1n, deadline: 2n ** 63n, period: 2n ** 64n - 1n } }),
  linux('a scheduler of none', { scheduler: { policy: 0, nice: 3 } }),
  linux('a seccomp policy', { seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86'], flags: ['SECCOMP_FILTER_FLAG_LOG'], listenerPath: '/l', listenerMetadata: 'm', syscalls: [syscall, { names: [], action: 'SCMP_ACT_LOG' }] } }),
  linux('namespaces', { namespaces: [{ type: 'network', path: '/run/n' }, { type: '-ipc' }, { type: 'uts' }] }),
  linux('a cgroup namespace taken away', { namespaces: [{ type: '-cgroup' }, { type: '-uts' }, { type: 'uts' }] }),
  linux('sysctls', { sysctl: { 'net.core.somaxconn': '5', '-kernel.msgmax': '', '-net.ipv4.none': '' } }),
  linux('network devices', { netDevices: { eth1: { name: 'net1' }, '-eth0': {}, eth2: {} } }),
  linux('network devices taken away', { netDevices: { '-eth0': {} } }),
  linux('a memory policy', { memoryPolicy: { mode: 2, nodes: '0-1', flags: [0] } }),
  linux('RDT', { rdt: { closId: { value: 'c' }, schemata: { value: ['L3:0=f', 'MB:0=1'] }, enableMonitoring: { value: true } } }),
  linux('RDT taken away', { rdt: { remove: true } }),
  linux('RDT taken away and set', { rdt: { remove: true, closId: { value: '' }, schemata: { value: [] }, enableMonitoring: { value: false } } }),
  linux('a class of RDT and its fields', { resources: { rdtClass: { value: 'gold' } }, rdt: { schemata: { value: ['L3:0=f'] } } }),
  linux('an empty class of RDT', { resources: { rdtClass: { value: '' } } }),
  linux('an empty class of block I/O', { resources: { blockioClass: { value: '' } } }),
  linux('processors', { resources: { cpu: { shares: { value: 2n }, quota: { value: 1000n }, period: { value: 1_000_000n }, cpus: '0,3-7', mems: '0' } } }),
  linux('no limit of the processor', { resources: { cpu: { quota: { value: -1n } } } }),
  linux('zero of the processor', { resources: { cpu: { shares: { value: 0n }, quota: { value: 0n }, period: { value: 0n } } } }),
  linux('memory', { resources: { memory: { limit: { value: 2n ** 40n } } } }),
  linux('no limit of memory', { resources: { memory: { limit: { value: -1n } } } }),
  linux('zero of memory', { resources: { memory: { limit: { value: 0n } } } }),
  linux('huge pages', { resources: { hugepageLimits: [{ pageSize: '1GB', limit: 2n ** 31n }, { pageSize: '2MB', limit: 0n }, { pageSize: '1GB', limit: 7n }] } }),
  linux('files of the cgroup', { resources: { unified: { 'memory.low': '5', 'memory.high': 'max' } } }),
  linux('processes', { resources: { pids: { limit: 2n ** 22n } } }),
  linux('rules for devices', { resources: { devices: [{ allow: true, type: 'c', major: { value: 1n }, minor: { value: 0n }, access: 'r' }, { allow: false, access: 'rwm' }, { allow: true, type: 'a', access: 'w' }] } }),
  { name: 'limits', asked: { rlimits: [{ type: 'RLIMIT_CORE', soft: 0n, hard: 2n ** 64n - 1n }, { type: 'RLIMIT_NPROC', soft: 2n ** 53n + 1n, hard: 2n ** 53n + 1n }] } },
]; // prettier-ignore

/** What upstream makes of it, and why ours makes something else. */
export interface DifferentCase extends AdjustmentCase {
  readonly why: string;
  /** Of upstream's spec, or the start of its refusal. */
  readonly upstream: unknown;
  /** Of ours, or words of the refusal. */
  readonly ours: unknown;
  /** Where to look in a spec. */
  readonly at: readonly string[];
}

const resources = ['linux', 'resources'];
const IGNORED = 'upstream drops it without a word';

export const DIFFERENT: readonly DifferentCase[] = [
  { ...linux('the default errno of a policy', { seccompPolicy: { defaultAction: 'SCMP_ACT_ALLOW', defaultErrno: { value: 38 } } }), why: 'upstream forgets it', at: ['linux', 'seccomp', 'defaultErrnoRet'], upstream: undefined, ours: 38 },
  { ...linux('swap', { resources: { memory: { limit: { value: 500n }, swap: { value: 900n } } } }), why: IGNORED, at: [...resources, 'memory', 'swap'], upstream: 500, ours: 900 },
  { ...linux('swap alone', { resources: { memory: { swap: { value: 2n ** 31n } } } }), why: IGNORED, at: [...resources, 'memory', 'swap'], upstream: undefined, ours: 2 ** 31 },
  { ...linux('a reservation', { resources: { memory: { reservation: { value: 5n } } } }), why: IGNORED, at: [...resources, 'memory', 'reservation'], upstream: undefined, ours: 5 },
  { ...linux('swappiness', { resources: { memory: { swappiness: { value: 5n } } } }), why: IGNORED, at: [...resources, 'memory', 'swappiness'], upstream: undefined, ours: /needs cgroup v1/ },
  { ...linux('memory of the kernel', { resources: { memory: { kernel: { value: 5n } } } }), why: IGNORED, at: [...resources, 'memory', 'kernel'], upstream: undefined, ours: /memory.kernel is 5/ },
  { ...linux('no OOM killer', { resources: { memory: { disableOomKiller: { value: true } } } }), why: IGNORED, at: [...resources, 'memory', 'disableOOMKiller'], upstream: undefined, ours: /needs cgroup v1/ },
  { ...linux('no hierarchy', { resources: { memory: { useHierarchy: { value: false } } } }), why: IGNORED, at: [...resources, 'memory', 'useHierarchy'], upstream: undefined, ours: /must be true/ },
  { ...linux('swap that the request says by a file', { resources: { memory: { limit: { value: 500n } }, unified: { 'memory.swap.max': '7' } } }), why: 'the file is the kubelet\'s word for swap', at: [...resources, 'memory', 'swap'], upstream: 500, ours: undefined },
  { ...linux('a negative limit of memory', { resources: { memory: { limit: { value: -7n } } } }), why: 'the OCI spec knows only -1', at: [...resources, 'memory', 'limit'], upstream: -7, ours: -1 },
  { ...linux('a negative quota', { resources: { cpu: { quota: { value: -7n } } } }), why: 'the OCI spec knows only -1', at: [...resources, 'cpu', 'quota'], upstream: -7, ours: -1 },
  { ...linux('few shares', { resources: { cpu: { shares: { value: 1n } } } }), why: 'as for a request: the kernel knows no fewer', at: [...resources, 'cpu', 'shares'], upstream: 1, ours: 2 },
  { ...linux('any number of processes', { resources: { pids: { limit: -1n } } }), why: 'upstream keeps the limit that was there', at: [...resources, 'pids', 'limit'], upstream: 50, ours: -1 },
  { ...linux('no word on processes', { resources: { pids: { limit: 0n } } }), why: 'upstream shows plugins a zero where there is no limit', at: [...resources, 'pids', 'limit'], upstream: 0, ours: 50 },
  { ...linux('more processes than there can be', { resources: { pids: { limit: 2n ** 31n } } }), why: 'the kernel refuses the number', at: [...resources, 'pids', 'limit'], upstream: 2 ** 31, ours: -1 },
  { ...linux('a rule that allows nothing', { resources: { devices: [{ allow: true, type: 'c' }] } }), why: 'the runtime would refuse it', at: [...resources, 'devices', '1', 'allow'], upstream: true, ours: /devices has the access ""/ },
  { ...linux('realtime', { resources: { cpu: { realtimeRuntime: { value: 5n } } } }), why: 'runtimes ignore it on cgroup v2', at: [...resources, 'cpu', 'realtimeRuntime'], upstream: 5, ours: /needs cgroup v1/ },
  { ...linux('a class of block I/O', { resources: { blockioClass: { value: 'x' } } }), why: 'there are no definitions of classes', at: [], upstream: /no class/, ours: /blockio_class is "x"/ },
  { ...linux('a pipe', { devices: [{ path: '/dev/p', type: 'p' }] }), why: 'no runtime takes a rule for a pipe', at: [...resources, 'devices', '1'], upstream: { allow: true, type: 'p', major: 0, minor: 0, access: 'rw' }, ours: undefined },
  { ...linux('an unbuffered device', { devices: [{ path: '/dev/u', type: 'u', major: 1n }] }), why: 'to a rule it is a character device', at: [...resources, 'devices', '1', 'type'], upstream: 'u', ours: 'c' },
  { ...linux('a device of no type', { devices: [{ path: '/dev/u' }] }), why: 'the runtime would refuse it', at: ['linux', 'devices', '2', 'path'], upstream: '/dev/u', ours: /has the type ""/ },
  { name: 'a limit that is there', asked: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 3n, hard: 4n }] }, why: 'the OCI spec allows each type once', at: ['process', 'rlimits', '1', 'soft'], upstream: 3, ours: undefined },
  { name: 'a variable without a name', asked: { env: [{ key: '', value: '1' }] }, why: IGNORED, at: ['process', 'env', '2'], upstream: undefined, ours: /env has the key ""/ },
  { name: 'a mount to be labelled', asked: { mounts: [{ destination: '/m', type: 'bind', source: '/', options: ['rprivate'] }, { destination: '/n', type: 'bind', source: '/', options: ['relabel', 'bind'] }] }, why: 'relabel is no option of the kernel', at: ['mounts', '2', 'options'], upstream: ['relabel', 'bind'], ours: ['bind'] },
  { ...linux('an OOM score that no kernel takes', { oomScoreAdj: { value: 2000n } }), why: 'the runtime would refuse it', at: ['process', 'oomScoreAdj'], upstream: 2000, ours: /oom_score_adj is 2000/ },
  { ...linux('an unknown I/O class', { ioPriority: { class: 9 } }), why: IGNORED, at: ['process', 'ioPriority'], upstream: undefined, ours: /io_priority.class is 9/ },
  { ...linux('an unknown scheduler', { scheduler: { policy: 9 } }), why: 'upstream writes an empty name', at: ['process', 'scheduler', 'policy'], upstream: '', ours: /scheduler.policy is 9/ },
  { ...linux('an unknown memory policy', { memoryPolicy: { mode: 9 } }), why: IGNORED, at: ['linux', 'memoryPolicy'], upstream: undefined, ours: /memory_policy.mode has 9/ },
  { ...linux('a sysctl of the node', { sysctl: { 'vm.x': '1' } }), why: 'the runtime would refuse it', at: ['linux', 'sysctl', 'vm.x'], upstream: '1', ours: /one of the whole node/ },
  { ...linux('the user namespace', { namespaces: [{ type: 'user' }] }), why: 'the files are made for the pod\'s', at: ['linux', 'namespaces', '5', 'type'], upstream: 'user', ours: /must be its pod's/ },
  { ...linux('a time namespace', { namespaces: [{ type: 'time' }] }), why: 'upstream\'s generator does not know it, the API does', at: ['linux', 'namespaces', '5', 'type'], upstream: /unrecognized namespace/, ours: 'time' },
  { ...linux('a namespace that there is not', { namespaces: [{ type: 'cpu' }] }), why: 'other words', at: [], upstream: /unrecognized namespace/, ours: /linux.namespaces has the type "cpu"/ },
  { name: 'whose container it is', asked: { annotations: { 'io.kubernetes.cri.sandbox-id': 'x' } }, why: 'tools go by it', at: ['annotations', 'io.kubernetes.cri.sandbox-id'], upstream: 'x', ours: /it tells whose container it is/ },
]; // prettier-ignore
