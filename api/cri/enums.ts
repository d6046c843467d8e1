// Generated from api.proto by scripts/generate-codec.ts (`npm run generate`). Not to be edited.

/** A number of the enum, or one that a later version added. */
type Open<T> = T[keyof T] | (number & Record<never, never>);

export const Protocol = {
  TCP: 0,
  UDP: 1,
  SCTP: 2,
} as const;
export type Protocol = Open<typeof Protocol>;

/** Whose namespace. The default, POD, is a shared one: for pid that is shared by the pod's containers. */
export const NamespaceMode = {
  /** One for the whole pod. */
  POD: 0,
  /** The container's own. */
  CONTAINER: 1,
  /** The host's. */
  NODE: 2,
  /** That of another container of the same pod, named by target_id. */
  TARGET: 3,
} as const;
/** Whose namespace. The default, POD, is a shared one: for pid that is shared by the pod's containers. */
export type NamespaceMode = Open<typeof NamespaceMode>;

export const SecurityProfileProfileType = {
  /** The runtime's own default profile. */
  RuntimeDefault: 0,
  Unconfined: 1,
  Localhost: 2,
} as const;
export type SecurityProfileProfileType = Open<typeof SecurityProfileProfileType>;

export const SupplementalGroupsPolicy = {
  /** The image's groups of the user count as well. */
  Merge: 0,
  /** Only the groups named here. */
  Strict: 1,
} as const;
export type SupplementalGroupsPolicy = Open<typeof SupplementalGroupsPolicy>;

export const PodSandboxState = {
  SANDBOX_READY: 0,
  /** Stopped, or it has lost its network or a process it needs. */
  SANDBOX_NOTREADY: 1,
} as const;
export type PodSandboxState = Open<typeof PodSandboxState>;

export const ContainerState = {
  CONTAINER_CREATED: 0,
  CONTAINER_RUNNING: 1,
  CONTAINER_EXITED: 2,
  /** What became of it cannot be told. */
  CONTAINER_UNKNOWN: 3,
} as const;
export type ContainerState = Open<typeof ContainerState>;

export const MountPropagation = {
  PROPAGATION_PRIVATE: 0,
  /** rslave: the source must be shared or a slave. */
  PROPAGATION_HOST_TO_CONTAINER: 1,
  /** rshared: the source must be shared. */
  PROPAGATION_BIDIRECTIONAL: 2,
} as const;
export type MountPropagation = Open<typeof MountPropagation>;

/** Numbers of the CRI, not of a kernel. */
export const Signal = {
  /** None is asked for: the image's, or SIGTERM. */
  SIGNAL_RUNTIME_DEFAULT: 0,
  SIGNAL_SIGABRT: 1,
  SIGNAL_SIGALRM: 2,
  SIGNAL_SIGBUS: 3,
  SIGNAL_SIGCHLD: 4,
  SIGNAL_SIGCLD: 5,
  SIGNAL_SIGCONT: 6,
  SIGNAL_SIGFPE: 7,
  SIGNAL_SIGHUP: 8,
  SIGNAL_SIGILL: 9,
  SIGNAL_SIGINT: 10,
  SIGNAL_SIGIO: 11,
  SIGNAL_SIGIOT: 12,
  SIGNAL_SIGKILL: 13,
  SIGNAL_SIGPIPE: 14,
  SIGNAL_SIGPOLL: 15,
  SIGNAL_SIGPROF: 16,
  SIGNAL_SIGPWR: 17,
  SIGNAL_SIGQUIT: 18,
  SIGNAL_SIGSEGV: 19,
  SIGNAL_SIGSTKFLT: 20,
  SIGNAL_SIGSTOP: 21,
  SIGNAL_SIGSYS: 22,
  SIGNAL_SIGTERM: 23,
  SIGNAL_SIGTRAP: 24,
  SIGNAL_SIGTSTP: 25,
  SIGNAL_SIGTTIN: 26,
  SIGNAL_SIGTTOU: 27,
  SIGNAL_SIGURG: 28,
  SIGNAL_SIGUSR1: 29,
  SIGNAL_SIGUSR2: 30,
  SIGNAL_SIGVTALRM: 31,
  SIGNAL_SIGWINCH: 32,
  SIGNAL_SIGXCPU: 33,
  SIGNAL_SIGXFSZ: 34,
  SIGNAL_SIGRTMIN: 35,
  SIGNAL_SIGRTMINPLUS1: 36,
  SIGNAL_SIGRTMINPLUS2: 37,
  SIGNAL_SIGRTMINPLUS3: 38,
  SIGNAL_SIGRTMINPLUS4: 39,
  SIGNAL_SIGRTMINPLUS5: 40,
  SIGNAL_SIGRTMINPLUS6: 41,
  SIGNAL_SIGRTMINPLUS7: 42,
  SIGNAL_SIGRTMINPLUS8: 43,
  SIGNAL_SIGRTMINPLUS9: 44,
  SIGNAL_SIGRTMINPLUS10: 45,
  SIGNAL_SIGRTMINPLUS11: 46,
  SIGNAL_SIGRTMINPLUS12: 47,
  SIGNAL_SIGRTMINPLUS13: 48,
  SIGNAL_SIGRTMINPLUS14: 49,
  SIGNAL_SIGRTMINPLUS15: 50,
  SIGNAL_SIGRTMAXMINUS14: 51,
  SIGNAL_SIGRTMAXMINUS13: 52,
  SIGNAL_SIGRTMAXMINUS12: 53,
  SIGNAL_SIGRTMAXMINUS11: 54,
  SIGNAL_SIGRTMAXMINUS10: 55,
  SIGNAL_SIGRTMAXMINUS9: 56,
  SIGNAL_SIGRTMAXMINUS8: 57,
  SIGNAL_SIGRTMAXMINUS7: 58,
  SIGNAL_SIGRTMAXMINUS6: 59,
  SIGNAL_SIGRTMAXMINUS5: 60,
  SIGNAL_SIGRTMAXMINUS4: 61,
  SIGNAL_SIGRTMAXMINUS3: 62,
  SIGNAL_SIGRTMAXMINUS2: 63,
  SIGNAL_SIGRTMAXMINUS1: 64,
  SIGNAL_SIGRTMAX: 65,
} as const;
/** Numbers of the CRI, not of a kernel. */
export type Signal = Open<typeof Signal>;

export const MetricType = {
  COUNTER: 0,
  GAUGE: 1,
} as const;
export type MetricType = Open<typeof MetricType>;

export const ContainerEventType = {
  CONTAINER_CREATED_EVENT: 0,
  CONTAINER_STARTED_EVENT: 1,
  CONTAINER_STOPPED_EVENT: 2,
  CONTAINER_DELETED_EVENT: 3,
} as const;
export type ContainerEventType = Open<typeof ContainerEventType>;

export const CgroupDriver = {
  SYSTEMD: 0,
  CGROUPFS: 1,
} as const;
export type CgroupDriver = Open<typeof CgroupDriver>;
