/** What runtimes and conmon answer, read field by field. */
import { DaemonError, messageOf } from '../base/errors.ts';
import { Field } from '../base/field.ts';

/** What `runtime state` says of a container (OCI runtime spec, runtime.md, State). */
export interface OciState {
  readonly status: (typeof STATUSES)[number];
  /** 0 where there is no process. */
  readonly pid: number;
}

const STATUSES = ['creating', 'created', 'running', 'stopped', 'paused'] as const;

/** What a handler's runtime can do. */
export interface HandlerFeatures {
  readonly recursiveReadOnlyMounts: boolean;
  /** Mounts with owners of their own, mount_setattr(2) MOUNT_ATTR_IDMAP. */
  readonly idmapMounts: boolean;
  /** Whether it makes and joins user namespaces. */
  readonly userNamespace: boolean;
  /** Whether it was built to have CRIU write and restore checkpoints. */
  readonly checkpoints: boolean;
  /** Interfaces of the host moved into a container. */
  readonly netDevices: boolean;
  /** Scheduler and I/O priority of the process: OCI runtime spec 1.1, for which features have no word of their own. */
  readonly scheduling: boolean;
  readonly timeNamespace: boolean;
  /** intelRdt.schemata and intelRdt.enableMonitoring, OCI runtime spec 1.3. */
  readonly rdtSchemata: boolean;
  readonly rdtMonitoring: boolean;
  /** Whether it leaves nothing but the container where it was started: runc and crun. One of sandboxes or virtual machines may. */
  readonly leavesNothing: boolean;
  /** The modes and flags of memory policies that it knows; false for a runtime that has none. */
  readonly memoryPolicy: false | readonly string[];
}

/** conmon's line on the sync pipe: the pid of the container, or -1 and why there is none. conmon, src/parent_pipe_fd.c */
export interface SyncMessage {
  readonly pid: number;
  readonly message: string;
}

/** Reads the answer of a program. @throws Internal that says who has answered, and names the field that is wrong. */
export function readAnswer<T>(who: string, text: string, read: (document: Field) => T): T {
  try {
    return read(Field.parse(text, who));
  } catch (error) {
    throw new DaemonError('Internal', messageOf(error), { cause: error });
  }
}

export function readState(state: Field): OciState {
  return { status: state.at('status').oneOf(STATUSES), pid: state.at('pid').given?.count('a process id') ?? 0 };
}

/** The annotation of runc's features, which crun has as well, and no other runtime. */
const CHECKPOINTS = 'org.opencontainers.runc.checkpoint.enabled';

/** Reads `runtime features` (OCI runtime spec, features.md). What a document does not mention the runtime cannot do. */
export function readFeatures(features: Field): HandlerFeatures {
  const options = features.at('mountOptions').given?.texts();
  const linux = features.at('linux').given;
  const idmap = linux?.at('mountExtensions').given?.at('idmap').given;
  const netDevices = linux?.at('netDevices').given;
  const namespaces = linux?.at('namespaces').given?.texts();
  const rdt = linux?.at('intelRdt').given;
  const checkpoints = features.at('annotations').asObject()?.at(CHECKPOINTS).asText();
  const memoryPolicy = linux?.at('memoryPolicy').given;
  return {
    recursiveReadOnlyMounts: options?.includes('rro') === true,
    idmapMounts: idmap?.at('enabled').given?.flag() === true,
    netDevices: netDevices?.at('enabled').given?.flag() === true,
    checkpoints: checkpoints === 'true',
    leavesNothing: checkpoints !== undefined,
    userNamespace: namespaces?.includes('user') === true,
    scheduling: knowsScheduling(features),
    timeNamespace: namespaces?.includes('time') === true,
    rdtSchemata: rdt?.at('schemata').given?.flag() === true,
    rdtMonitoring: rdt?.at('monitoring').given?.flag() === true,
    memoryPolicy: memoryPolicy !== undefined && ['modes', 'flags'].flatMap((name) => memoryPolicy.at(name).given?.texts() ?? []),
  };
}

/** OCI runtime spec, ChangeLog: process.scheduler and process.ioPriority. */
const SCHEDULING_VERSION = [1, 1] as const;
/** runc, CHANGELOG.md: the same. */
const RUNC_SCHEDULING_VERSION = [1, 2] as const;

/**
 * Debian 13's runc 1.1.15 says version 1.2 of the spec, since it is built with that of another package, and passes over what it does
 * not know: so the version of runc counts too, where there is one.
 */
function knowsScheduling(features: Field): boolean {
  const runc = features.at('annotations').asObject()?.at('org.opencontainers.runc.version').asText();
  const isOld = runc !== undefined && /^\d+\.\d+/.test(runc) && !hasVersion(runc, RUNC_SCHEDULING_VERSION);
  return !isOld && hasVersion(features.at('ociVersionMax').asText(), SCHEDULING_VERSION);
}

function hasVersion(text = '', [major, minor]: readonly [number, number]): boolean {
  const [, ofMajor = '0', ofMinor = '0'] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(ofMajor) > major || (Number(ofMajor) === major && Number(ofMinor) >= minor);
}

/** `data` is the pid since conmon 2.0; older ones wrote `pid`. */
export function readSyncMessage(line: Field): SyncMessage {
  const pid = line.at('pid').given ?? line.at('data').given;
  return { pid: pid?.number() ?? -1, message: line.at('message').given?.text() ?? '' };
}
