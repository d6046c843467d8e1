import type { ContainerConfig, ImageSpec, LinuxContainerResources, Mount } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { ContainerId, ImageId, SandboxId } from '../base/ids.ts';
import type { ProcessIdentity } from '../linux/process.ts';

/** The user a container's first process runs as, as numbers. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

/** What a container is, fixed when CreateContainer was asked; on disk before the first effect. */
export interface ContainerRecord {
  readonly id: ContainerId;
  /** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`, for people and conmon's log lines. */
  readonly name: string;
  readonly sandboxId: SandboxId;
  readonly config: ContainerConfig;
  readonly imageId: ImageId;
  /** The images that its mounts are of, in the order of those mounts; missing where there are none. */
  readonly volumeImageIds?: readonly ImageId[] | undefined;
  /** As ContainerStatus.image_ref names it. */
  readonly imageRef: string;
  readonly createdAtNs: bigint;
  readonly bootId: string;
  readonly runtimeHandler: string;
  /** Absolute; empty where no log is kept. */
  readonly logPath: string;
  /** The signal's number that asks it to end. */
  readonly stopSignal: number;
  /** Of its pod, in the cgroup driver's own form. */
  readonly cgroupParent: string;
  /** OCI linux.cgroupsPath. */
  readonly cgroupsPath: string;
}

/** Why a container ended, in the words that the kubelet and people know. */
export type ExitReason = 'Completed' | 'Error' | 'OOMKilled' | 'ContainerCannotRun' | 'Unknown';

interface Made {
  readonly process: ProcessIdentity;
  readonly monitor: ProcessIdentity;
  readonly user: ContainerUser;
  /** As last set by CreateContainer or UpdateContainerResources. */
  readonly resources?: LinuxContainerResources | undefined;
}

/**
 * The life of a container. No state on disk means Creating.
 *
 *     Creating -> Created -> Starting -> Running -> Exited -> Removing -> (gone)
 *         \-> Parked -> Created        (finished after its caller had left; the retry takes it, or time removes it)
 *
 * Starting is the intent of a start: a restart finds out whether the process got to run.
 */
export type ContainerState =
  | ({ readonly is: 'Parked' } & Made)
  | ({ readonly is: 'Created' } & Made)
  | ({ readonly is: 'Starting'; readonly startedAtNs: bigint } & Made)
  | ({ readonly is: 'Running'; readonly startedAtNs: bigint } & Made)
  | ({ readonly is: 'Exited' } & ExitedFields & Made)
  | ({ readonly is: 'Removing' } & Partial<ExitedFields> & Made);

export interface ExitedFields {
  /** Absent where it never ran. */
  readonly startedAtNs?: bigint | undefined;
  readonly finishedAtNs: bigint;
  readonly exitCode: number;
  readonly reason: ExitReason;
  readonly message: string;
}

export interface Container {
  readonly record: ContainerRecord;
  readonly state: ContainerState;
}

/** The states that an action needs. Remove is allowed in every state: the CRI says by force. */
const ALLOWED = {
  start: ['Created'],
  exec: ['Running'],
  attach: ['Running'],
  'reopen log of': ['Running'],
  update: ['Created', 'Running'],
} as const satisfies Record<string, readonly ContainerState['is'][]>;

/** @throws FailedPrecondition: `exec container c1: it is Created, must be Running`. */
export function requireState(container: Container, action: keyof typeof ALLOWED): void {
  const allowed: readonly string[] = ALLOWED[action];
  if (allowed.includes(container.state.is)) return;
  throw new DaemonError(
    'FailedPrecondition',
    `${action} container ${container.record.id}: it is ${container.state.is}, must be ${allowed.join(' or ')}`,
  );
}

/** Every image that must stay while the container is there. */
export function imagesOf({ imageId, volumeImageIds = [] }: Pick<ContainerRecord, 'imageId' | 'volumeImageIds'>): readonly ImageId[] {
  return [imageId, ...volumeImageIds];
}

/** Whether a mount is of an image (KEP-4639), and not of a host path. */
export function isImageVolume(mount: Mount): mount is Mount & { image: ImageSpec } {
  return mount.image !== undefined && mount.image.image !== '';
}

export function isContainerRecord(data: unknown, id: string): data is ContainerRecord {
  const record = data as Partial<ContainerRecord> | null;
  return (
    typeof record === 'object' &&
    record !== null &&
    record.id === id &&
    typeof record.name === 'string' &&
    typeof record.sandboxId === 'string' &&
    isConfig(record.config) &&
    typeof record.runtimeHandler === 'string' &&
    typeof record.logPath === 'string' &&
    typeof record.stopSignal === 'number' &&
    typeof record.imageId === 'string' &&
    (record.volumeImageIds === undefined || Array.isArray(record.volumeImageIds)) &&
    typeof record.createdAtNs === 'bigint' &&
    typeof record.bootId === 'string' &&
    typeof record.cgroupParent === 'string' &&
    typeof record.cgroupsPath === 'string'
  );
}

/** As far as every List and Status looks into it: one bad record must not break them for all. */
function isConfig(config: unknown): boolean {
  const { metadata, labels, annotations, mounts } = (config ?? {}) as Partial<ContainerConfig>;
  return isObject(metadata) && isObject(labels) && isObject(annotations) && Array.isArray(mounts);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

const STATES: readonly string[] = ['Parked', 'Created', 'Starting', 'Running', 'Exited', 'Removing'] satisfies ContainerState['is'][];

export function isContainerState(data: unknown): data is ContainerState {
  const state = data as Partial<ContainerState> | null;
  return (
    typeof state === 'object' &&
    state !== null &&
    typeof state.is === 'string' &&
    STATES.includes(state.is) &&
    isObject(state.process) &&
    isObject(state.monitor) &&
    Array.isArray(state.user?.additionalGids)
  );
}

/** Whether its first process may still be there. */
export function isAliveState(state: ContainerState): boolean {
  return state.is === 'Parked' || state.is === 'Created' || state.is === 'Starting' || state.is === 'Running';
}
