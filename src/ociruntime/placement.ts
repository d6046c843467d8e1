import { DaemonError } from '../base/errors.ts';
import { isObjectId } from '../base/ids.ts';
import type { Cgroups } from '../linux/cgroups/cgroups.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

const SHOWN_CHARACTERS = 200;

/**
 * How new cgroups of containers are named: `ID` (systemd: `podwright-ID.scope`), or in CRI-O's form, `crio-ID.scope`, the only one that
 * cAdvisor asks about. It does without `.scope` where the driver is cgroupfs; but the kubelet does not, where it looks up a container's
 * figures by its id (docs/cadvisor.md). Those that are there keep theirs: a record has the path.
 */
export type CgroupNaming = 'own' | 'crio';

/**
 * Where in the cgroup tree things go: an implementation for each driver. The kubelet finds a container by the text behind the
 * last `-` of a `.scope` (systemd) or by the last path element (cgroupfs). Monitors get a leaf or a scope of their own, so
 * that a restart of our service does not kill them (ARCHITECTURE.md, "Processes").
 *
 * `parent` is a pod's cgroup in the driver's own form: a path, or the name of a slice.
 */
export interface CgroupPlacement {
  readonly driver: CgroupDriver;
  naming: CgroupNaming;

  /**
   * The pod's cgroup in the driver's own form. The CRI gives it in cgroupfs syntax for both drivers.
   * @param requested empty for a pod that names none: it gets one of its own
   * @throws InvalidArgument where the systemd driver is not given a slice, and for a path that leads out of its parent.
   */
  parent(requested: string, sandboxId: string): string;

  /** The pod's cgroup that is at a directory below a hierarchy's root, in the driver's own form: {@link parentDirectory} the other way round. */
  parentAt(directory: string): string;

  /** OCI linux.cgroupsPath for a new container. */
  cgroupsPath(parent: string, id: string): string;

  /** The pod's cgroup that `cgroupsPath` was made from, in either naming; undefined where this driver has not made it for this container. */
  parentOf(cgroupsPath: string, id: string): string | undefined;

  /**
   * Annotations for the runtime that go with the placement.
   * @param graceSeconds between the signals TERM and KILL when the node shuts down
   */
  runtimeAnnotations(kind: 'container' | 'infra', graceSeconds?: number): Readonly<Record<string, string>>;

  /** The cgroup of the pod itself, below every hierarchy's root. */
  parentDirectory(parent: string): string;

  /**
   * The cgroup that a linux.cgroupsPath of somebody else's choice stands for, below every hierarchy's root.
   * @returns what it must be, in words, where it is not in this driver's form.
   */
  readPath(cgroupsPath: string): { readonly directory: string } | { readonly must: string };

  /**
   * The cgroup a container's processes end up in, below every hierarchy's root.
   * @param cgroupsPath its linux.cgroupsPath; missing for one in our own naming. One of another driver counts as missing.
   */
  containerDirectory(parent: string, id: string, cgroupsPath?: string): string;

  /** Makes the pod's cgroup where it is missing. Whether it was made: then it is ours to remove. */
  ensureParent(parent: string): Promise<boolean>;

  /** Removes the pod's cgroup, and our own parent of such, where nothing is in them. */
  removeParent(parent: string): Promise<void>;

  /** Makes a monitor's cgroup ahead of its start, beside other work. */
  prepareMonitor(parent: string, id: string): Promise<void>;

  /** Moves a monitor out of our own cgroup. */
  placeMonitor(parent: string, id: string, pid: number): Promise<void>;

  /**
   * Of these containers those of which the cgroups' manager has told since the boot that a process was killed for lack of memory;
   * any other had no kill. undefined where there is nobody to ask.
   */
  toldOutOfMemory(containers: readonly PlacedContainer[]): Promise<ReadonlySet<string> | undefined>;

  /** Removes the cgroups of a container and of its monitor, with every process that is still in them. Idempotent. */
  removeContainer(parent: string, id: string, cgroupsPath?: string): Promise<void>;

  /** The id that is in the name of a container's cgroup, in either naming, or of its monitor's; undefined where we give no such name. */
  idOf(name: string): string | undefined;

  /** The ids that are in names of cgroups in a pod's, by {@link idOf}, of which none has a process in it. */
  idsWithoutProcess(parent: string): Promise<string[]>;

  /** Removes the cgroups in a pod's that have this id in their names, with every process that is still in them. Idempotent. */
  removeAllOf(parent: string, id: string): Promise<void>;

  /**
   * Makes a cgroup without processes beside the containers', which stands for the pod's network to cAdvisor. In a slice that is of our
   * own naming there is none: systemd makes that slice, later, and cAdvisor in a kubelet does not look there.
   */
  makeNetworkCgroup(parent: string, id: string, cgroupsPath: string): Promise<void>;

  /** Ends what somebody has put into it: it is in the way of the pod's end. Idempotent. */
  removeNetworkCgroup(parent: string, id: string, cgroupsPath: string): Promise<void>;
}

/** A container, its pod's cgroup in the driver's own form, and its linux.cgroupsPath. */
export interface PlacedContainer {
  readonly id: string;
  readonly cgroupParent: string;
  readonly cgroupsPath?: string | undefined;
}

/** Begins the names of cgroups and units that are ours. */
export const OWN_NAME_PREFIX = 'podwright-';

/** The name of a container's cgroup in CRI-O's form. */
export function crioName(id: string): string {
  return `crio-${id}.scope`;
}

/** The name of a cgroup without what comes before and after an id at its end; undefined where there is none. */
export function idAtEnd(name: string): string | undefined {
  return /(?:^|-)([0-9a-f]{64})(?:\.scope)?$/.exec(name)?.[1];
}

/** Of the cgroups in one, the ids by their names where none of an id has a process in it. */
export async function idsWithoutProcess(
  cgroups: Cgroups,
  directory: string,
  idOf: (name: string) => string | undefined,
): Promise<string[]> {
  const ids = new Set<string>();
  const used = new Set<string>();
  for (const name of await cgroups.children(directory)) {
    const id = idOf(name);
    if (id === undefined) continue;
    ids.add(id);
    if ((await cgroups.processes(`${directory}/${name}`)).length > 0) used.add(id);
  }
  return [...ids].filter((id) => !used.has(id));
}

/** Whether we give cgroups such names, or cAdvisor and the kubelet take them for a container's: nobody else may choose them. */
export function isOwnName(name: string): boolean {
  return isObjectId(name.replace(/^crio-/, '').replace(/\.scope$/, '')) || name.startsWith(OWN_NAME_PREFIX);
}

/** The text before `end`; undefined where there is another end. */
export function before(text: string, end: string): string | undefined {
  return text.endsWith(end) ? text.slice(0, -end.length) : undefined;
}

/** The server has refused what no file system can have. @throws InvalidArgument for a `cgroup_parent` that leads out of its parent. */
export function checkRequestedParent(requested: string): void {
  if (!requested.split('/').some((part) => part === '..' || part === '.')) return;
  refuseParent(requested, 'must be a path whose parts are names, none of them . or ..');
}

/** @throws InvalidArgument, with as much of the path as fits into a message. */
export function refuseParent(requested: string, must: string): never {
  const shown = requested.length <= SHOWN_CHARACTERS ? requested : `${requested.slice(0, SHOWN_CHARACTERS)}...`;
  throw new DaemonError('InvalidArgument', `cgroup_parent is ${JSON.stringify(shown)}, ${must}`);
}
