/** A host port that leads to a port of the pod (CNI convention "portMappings"). */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** The host's address to listen on; every one where left out. */
  readonly hostIP?: string;
}

/** Limits in bits per second, and bursts in bits; a plugin takes a rate only with its burst (CNI convention "bandwidth"). */
export interface Bandwidth {
  readonly ingressRate?: number;
  readonly ingressBurst?: number;
  readonly egressRate?: number;
  readonly egressBurst?: number;
}

/** The pod's DNS configuration (CNI convention "dns"). */
export interface DnsArgs {
  readonly servers?: readonly string[];
  readonly searches?: readonly string[];
  readonly options?: readonly string[];
}

/**
 * Arguments that a plugin gets in `runtimeConfig` when it declares the capability of that name
 * (containernetworking/cni, CONVENTIONS.md, "Dynamic plugin specific fields").
 */
export interface CapabilityArgs {
  readonly portMappings?: readonly PortMapping[];
  readonly bandwidth?: Bandwidth;
  readonly dns?: DnsArgs;
  /** The cgroup of the pod as the request names it: a path, or a slice. */
  readonly cgroupPath?: string;
  /** Not among the conventions; CRI-O and containerd both give it. */
  readonly 'io.kubernetes.cri.pod-annotations'?: Readonly<Record<string, string>>;
}

/** The arguments of the capabilities that a plugin declares; undefined where there are none. */
export function runtimeConfigFor(declared: readonly string[], args: CapabilityArgs): Record<string, unknown> | undefined {
  const known = Object.entries(args).filter(([name, value]) => declared.includes(name) && !isNothing(value));
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

function isNothing(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}
