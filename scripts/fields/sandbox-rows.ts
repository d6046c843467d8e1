/** Rows of a sandbox's configuration. */
import type {
  DNSConfig,
  LinuxContainerResources,
  LinuxPodSandboxConfig,
  LinuxSandboxSecurityContext,
  PodSandboxConfig,
  PortMapping,
} from '../../api/cri/runtime.ts';
import { accepted, honoured, type Fields } from './row.ts';
import {
  cniPlugins,
  containers,
  containerSpec,
  guestApparmor,
  guestSelinux,
  nriEvents,
  ownerDefaults,
  podFields,
  pods,
  portMapping,
  refusals,
  requestFields,
  security,
  userNamespaces,
  verboseStatus,
  handlers,
} from './tests.ts';

const STATUS = pods('RunPodSandbox gives a READY sandbox whose status returns what was asked for');
const IDENTITY = pods('attempt is part of the identity: the next one is another sandbox');
const DNS = pods("resolv.conf is made of the DNS config; an empty one is none, and gives the node's");
const BAD_POD = refusals('a pod sandbox: each bad field is named, and nothing is made');

const dnsConfig: Fields<DNSConfig> = {
  servers: honoured('`nameserver` lines of resolv.conf', DNS),
  searches: honoured('the `search` line of resolv.conf; at most 32 domains of 2048 characters', DNS, BAD_POD),
  options: honoured('the `options` line of resolv.conf', DNS),
};

const BAD_PORTS = podFields('ports, protocols and addresses that are none are refused by their field, before anything is made');
const PORTS = portMapping('two host ports of one pod lead to its two servers, from the node, by loopback and from another pod');

const portMappings: Fields<PortMapping> = {
  protocol: honoured(
    'given to the CNI plugins',
    portMapping('a UDP host port leads to the pod, TCP of the same number does not'),
    BAD_PORTS,
  ),
  containerPort: honoured('given to the CNI plugins', PORTS, BAD_PORTS),
  hostPort: honoured('given to the CNI plugins; 0 is no mapping', PORTS, portMapping('without a host port nothing is mapped')),
  hostIp: honoured('given to the CNI plugins', portMapping('a mapping of one address of the node is not open on the others'), BAD_PORTS),
};

/** A LinuxContainerResources that tells and orders nothing: each field is kept, shown, and told to plugins. */
export function toldResources(where: string, test: ReturnType<typeof requestFields>): Fields<LinuxContainerResources> {
  const row = honoured(
    `it informs (the kubelet writes the pod's cgroup itself): kept, shown in the verbose status as \`${where}\`, and told to NRI plugins`,
    test,
    nriEvents('new limits are told before and after; what would be refused anyway is not'),
  );
  return {
    cpuPeriod: row,
    cpuQuota: row,
    cpuShares: row,
    memoryLimitInBytes: row,
    oomScoreAdj: row,
    cpusetCpus: row,
    cpusetMems: row,
    hugepageLimits: { pageSize: row, limit: row },
    unified: row,
    memorySwapLimitInBytes: row,
  };
}

const KEPT = requestFields('resources and overhead of a pod are kept and shown, and those of an update in their place, also after kill -9');
const USERNS_ROW = honoured(
  'with a runtime, kernel and file system that can; elsewhere refused in words',
  userNamespaces('root of a container is a user of the pod on the node, and each file of the image has the owner that the image says'),
  userNamespaces('pods have the ids that each is given'),
  userNamespaces('with a runtime that cannot, it is not advertised, and refused by the name of the runtime'),
  BAD_POD,
);
const USERNS_MAPPING = { hostId: USERNS_ROW, containerId: USERNS_ROW, length: USERNS_ROW };
const SELINUX = honoured(
  'where SELinux is on and `selinux` is true, for the pod, its infra container and what its containers do not name; refused where it is on and `selinux` is false; where SELinux is off a label means nothing, as for the peers',
  guestSelinux('SELinux: each field of selinux_options counts; what is no label is refused, and nothing is made'),
  security('an SELinux label is refused where SELinux is on and nothing is labelled, and means nothing where it is off'),
);
const SHARES = pods('containers of a pod share network, hostname and shared memory, and each has its own processes');
const NODE_NETWORK = pods('a pod on the node network has the node name and no address of its own');
const NODE_PROCESSES = pods('a pod with the node pid and ipc namespaces sees the node processes');
const INFRA = requestFields('the infra container of a sandbox has the user, the groups and the seccomp profile asked for');
const INFRA_APPARMOR = guestApparmor('AppArmor: the infra container has the profile of its sandbox');
const NO_INFRA = 'Of the infra container, the only process of a sandbox; one without a shared PID namespace has none';

const securityContext: Fields<LinuxSandboxSecurityContext> = {
  namespaceOptions: {
    network: honoured('POD or NODE', SHARES, NODE_NETWORK),
    pid: honoured('POD, CONTAINER or NODE', pods('a pod with a shared pid namespace: its containers see each other, and orphans are reaped'), NODE_PROCESSES), // prettier-ignore
    ipc: honoured('POD or NODE', SHARES, NODE_PROCESSES),
    targetId: accepted(
      'it has a meaning with the mode TARGET alone, which a sandbox is refused',
      'neither reads it of a sandbox',
      requestFields('what a sandbox may say without effect changes nothing of it'),
    ),
    usernsOptions: { mode: USERNS_ROW, uids: USERNS_MAPPING, gids: USERNS_MAPPING },
  },
  selinuxOptions: { user: SELINUX, role: SELINUX, type: SELINUX, level: SELINUX },
  runAsUser: honoured(NO_INFRA, INFRA),
  runAsGroup: honoured(NO_INFRA, INFRA, BAD_POD),
  readonlyRootfs: accepted(
    'the root file system of an infra container is always read-only',
    "containerd's and CRI-O's pause containers have one too, whatever is asked",
    requestFields('what a sandbox may say without effect changes nothing of it'),
  ),
  supplementalGroups: honoured(NO_INFRA, INFRA),
  supplementalGroupsPolicy: accepted(
    'an infra container has no image with groups of its own, so that both policies are the same',
    'neither reads it of a sandbox',
    requestFields('what a sandbox may say without effect changes nothing of it'),
  ),
  privileged: honoured(
    'the gate of privileged containers',
    containerSpec('a privileged container is refused in a pod that is not'),
    containerSpec('a privileged container has every capability of the node, its devices, and a writable /sys'),
  ),
  seccomp: {
    profileType: honoured(`${NO_INFRA}. Without one it has the built-in profile, not none: it only sleeps`, INFRA),
    localhostRef: honoured(
      NO_INFRA,
      requestFields("a sandbox's own seccomp profile is in force in its infra container, and one that is not there is refused"),
    ),
  },
  seccompProfilePath: honoured('as `seccomp`, which wins over it', INFRA),
  apparmor: {
    profileType: honoured(`${NO_INFRA}. Otherwise as a container's`, INFRA_APPARMOR, BAD_POD),
    localhostRef: honoured(`${NO_INFRA}. Refused where it is not loaded`, INFRA_APPARMOR, BAD_POD),
  },
};

const linux: Fields<LinuxPodSandboxConfig> = {
  cgroupParent: honoured(
    'where the cgroups of the pod are',
    containerSpec('limits of the request are in the cgroup of the container'),
    BAD_POD,
  ),
  securityContext,
  sysctls: honoured(
    "in the pod's namespaces; one of the node, or of a namespace that is the node's, is refused",
    pods('a safe sysctl of the pod is set in its namespace'),
    pods('a sysctl of the whole node, and one of a namespace that the pod has not got, are refused with their names'),
  ),
  overhead: toldResources('overhead', KEPT),
  resources: toldResources('resources', KEPT),
};

export const sandboxConfig: Fields<PodSandboxConfig> = {
  metadata: {
    name: honoured('part of the identity', STATUS),
    uid: honoured('part of the identity', STATUS),
    namespace: honoured('part of the identity', STATUS),
    attempt: honoured('part of the identity', IDENTITY),
  },
  hostname: honoured('of the UTS namespace, /etc/hostname and `HOSTNAME`; at most 64 bytes', SHARES, BAD_POD),
  logDirectory: honoured('made where it is missing', containers('a container whose log directory is missing gets it'), BAD_POD),
  dnsConfig,
  portMappings,
  labels: honoured(
    'given back, and selected by',
    STATUS,
    pods('ListPodSandbox filters by id prefix, state and labels; a strange id gives an empty list'),
  ),
  annotations: honoured(
    'given back byte for byte, told to CNI plugins that want them, handed to the runtime where its handler says so; bandwidth is read from them, and what its handler allows is obeyed (docs/annotations.md)',
    STATUS,
    handlers('annotations reach the runtime where the handler names them: of the pod in each container, of a container in it'),
    cniPlugins('a plugin is told of the pod what it declares: annotations, DNS, cgroup; and nothing else'),
    cniPlugins('bandwidth: the rates of the annotations are in the kernel, in each direction, and gone with the pod'),
    ownerDefaults('a pod orders devices, /dev/shm, a umask and limits by annotations that its handler allows'),
    ownerDefaults('what a handler does not allow is not obeyed'),
    ownerDefaults('orders that cannot be obeyed, and classes of RDT and block I/O, are refused by name, before anything is made'),
  ),
  linux,
};

export const runtimeHandler = honoured(
  'an unknown one is refused with those that are known',
  pods('RunPodSandbox refuses an unknown runtime handler and names those it knows'),
  verboseStatus('runtime_handler answers what was asked for'),
);
