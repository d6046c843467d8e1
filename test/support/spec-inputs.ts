import { messages } from '../../api/cri/runtime.ts';
import type {
  ContainerConfig,
  Init,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  Mount,
  PodSandboxConfig,
} from '../../api/cri/runtime.ts';
import type { MountEntry } from '../../src/linux/mountinfo.ts';
import type { HostFacts } from '../../src/ocispec/host-facts.ts';
import type {
  ContainerSpecInput,
  InfraSpecInput,
  PlannedMount,
  ResolvedMount,
  RuntimeFacts,
  SpecSettings,
} from '../../src/ocispec/input.ts';
import type { UserMapping } from '../../src/linux/user-namespace.ts';
import { planMount } from '../../src/ocispec/mounts.ts';
import { planSpec, type SpecPlanInput } from '../../src/ocispec/plan.ts';

/** Messages as the server hands them on: what is not given has its default. */
export const containerConfig = (init: Init<ContainerConfig> = {}): ContainerConfig =>
  messages.ContainerConfig.decode(messages.ContainerConfig.encode(init));
export const sandboxConfig = (init: Init<PodSandboxConfig> = {}): PodSandboxConfig =>
  messages.PodSandboxConfig.decode(messages.PodSandboxConfig.encode(init));
export const securityContext = (init: Init<LinuxContainerSecurityContext> = {}): LinuxContainerSecurityContext =>
  messages.LinuxContainerSecurityContext.decode(messages.LinuxContainerSecurityContext.encode(init));
export const resources = (init: Init<LinuxContainerResources> = {}): LinuxContainerResources =>
  messages.LinuxContainerResources.decode(messages.LinuxContainerResources.encode(init));
export const mount = (init: Init<Mount> = {}): Mount => messages.Mount.decode(messages.Mount.encode(init));

/** A v2 host whose daemon may do everything. */
export const HOST: HostFacts = {
  architecture: 'x64',
  kernel: { major: 6, minor: 18 },
  hostname: 'node-1',
  cgroupVersion: 'v2',
  cgroup2Options: ['nsdelegate', 'memory_recursiveprot'],
  capabilities: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_ADMIN', 'CAP_SYS_ADMIN'],
  oomScoreAdjFloor: -1000,
  rlimitCeilings: {},
  seccomp: true,
  apparmor: false,
  selinux: false,
  swapAccounting: true,
  hugepageSizes: ['2MB', '1GB'],
  processors: '0-7,16-23',
  memoryNodes: '0-1',
};

/** The shared /var and the private rest of a host. */
export const HOST_MOUNTS: readonly MountEntry[] = [
  mountEntry('/', 'private'),
  mountEntry('/var', 'shared'),
  mountEntry('/var/slave', 'slave'),
  mountEntry('/var/private', 'private'),
];

function mountEntry(target: string, propagation: MountEntry['propagation']): MountEntry {
  return {
    id: 1,
    device: '8:1',
    root: '/',
    target,
    options: ['rw'],
    propagation,
    isSlave: propagation === 'slave',
    type: 'ext4',
    source: '/dev/vda',
    superOptions: ['rw'],
  };
}

export const SETTINGS: SpecSettings = {
  defaultCapabilities: ['CAP_CHOWN', 'CAP_KILL'],
  defaultUlimits: [],
  pidsLimit: -1,
  tolerateMissingHugetlb: true,
  additionalDevices: [],
  allowedDevices: [],
  deviceOwnershipFromSecurityContext: false,
  defaultEnv: [],
  defaultMounts: [],
  timezone: '',
  handler: {
    podAnnotations: [],
    containerAnnotations: [],
    allowedAnnotations: [],
    privilegedWithoutHostDevices: false,
    privilegedWithoutHostDevicesAllDevicesAllowed: false,
    cgroupWritable: false,
  },
};

export const RUNTIME: RuntimeFacts = {
  recursiveReadOnlyMounts: true,
  idmapMounts: false,
  netDevices: false,
  scheduling: false,
  timeNamespace: false,
  rdtSchemata: false,
  rdtMonitoring: false,
  memoryPolicy: false,
};

/** A mount as the request's check hands it on, to /data where it says no other place. */
export function plannedMount(init: Init<Mount> = {}, runtime: RuntimeFacts = RUNTIME, pod?: UserMapping): PlannedMount {
  return planMount(mount({ containerPath: '/data', hostPath: '/var/data', ...init }), runtime, pod);
}

/** The same with its source. */
export function resolvedMount(init: Init<Mount>, source: string): ResolvedMount {
  return { ...plannedMount(init), source };
}

/** A container that asks for little, in an ordinary pod. */
export function containerInput(
  changes: Partial<Omit<ContainerSpecInput, 'plan'> & Pick<SpecPlanInput, 'apparmor'>> = {},
): ContainerSpecInput {
  const input = {
    kind: 'container',
    warn: () => undefined,
    sandboxId: '5'.repeat(64),
    config: containerConfig({
      metadata: { name: 'web' },
      image: { image: 'sha256:1', userSpecifiedImage: 'example.org/web:1' },
      command: ['/bin/web'],
    }),
    sandboxConfig: sandboxConfig({ metadata: { name: 'pod', namespace: 'default', uid: 'u-1' }, hostname: 'web-0' }),
    imageConfig: {},
    rootfsPath: '/run/rootfs',
    user: { uid: 1000, gid: 1000, additionalGids: [1000], home: '/home/web' },
    namespaces: { net: '/run/ns/net', ipc: '/run/ns/ipc', uts: '/run/ns/uts', pid: 'new' },
    cgroupsPath: '/kubepods/pod1/c1',
    podFiles: { hosts: '/run/pod/hosts', resolvConf: '/run/pod/resolv.conf', hostname: '/run/pod/hostname', shm: '/run/pod/shm' },
    mounts: [],
    devices: [],
    hostDevices: [],
    hostMounts: HOST_MOUNTS,
    settings: SETTINGS,
    host: HOST,
    apparmor: undefined,
    ...changes,
  } as const;
  return { ...input, plan: planSpec({ ...input, podAnnotations: input.sandboxConfig.annotations, runtime: RUNTIME }) };
}

export function infraInput(changes: Partial<InfraSpecInput> = {}): InfraSpecInput {
  return {
    kind: 'infra',
    sandboxId: '5'.repeat(64),
    sandboxConfig: sandboxConfig({ metadata: { name: 'pod', namespace: 'default', uid: 'u-1' }, hostname: 'web-0' }),
    rootfsPath: '/run/infra/rootfs',
    namespaces: { net: '/run/ns/net', ipc: '/run/ns/ipc', uts: '/run/ns/uts' },
    cgroupsPath: '/kubepods/pod1/5',
    plan: { seccomp: { use: 'RuntimeDefault' }, apparmorProfile: undefined, annotations: {} },
    localhostSeccomp: undefined,
    settings: SETTINGS,
    host: HOST,
    ...changes,
  };
}
