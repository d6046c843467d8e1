/** The version of the OCI runtime spec that runc 1.1 and crun 1.8 know. */
export const OCI_VERSION = '1.0.2';

/**
 * The OCI runtime configuration (config.json), as far as we write it.
 * https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config.md and config-linux.md
 */
export interface OciSpec {
  readonly ociVersion: string;
  readonly root: OciRoot;
  readonly process: OciProcess;
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
  readonly hooks?: OciHooks;
}

export type OciHookName = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop';
export type OciHooks = Readonly<Partial<Record<OciHookName, readonly OciHook[]>>>;

/** A program that the runtime runs at a point of the container's life. */
export interface OciHook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export interface OciRoot {
  /** Absolute path of the mounted rootfs on the host. */
  readonly path: string;
  readonly readonly: boolean;
}

export interface OciProcess {
  readonly terminal: boolean;
  /** Characters; only an exec with a known terminal size has it. */
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: OciUser;
  readonly args: readonly string[];
  /** `NAME=value`, each name once. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  /** sched_setattr(2). Since version 1.1. */
  readonly scheduler?: OciScheduler;
  /** ioprio_set(2). Since version 1.1. */
  readonly ioPriority?: OciIoPriority;
}

export interface OciScheduler {
  /** `SCHED_OTHER` and so on, sched(7). */
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly string[];
  /** Nanoseconds, as the two below; a bigint where a number would lose digits. */
  readonly runtime?: number | bigint;
  readonly deadline?: number | bigint;
  readonly period?: number | bigint;
}

export interface OciIoPriority {
  /** `IOPRIO_CLASS_BE` and so on. */
  readonly class: string;
  /** 0 is the highest, 7 the lowest. */
  readonly priority: number;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly umask?: number;
}

export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

export interface OciRlimit {
  /** `RLIMIT_NOFILE` and so on, getrlimit(2). */
  readonly type: string;
  /** A bigint where a number would lose digits: RLIM_INFINITY is 2^64 - 1. */
  readonly soft: number | bigint;
  readonly hard: number | bigint;
}

export interface OciMount {
  readonly destination: string;
  readonly type?: string;
  readonly source: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
}

export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface OciLinux {
  readonly namespaces: readonly OciNamespace[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  readonly devices: readonly OciDevice[];
  /** cgroupfs: a path below each hierarchy; systemd: `slice:prefix:name`. */
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly rootfsPropagation?: 'rshared' | 'rslave' | 'rprivate';
  readonly seccomp?: OciSeccomp;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly mountLabel?: string;
  /** Interfaces of the host to move into the container, by their names on the host. Since version 1.3. */
  readonly netDevices?: Readonly<Record<string, { readonly name: string }>>;
  readonly intelRdt?: OciIntelRdt;
  readonly sysctl?: Readonly<Record<string, string>>;
  /** set_mempolicy(2). Since version 1.3. */
  readonly memoryPolicy?: OciMemoryPolicy;
}

export interface OciMemoryPolicy {
  /** `MPOL_BIND` and so on. */
  readonly mode: string;
  /** A list of memory nodes: `0-1,3`. */
  readonly nodes: string;
  readonly flags?: readonly string[];
}

/** config-linux.md, "IntelRdt" */
export interface OciIntelRdt {
  readonly closID?: string;
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly schemata?: readonly string[];
  readonly enableMonitoring?: boolean;
}

export type OciNamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

export interface OciNamespace {
  readonly type: OciNamespaceType;
  /** The namespace to join; without it a new one is made. */
  readonly path?: string;
}

export interface OciDevice {
  readonly type: 'b' | 'c' | 'u' | 'p';
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'a' | 'b' | 'c';
  readonly major?: number;
  readonly minor?: number;
  /** Of the letters `rwm`. */
  readonly access: string;
}

export interface OciResources {
  readonly devices?: readonly OciDeviceRule[];
  readonly cpu?: OciCpu;
  readonly memory?: OciMemory;
  readonly pids?: { readonly limit: number };
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  /** cgroup v2 file name to what is written there. */
  readonly unified?: Readonly<Record<string, string>>;
  /** config-linux.md, "Block IO"; only a base spec has it. */
  readonly blockIO?: object;
}

export interface OciCpu {
  readonly shares?: number;
  /** Microseconds per period; -1 is no limit. */
  readonly quota?: number;
  /** Microseconds. */
  readonly period?: number;
  readonly cpus?: string;
  readonly mems?: string;
  /** Microseconds, as the one below; cgroup v1 only. */
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
}

export interface OciMemory {
  /** Bytes; -1 is no limit. */
  readonly limit?: number;
  /** Memory and swap together, bytes; -1 is no limit. */
  readonly swap?: number;
  /** What is not taken from it while others have more than theirs, bytes. */
  readonly reservation?: number;
  /** What follows has cgroup v1 only. */
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  /** Only a base spec has these: no runtime does anything with them. */
  readonly kernel?: number;
  readonly kernelTCP?: number;
  readonly useHierarchy?: boolean;
}

export type OciSeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY';

export type OciSeccompOperator =
  'SCMP_CMP_NE' | 'SCMP_CMP_LT' | 'SCMP_CMP_LE' | 'SCMP_CMP_EQ' | 'SCMP_CMP_GE' | 'SCMP_CMP_GT' | 'SCMP_CMP_MASKED_EQ';

export interface OciSeccompArg {
  readonly index: number;
  /** Unsigned 64 bit: a bigint where a number would lose digits. */
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  readonly op: OciSeccompOperator;
}

export interface OciSyscallRule {
  readonly names: readonly string[];
  readonly action: OciSeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArg[];
}

export interface OciSeccomp {
  readonly defaultAction: OciSeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly OciSyscallRule[];
}
