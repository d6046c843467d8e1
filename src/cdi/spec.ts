/**
 * A spec file of the Container Device Interface: what a vendor says must be done for a container that is to have its devices.
 * https://github.com/cncf-tags/container-device-interface/blob/v1.1.0/SPEC.md
 */
export interface CdiSpec {
  readonly cdiVersion: string;
  /** `VENDOR/CLASS` */
  readonly kind: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly devices: readonly CdiDevice[];
  /** For every container that gets one of the devices. */
  readonly containerEdits: ContainerEdits;
}

export interface CdiDevice {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly containerEdits: ContainerEdits;
}

/** What is done to the OCI spec of a container. */
export interface ContainerEdits {
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly deviceNodes: readonly DeviceNode[];
  readonly netDevices: readonly NetDevice[];
  readonly hooks: readonly Hook[];
  readonly mounts: readonly CdiMount[];
  readonly intelRdt: IntelRdt | undefined;
  readonly additionalGids: readonly number[];
}

/** A device node to make. What is missing is taken from the node at `hostPath`. */
export interface DeviceNode {
  /** In the container. */
  readonly path: string;
  /** On the host; empty: the same as in the container. */
  readonly hostPath: string;
  readonly type: DeviceType | '';
  /** 0: as the host's. */
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly fileMode: number | undefined;
  /** What the cgroup allows, of the letters `rwm`; empty: all. */
  readonly permissions: string;
  /** Undefined: the container's user and group. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export const DEVICE_TYPES = ['b', 'c', 'u', 'p'] as const;
export type DeviceType = (typeof DEVICE_TYPES)[number];

/** A network interface of the host that is moved into the container. */
export interface NetDevice {
  readonly hostInterfaceName: string;
  /** Its name in the container. */
  readonly name: string;
}

export const HOOK_NAMES = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
export type HookName = (typeof HOOK_NAMES)[number];

/** A program that the OCI runtime runs at a point of the container's life. */
export interface Hook {
  readonly hookName: HookName;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Seconds. */
  readonly timeout: number | undefined;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly options: readonly string[];
  readonly type: string;
}

/** Intel Resource Director Technology: which class of service the container is in. */
export interface IntelRdt {
  readonly closID: string;
  readonly l3CacheSchema: string;
  readonly memBwSchema: string;
  /** Undefined where it is not given: an empty list needs the newer version of the spec as well. */
  readonly schemata: readonly string[] | undefined;
  readonly enableMonitoring: boolean;
}
