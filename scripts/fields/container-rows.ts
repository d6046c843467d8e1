/** Rows of a container's configuration. */
import type {
  ContainerConfig,
  Device,
  ImageSpec,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  Mount,
} from '../../api/cri/runtime.ts';
import { accepted, honoured, refused, type Fields, type NamedTest } from './row.ts';
import {
  apparmor,
  cdi,
  containers,
  containerSpec,
  guestApparmor,
  guestResources,
  guestSelinux,
  limits,
  lists,
  mounts,
  ociResources,
  ownerDefaults,
  pods,
  refusals,
  requestFields,
  resources,
  runSpec,
  security,
  streaming,
  userNamespaces,
  handlers,
  userDevices,
} from './tests.ts';

const ECHO = containers('the status returns metadata, labels, annotations, mounts and the log path as they were asked for');
const BAD_CONTAINER = refusals('a container: each bad field is named, and nothing is made');
const CLASSES = ownerDefaults(
  'orders that cannot be obeyed, and classes of RDT and block I/O, are refused by name, before anything is made',
);
const CDI_EDITS = cdi('everything that the edits of a device and of its file say is seen in the container');
const CDI_ORDER = cdi('devices of annotations come after those of the field, each once');
const CDI_REFUSED = cdi('what cannot be done is refused with the device and the file, and nothing is left');
const NO_EFFECT = requestFields('what a container may say without effect changes nothing of its spec');

/** Of an image that is named: what is there beside the name. */
export function imageSpecRows(how: string, test: NamedTest, noEffect: NamedTest): Fields<ImageSpec> {
  const idle = (because: string, peers: string): ReturnType<typeof accepted> => accepted(because, peers, noEffect);
  return {
    image: honoured(how, test),
    annotations: idle('the kubelet sends none; no annotation of an image has a meaning to a runtime in the CRI', 'neither reads them'),
    userSpecifiedImage: idle(
      'what the user wrote, where `image` is what it was resolved to',
      'CRI-O checks its signature policy by it when a container is made; neither looks an image up by it',
    ),
    runtimeHandler: idle(
      'images are the same for every handler here: one store, one kind of layer',
      'CRI-O reads it nowhere; containerd keeps a snapshotter for each handler and picks it by this when it pulls',
    ),
    imageRef: idle('of answers: the CRI fills it in what a status tells of an image volume', 'neither reads it of a request'),
  };
}

const VOLUMES = containers('a volume is bound; what is not a directory yet is made; a read-only one refuses writes');
const OPTIONS = runSpec('volumes are nested, read-only, recursively read-only and without execution as asked');
const PROPAGATION = requestFields(
  'a mount of the host comes into a volume with HOST_TO_CONTAINER, and one of the container out of it with BIDIRECTIONAL',
);
const IMAGE_VOLUMES = containers('image volumes show images of one and of more layers, read-only, whole or in part; the images stay');
const ID_MAPPING = honoured(
  "with a runtime that has id-mapped mounts; those of an image volume are the pod's",
  userNamespaces('a volume with the mappings of the pod has the same owners inside and outside; one without has none that the pod knows'),
  BAD_CONTAINER,
);
const ID_MAPPINGS = { hostId: ID_MAPPING, containerId: ID_MAPPING, length: ID_MAPPING };

const mountRows: Fields<Mount> = {
  containerPath: honoured('normalised; a parent is mounted before what is in it', VOLUMES, containerSpec('a mount source that is a symlink is followed; mounts are made from the outside in')), // prettier-ignore
  hostPath: honoured('links are followed; what is missing is made as a directory', VOLUMES),
  readonly: honoured('', VOLUMES),
  selinuxRelabel: honoured(
    "where SELinux is on and `selinux` is true: with the label of the container's files, all of the source; refused for directories of the node. " +
      'Else it does nothing, as on both peers',
    guestSelinux("SELinux: a pod's volume is labelled for it, and another pod cannot read it"),
    guestSelinux('SELinux: directories of the node are never relabelled, by a link neither'),
    NO_EFFECT,
  ),
  propagation: honoured(
    'the source must be shared, or a slave',
    PROPAGATION,
    mounts('requestMounts() refuses a propagation that the source cannot have'),
  ),
  uidMappings: ID_MAPPINGS,
  gidMappings: ID_MAPPINGS,
  recursiveReadOnly: honoured('`RROUnsupported` where the runtime has none', OPTIONS, BAD_CONTAINER),
  image: { ...imageSpecRows('its layers, read-only; of an artifact its files, by their titles', IMAGE_VOLUMES, NO_EFFECT) },
  imageSubPath: honoured('inside of the image', IMAGE_VOLUMES, BAD_CONTAINER),
  mountOptions: honoured('fourteen options, others are refused; neither peer has it', OPTIONS, BAD_CONTAINER),
};

const DEVICES = runSpec('devices of the request are there, with their permissions, and no others work');

const USER_DEVICES = userDevices('a device at another path than on the host is the one that was asked for, by request and by CDI');

const deviceRows: Fields<Device> = {
  containerPath: honoured('', DEVICES, BAD_CONTAINER, USER_DEVICES),
  hostPath: honoured("below /dev; a directory is all that is in it. In a pod with a user namespace the node is the host's own, with its owner and mode (at both peers and another container_path runc shows the device that the host has there)", DEVICES, USER_DEVICES, runSpec('resolveDevices() takes a directory for all in it, and refuses what is none')), // prettier-ignore
  permissions: honoured('of r, w and m', DEVICES, BAD_CONTAINER),
};

const LIMITS = containerSpec('limits of the request are in the cgroup of the container');

const GUEST_LIMITS = guestResources('${what}: all that the kubelet sends is in the cgroup files, and an update changes them');
const GUEST_REFUSED = guestResources('${what}: what is refused changes no file, and no status');

export const createdResources: Fields<LinuxContainerResources> = {
  cpuPeriod: honoured('', limits('every limit of a container is in its cgroup'), BAD_CONTAINER),
  cpuQuota: honoured('', LIMITS, BAD_CONTAINER),
  cpuShares: honoured('', limits('every limit of a container is in its cgroup'), BAD_CONTAINER),
  memoryLimitInBytes: honoured('-1 is no limit; below 512 KiB refused', LIMITS, BAD_CONTAINER),
  oomScoreAdj: honoured(
    'not below what the daemon may set',
    containerSpec('the score for the OOM killer is the one asked for'),
    BAD_CONTAINER,
  ),
  cpusetCpus: honoured('within what the node has', LIMITS, BAD_CONTAINER),
  cpusetMems: honoured('within what the node has', limits('every limit of a container is in its cgroup'), BAD_CONTAINER),
  hugepageLimits: {
    pageSize: honoured(
      'without a hugetlb controller left out with a warning, or refused, by `tolerate_missing_hugetlb`',
      limits('every limit of a container is in its cgroup'),
      BAD_CONTAINER,
      ociResources('ociResources() leaves out limits on huge pages with a warning, where that is tolerated and there is no controller'),
    ),
    limit: honoured('', limits('every limit of a container is in its cgroup'), BAD_CONTAINER),
  },
  unified: honoured('on cgroup v2, all that the kubelet sends; a file that the cgroup does not have or a value that it does not take is refused; on v1 refused', GUEST_LIMITS, GUEST_REFUSED, ociResources('ociResources() writes all limits'), ociResources('ociResources() refuses what contradicts itself or what the host cannot do')), // prettier-ignore
  memorySwapLimitInBytes: honoured('memory and swap together; left out where the kernel does not count swap', limits('every limit of a container is in its cgroup'), BAD_CONTAINER), // prettier-ignore
};

const CAPABILITIES = runSpec('capabilities are dropped, added and made ambient');
const USERS = containerSpec('the user is that of the request, of the image, or root');
const NAMED = containerSpec('a user and a group that the image does not know have names inside, also where the root is read-only');
const NAMES = runSpec('users by name and number get their groups, home and ids');
const CONFINED = containerSpec('no_new_privs, a read-only root, masked and read-only paths hold');
const SECCOMP = runSpec('the default seccomp profile is in force and lets ordinary programs run');
const APPARMOR = guestApparmor('AppArmor: a Localhost profile acts, by each field; one that is not loaded is refused with its name');
const APPARMOR_DEFAULT = apparmor('apparmorProfile() is that of RuntimeDefault, also for who asks for none, unconfined, or the named one');
const APPARMOR_PRIVILEGED = apparmor('apparmorProfile() of a privileged container is unconfined, unless it names one');
const SELINUX = honoured(
  'where SELinux is on and `selinux` is true, of a container that is not privileged: one that is has the type spc_t, as with both peers; refused where it is on and `selinux` is false; where SELinux is off a label means nothing, as for the peers',
  guestSelinux('SELinux: each field of selinux_options counts; what is no label is refused, and nothing is made'),
  security('an SELinux label is refused where SELinux is on and nothing is labelled, and means nothing where it is off'),
);
const OTHER_NAMESPACE = requestFields('a container is in the network and IPC namespaces of its pod, whatever it says of them');
const USERNS = honoured(
  'that of the pod; another is refused',
  userNamespaces('root of a container is a user of the pod on the node, and each file of the image has the owner that the image says'),
  BAD_CONTAINER,
);
const USERNS_MAPPING = { hostId: USERNS, containerId: USERNS, length: USERNS };

const securityContext: Fields<LinuxContainerSecurityContext> = {
  capabilities: {
    addCapabilities: honoured('', CAPABILITIES, BAD_CONTAINER),
    dropCapabilities: honoured('', CAPABILITIES, BAD_CONTAINER),
    addAmbientCapabilities: honoured('', CAPABILITIES),
  },
  privileged: honoured('refused in a sandbox that is not', containerSpec('a privileged container has every capability of the node, its devices, and a writable /sys'), BAD_CONTAINER), // prettier-ignore
  namespaceOptions: {
    network: accepted(
      'a container is always in the network namespace of its pod: NODE in a pod with one of its own would lead out of it',
      "containerd does the same; CRI-O puts a container that says NODE on the node's network, in any pod. Neither refuses",
      OTHER_NAMESPACE,
    ),
    pid: honoured(
      'POD, CONTAINER, NODE or TARGET; one that the pod does not allow is refused',
      pods('a pod with a shared pid namespace: its containers see each other, and orphans are reaped'),
      BAD_CONTAINER,
    ),
    ipc: accepted(
      'a container is always in the IPC namespace of its pod, and has its /dev/shm',
      "both peers do the same (containerd binds the node's /dev/shm for NODE, without the namespace)",
      OTHER_NAMESPACE,
    ),
    targetId: honoured('with TARGET', requestFields('a debug container sees the processes of its target'), BAD_CONTAINER),
    usernsOptions: { mode: USERNS, uids: USERNS_MAPPING, gids: USERNS_MAPPING },
  },
  selinuxOptions: { user: SELINUX, role: SELINUX, type: SELINUX, level: SELINUX },
  runAsUser: honoured("one that the image does not know gets an entry in the container's /etc/passwd", USERS, NAMED, BAD_CONTAINER),
  runAsUsername: honoured("looked up in the image's /etc/passwd", NAMES, containerSpec('a user name that the image does not know, and a group without a user, are refused')), // prettier-ignore
  readonlyRootfs: honoured('', CONFINED),
  supplementalGroups: honoured('', NAMES, BAD_CONTAINER),
  apparmorProfile: honoured(
    'as `apparmor`, which wins over it',
    APPARMOR,
    apparmor('apparmorProfile() takes the deprecated string where there is no profile beside it'),
    BAD_CONTAINER,
  ),
  seccompProfilePath: honoured('as `seccomp`, which wins over it', requestFields('the deprecated path of a seccomp profile counts where there is no newer field'), BAD_CONTAINER), // prettier-ignore
  noNewPrivs: honoured('', CONFINED),
  runAsGroup: honoured('as `run_as_user`, in /etc/group', NAMES, NAMED, BAD_CONTAINER),
  maskedPaths: honoured('a list is widened by those of our own; none is none', runSpec('masked and read-only paths of the request hold'), BAD_CONTAINER), // prettier-ignore
  readonlyPaths: honoured('', runSpec('masked and read-only paths of the request hold'), BAD_CONTAINER),
  seccomp: {
    profileType: honoured('', SECCOMP, BAD_CONTAINER),
    localhostRef: honoured('an absolute path', runSpec('a Localhost seccomp profile is in force, conditions decided'), BAD_CONTAINER),
  },
  apparmor: {
    profileType: honoured(
      'RuntimeDefault, which a container without a profile gets too, is `podwright-default` or that of `apparmor_profile`; where AppArmor is off ' +
        'it is accepted without effect, as by both peers, and Localhost is refused. Privileged: none but Localhost',
      APPARMOR_DEFAULT,
      APPARMOR_PRIVILEGED,
      guestApparmor('AppArmor: the built-in profile forbids what reaches the machine, and no more'),
      BAD_CONTAINER,
    ),
    localhostRef: honoured('the name of a loaded profile, others are refused', APPARMOR, BAD_CONTAINER),
  },
  supplementalGroupsPolicy: honoured('', NAMES),
};

const ARGUMENTS = containerSpec('command replaces the entrypoint and drops the image arguments; args alone replaces the arguments');
const ENVIRONMENT = containerSpec('the environment of the request wins over that of the image');

export const containerConfig: Fields<ContainerConfig> = {
  metadata: {
    name: honoured('part of the identity', ECHO),
    attempt: honoured('part of the identity', ECHO),
  },
  image: {
    ...imageSpecRows('what it is made from', ECHO, NO_EFFECT),
    userSpecifiedImage: honoured(
      'what the status names, and an annotation of the spec',
      requestFields('the status names an image as its user wrote it'),
    ),
  },
  command: honoured('', ARGUMENTS, BAD_CONTAINER),
  args: honoured('', ARGUMENTS),
  workingDir: honoured('made where the image has none', requestFields('the working directory is the one asked for, and is made')),
  envs: {
    key: honoured('', ENVIRONMENT, BAD_CONTAINER),
    value: honoured('bytes that are no UTF-8 get U+FFFD in their place, with a warning: the OCI spec is JSON', ENVIRONMENT, BAD_CONTAINER),
  },
  mounts: mountRows,
  devices: deviceRows,
  labels: honoured('given back, and selected by', ECHO, lists('filters are joined by "and": each must hold'), BAD_CONTAINER),
  annotations: honoured(
    'given back byte for byte, handed to the runtime where its handler says so; `cdi.k8s.io/` names CDI devices, after those of `CDI_devices`; classes of RDT and block I/O are refused (docs/annotations.md)',
    ECHO,
    CDI_ORDER,
    BAD_CONTAINER,
    handlers('annotations reach the runtime where the handler names them: of the pod in each container, of a container in it'),
    CLASSES,
  ),
  logPath: honoured('below the log directory of the pod', ECHO, BAD_CONTAINER),
  stdin: honoured('', streaming("Kubernetes' client runs commands, attaches and forwards a port")),
  stdinOnce: honoured('its end is the end of the input', streaming("Kubernetes' client runs commands, attaches and forwards a port")),
  tty: honoured('', containers('with a terminal both outputs are one, and TERM is set')),
  linux: { resources: createdResources, securityContext },
  cdiDevices: {
    name: honoured(
      "Container Device Interface 1.1.0: the edits of the spec files. In a pod with a user namespace its mounts have no id mapping, as at both peers: what is the node's root's is nobody's there",
      CDI_EDITS,
      CDI_ORDER,
      CDI_REFUSED,
      BAD_CONTAINER,
      USER_DEVICES,
      userDevices("CDI's mounts have the owners of the node, whom the pod does not know, and can be read as others may"),
    ),
  },
  stopSignal: honoured('', containers('StopContainer sends TERM by default and the signal of the image where it names one')),
};

const CHANGED = resources('memory and processor limits of a running container change in its cgroup and in its status');
const AS_CREATED = limits('every limit of a container can be changed, and is in its cgroup');

const HUGEPAGES = refused(
  'a limit on huge pages cannot be changed',
  'the same limits again, which the kubelet sends, are fine',
  limits('an update that is refused leaves every limit as it was, in the kernel and in the status'),
);

export const updatedResources: Fields<LinuxContainerResources> = {
  cpuPeriod: honoured('', AS_CREATED),
  cpuQuota: honoured('', CHANGED),
  cpuShares: honoured('', CHANGED),
  memoryLimitInBytes: honoured('below what is in use it is refused', CHANGED, resources('a memory limit below what is in use is refused with both figures, and nothing has changed')), // prettier-ignore
  oomScoreAdj: accepted(
    'no runtime changes the score of running processes; the status goes on to tell the one in force',
    'neither applies it (CRI-O has a note that it is missing)',
    limits('an update leaves the OOM score as it was, in the kernel and in the status'),
  ),
  cpusetCpus: honoured('', CHANGED),
  cpusetMems: honoured('', AS_CREATED),
  hugepageLimits: { pageSize: HUGEPAGES, limit: HUGEPAGES },
  unified: honoured('on cgroup v2, over what was set before; a failed one changes nothing; on v1 refused', GUEST_LIMITS, GUEST_REFUSED),
  memorySwapLimitInBytes: honoured('', resources('memory and swap are raised and lowered together')),
};
