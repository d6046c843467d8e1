import type { ContainerConfig, Mount, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { ImageProcessConfig } from '../base/image-process-config.ts';
import type { JsonObject } from '../base/json.ts';
import type { Ulimit } from '../base/ulimit.ts';
import type { MountEntry } from '../linux/mountinfo.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import type { CdiEdits } from './cdi-edits.ts';
import type { HostFacts } from './host-facts.ts';
import type { OciCapabilities, OciDevice, OciDeviceRule, OciHooks, OciMount, OciResources, OciRlimit } from './oci-types.ts';
import type { SeccompChoice } from './seccomp.ts';
import type { SeccompProfile } from './seccomp-profile.ts';
import type { SelinuxLabels } from './selinux.ts';
import type { AskedUser, ResolvedUser } from './user.ts';

/**
 * Where each namespace of a container comes from: `host`, or the path of a namespace to join (a pinned one, or
 * a descriptor of ours on that of the infra container or of a TARGET). Only PID can be `new`.
 */
export interface SpecNamespaces {
  readonly net: string;
  readonly ipc: string;
  readonly uts: string;
  readonly pid: string;
  /** Missing is the node's. */
  readonly user?: string | undefined;
}

/** The pod's files on the host, each bound into the container unless its request mounts something there itself. */
export interface PodFiles {
  readonly hosts?: string | undefined;
  readonly resolvConf?: string | undefined;
  readonly hostname?: string | undefined;
  /** The pod's /dev/shm directory; not asked for where the pod uses the node's IPC namespace. */
  readonly shm?: string | undefined;
}

/** A mount of the request, checked. */
export interface PlannedMount {
  readonly request: Mount;
  /** What the spec will have of it; its source is found later. */
  readonly mount: Omit<OciMount, 'source'>;
}

/** A mount of the request whose source the caller has found: host path with symlinks followed, or an image's directory. */
export interface ResolvedMount extends PlannedMount {
  /** Absolute host path without symlinks, existing. */
  readonly source: string;
}

/** A device of the request, or a directory of them, checked. */
export interface PlannedDevice {
  /** Below /dev, as the request names it. */
  readonly hostPath: string;
  /** Its place in the container. */
  readonly path: string;
  /** Of the letters `rwm`. */
  readonly access: string;
  /** Whom it belongs to in the container; of what is not named the host's. */
  readonly owner?: { readonly uid?: number | undefined; readonly gid?: number | undefined };
}

/** A device node of the host, and how the container sees it. */
export interface ResolvedDevice {
  readonly path: string;
  /** Where the host has it; no link. */
  readonly hostPath: string;
  readonly type: 'b' | 'c' | 'p';
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the letters `rwm`. */
  readonly access: string;
}

/** What the OCI runtime of the pod's handler can do. */
export interface RuntimeFacts {
  readonly recursiveReadOnlyMounts: boolean;
  readonly idmapMounts: boolean;
  /** Interfaces of the host moved into a container, OCI runtime spec 1.3. */
  readonly netDevices: boolean;
  /** Scheduler and I/O priority of the process, OCI runtime spec 1.1. */
  readonly scheduling: boolean;
  readonly timeNamespace: boolean;
  readonly rdtSchemata: boolean;
  readonly rdtMonitoring: boolean;
  /** The modes and flags of memory policies that it knows; false for a runtime that has none. */
  readonly memoryPolicy: false | readonly string[];
}

/** An OCI runtime spec that the node's owner has the spec of every container laid over, checked. */
export interface BaseSpec {
  /** `NAME=value`, for names that a container does not have. */
  readonly env: readonly string[];
  /** For types that nothing else limits. */
  readonly rlimits: readonly OciRlimit[];
  /** At places where a container has no mount. */
  readonly mounts: readonly OciMount[];
  /** At paths where a container has no device. */
  readonly devices: readonly OciDevice[];
  readonly deviceRules: readonly OciDeviceRule[];
  /** All else: what a container's spec does not have comes from here. */
  readonly rest: JsonObject;
}

/** What the node's owner has chosen for the pods of one runtime handler. Of annotations these are patterns, annotations.ts. */
export interface HandlerSettings {
  readonly podAnnotations: readonly string[];
  readonly containerAnnotations: readonly string[];
  readonly allowedAnnotations: readonly string[];
  /** What the spec of a container is laid over. */
  readonly baseSpec?: BaseSpec | undefined;
  /** Whether a privileged container gets none of the host's devices. */
  readonly privilegedWithoutHostDevices: boolean;
  /** Whether it may use every device all the same. */
  readonly privilegedWithoutHostDevicesAllDevicesAllowed: boolean;
  /** Whether a container may write in its own cgroup. */
  readonly cgroupWritable: boolean;
}

/** The node owner's choices, a slice of the configuration. */
export interface SpecSettings {
  /** What a container has that neither adds nor drops. */
  readonly defaultCapabilities: readonly string[];
  /** Where a type is missing, the daemon's own limit is inherited. */
  readonly defaultUlimits: readonly Ulimit[];
  /** Most processes and threads of a container; -1 is no limit of ours. */
  readonly pidsLimit: number;
  /** What RuntimeDefault stands for; absent is the built-in profile. */
  readonly seccompDefaultProfile?: SeccompProfile | undefined;
  /** Whether limits on huge pages are left out, and not refused, where the kernel has no controller for them. */
  readonly tolerateMissingHugetlb: boolean;
  /** Devices that every container gets. */
  readonly additionalDevices: readonly PlannedDevice[];
  /** Those of the host that a pod may name in an annotation, where its handler allows that. */
  readonly allowedDevices: readonly string[];
  readonly deviceOwnershipFromSecurityContext: boolean;
  /** Variables that every container has, unless its image or its request says another. */
  readonly defaultEnv: readonly string[];
  /** The zone of /etc/localtime: a name, `local` for the node's, or empty for the image's. */
  readonly timezone: string;
  /** What every container has mounted, unless its request mounts something there. */
  readonly defaultMounts: readonly OciMount[];
  /** What the pod's runtime handler has of its own. */
  readonly handler: HandlerSettings;
}

/**
 * The part of a container's spec that the request, its image and the node decide, without a look at the disk. The rest is found
 * when the root file system is mounted: sources, devices, the user's entry in /etc/passwd, the text of a seccomp profile.
 */
export interface SpecPlan {
  readonly args: readonly string[];
  /** The variables of the request, `NAME=value`. */
  readonly variables: readonly string[];
  readonly workingDirectory: string;
  readonly user: AskedUser;
  readonly capabilities: OciCapabilities;
  readonly apparmorProfile: string | undefined;
  readonly seccomp: SeccompChoice;
  readonly resources: OciResources;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** The annotations of the request that the runtime is handed. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Each type once. */
  readonly ulimits: readonly Ulimit[];
  readonly umask: number | undefined;
  /** Whether it may write in its own cgroup, also where it is not privileged. */
  readonly cgroupWritable: boolean;
  /** Whether a volume whose top has the right SELinux label already is left as it is. */
  readonly trySkipRelabel: boolean;
  /** In the order of the request. */
  readonly mounts: readonly PlannedMount[];
  readonly devices: readonly PlannedDevice[];
}

/** All that the spec of a container depends on. */
export interface ContainerSpecInput {
  readonly kind: 'container';
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  /** What the request alone decides. */
  readonly plan: SpecPlan;
  readonly sandboxConfig: PodSandboxConfig;
  /** The pod's hostname, for HOSTNAME. Where absent: that of sandboxConfig, or else the node's. */
  readonly hostname?: string | undefined;
  readonly imageConfig: ImageProcessConfig;
  readonly rootfsPath: string;
  /** From resolveUser, once the rootfs is mounted. */
  readonly user: ResolvedUser;
  readonly namespaces: SpecNamespaces;
  /** The ids of the user namespace, where it is not the node's. */
  readonly userMapping?: UserMapping | undefined;
  readonly cgroupsPath: string;
  readonly podFiles: PodFiles;
  readonly mounts: readonly ResolvedMount[];
  /** The VOLUMEs of the image, where they are mounts. */
  readonly volumes?: readonly OciMount[] | undefined;
  /** The devices the request names, from resolveDevices. */
  readonly devices: readonly ResolvedDevice[];
  /** Every device of the host, from listHostDevices, for a privileged container whose handler does not leave them out; else empty. */
  readonly hostDevices: readonly ResolvedDevice[];
  /** Those of the node's hooks.d directories. */
  readonly hooks?: OciHooks | undefined;
  /** What the CDI devices of the request want done to the spec; undefined where it names none. */
  readonly cdi?: CdiEdits | undefined;
  /** The host's mount table; only read where a mount asks for propagation. */
  readonly hostMounts: readonly MountEntry[];
  /** The profile file's content where seccompChoice says Localhost. */
  readonly localhostSeccomp?: SeccompProfile | undefined;
  /** Undefined where nothing is labelled. */
  readonly selinux?: SelinuxLabels | undefined;
  readonly settings: SpecSettings;
  readonly host: HostFacts;
  /** Further annotations for the runtime; ours win. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Told of what is odd in the image and was left out. */
  readonly warn: (words: string) => void;
}

/** All that the spec of an infra container depends on: the process that keeps a shared PID namespace. */
export interface InfraSpecInput {
  readonly kind: 'infra';
  readonly sandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  /** A directory that holds the pause program (pause-program.ts) as /pause. */
  readonly rootfsPath: string;
  /** net, ipc, uts and user as the pod's containers; pid is always new. */
  readonly namespaces: Omit<SpecNamespaces, 'pid'>;
  readonly userMapping?: UserMapping | undefined;
  readonly cgroupsPath: string;
  /** What the request says of it. */
  readonly plan: InfraPlan;
  /** The profile of a Localhost choice of the plan. */
  readonly localhostSeccomp: SeccompProfile | undefined;
  /** Undefined where nothing is labelled. */
  readonly selinux?: SelinuxLabels | undefined;
  readonly settings: SpecSettings;
  readonly host: HostFacts;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What a RunPodSandbox request decides of its infra container. */
export interface InfraPlan {
  readonly seccomp: SeccompChoice;
  readonly apparmorProfile: string | undefined;
  /** The annotations of the request that the runtime is handed. */
  readonly annotations: Readonly<Record<string, string>>;
}

export type SpecInput = ContainerSpecInput | InfraSpecInput;
