import type { ContainerConfig, LinuxContainerResources, Mount } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import { present } from '../base/field.ts';
import type { Field } from '../base/field.ts';
import type { ContainerId, ImageId, SandboxId } from '../base/ids.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import { isImageVolume } from '../ocispec/mounts.ts';
import type { CgroupPlacement } from '../ociruntime/placement.ts';
import { readCriMessage } from '../podsandbox/cri-message.ts';
import { readProcessIdentity } from '../podsandbox/sandbox.ts';

/** The user a container's first process runs as, as numbers. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

/** Where a container that is restored came from: an archive on the node, an image that is a checkpoint, a part of a pod's. */
export type CheckpointOrigin =
  | { readonly archive: string; readonly imageId?: undefined; readonly directory?: undefined }
  | { readonly imageId: ImageId; readonly archive?: undefined; readonly directory?: undefined }
  | { readonly directory: string; readonly archive?: undefined; readonly imageId?: undefined };

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
  /** The checkpoint that its processes are restored from at its start; missing for a container that begins anew. */
  readonly checkpoint?: CheckpointOrigin | undefined;
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
  /** OCI linux.cgroupsPath, unless its state has another. */
  readonly cgroupsPath: string;
}

/** Why a container ended, in the words that the kubelet and people know. */
export type ExitReason = 'Completed' | 'Error' | 'OOMKilled' | 'ContainerCannotRun' | 'NodeRebooted' | 'Unknown';

interface Made {
  readonly process: ProcessIdentity;
  readonly monitor: ProcessIdentity;
  readonly user: ContainerUser;
  /** As last set by CreateContainer or UpdateContainerResources. */
  readonly resources?: LinuxContainerResources | undefined;
  /** OCI linux.cgroupsPath, where a plugin has chosen another than the record's. */
  readonly chosenCgroup?: string | undefined;
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

/** The process of a container that has none before its start. */
export const NO_PROCESS: ProcessIdentity = { pid: 0, startTime: '0', bootId: '' };

/** Whether it waits for its processes to be restored. A restart takes one that was being restored as ended. */
export function awaitsRestore({ record, state }: Container): boolean {
  return record.checkpoint !== undefined && (state.is === 'Created' || state.is === 'Parked');
}

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
  // Asked by one who takes part in its life, and so knows of a parked one too.
  adjust: ['Parked', 'Created', 'Running'],
  checkpoint: ['Running'],
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

/** OCI linux.cgroupsPath as it is. */
export function cgroupsPathOf({ record, state }: Container): string {
  return state.chosenCgroup ?? record.cgroupsPath;
}

/** The cgroup of a container's processes, below every hierarchy's root. */
export function cgroupOf(placement: Pick<CgroupPlacement, 'containerDirectory'>, container: Container): string {
  const { cgroupParent, id } = container.record;
  return placement.containerDirectory(cgroupParent, id, cgroupsPathOf(container));
}

/** Every image that must stay while the container is there. */
export function imagesOf(record: Pick<ContainerRecord, 'imageId' | 'volumeImageIds' | 'checkpoint'>): readonly ImageId[] {
  const { imageId, volumeImageIds = [], checkpoint } = record;
  return [imageId, ...volumeImageIds, ...(checkpoint?.imageId === undefined ? [] : [checkpoint.imageId])];
}

/** The mounts as they were asked for, each image volume with the image that it is: the kubelet reports its digest (KEP-5365). */
export function mountsOf({ config, volumeImageIds = [] }: Pick<ContainerRecord, 'config' | 'volumeImageIds'>): Mount[] {
  const ids = volumeImageIds.values();
  return config.mounts.map((mount) =>
    isImageVolume(mount) ? { ...mount, image: { ...mount.image, imageRef: ids.next().value ?? '' } } : mount,
  );
}

/**
 * Reads a record. A record that List and Status could not show is refused: it must not break them for all. @throws in words that
 * name the field.
 */
export function readContainerRecord(record: Field, id: string): ContainerRecord {
  const config = record.at('config');
  config.at('metadata').object();
  return {
    ...record.object(),
    id: record.at('id').oneOf([id]) as ContainerId,
    name: record.at('name').text(),
    sandboxId: record.at('sandboxId').text() as SandboxId,
    config: readCriMessage(config, 'ContainerConfig'),
    imageId: record.at('imageId').text() as ImageId,
    ...present({ volumeImageIds: record.at('volumeImageIds').given?.texts() as ImageId[] | undefined }),
    ...present({ checkpoint: readOrigin(record.at('checkpoint').given) }),
    imageRef: record.at('imageRef').given?.text() ?? '',
    createdAtNs: record.at('createdAtNs').bigint(),
    bootId: record.at('bootId').text(),
    runtimeHandler: record.at('runtimeHandler').text(),
    logPath: record.at('logPath').text(),
    stopSignal: record.at('stopSignal').number(),
    cgroupParent: record.at('cgroupParent').text(),
    cgroupsPath: record.at('cgroupsPath').text(),
  };
}

function readOrigin(origin: Field | undefined): CheckpointOrigin | undefined {
  if (origin === undefined) return undefined;
  const archive = origin.at('archive').given?.text();
  if (archive !== undefined) return { archive };
  const directory = origin.at('directory').given?.text();
  return directory === undefined ? { imageId: origin.at('imageId').text() as ImageId } : { directory };
}

const STATES = ['Parked', 'Created', 'Starting', 'Running', 'Exited', 'Removing'] as const satisfies ContainerState['is'][];

/** Reads a state. @throws in words that name the field. */
export function readContainerState(state: Field): ContainerState {
  const is = state.at('is').oneOf(STATES);
  const user = state.at('user');
  const made = {
    ...state.object(),
    process: readProcessIdentity(state.at('process')),
    monitor: readProcessIdentity(state.at('monitor')),
    user: {
      uid: user.at('uid').number(),
      gid: user.at('gid').number(),
      additionalGids: user.at('additionalGids').list((gid) => gid.number()),
    },
    ...present({ resources: readResources(state.at('resources').given), chosenCgroup: state.at('chosenCgroup').given?.text() }),
  };
  const startedAtNs = state.at('startedAtNs');
  if (is === 'Starting' || is === 'Running') return { ...made, is, startedAtNs: startedAtNs.bigint() };
  const ended = { ...made, ...present({ startedAtNs: startedAtNs.given?.bigint() }) };
  if (is === 'Exited') return { ...ended, is, ...readEnd(state) };
  if (is === 'Removing') return { ...ended, is, ...(state.at('finishedAtNs').given === undefined ? {} : readEnd(state)) };
  return { ...made, is };
}

function readEnd(state: Field): ExitedFields {
  return {
    finishedAtNs: state.at('finishedAtNs').bigint(),
    exitCode: state.at('exitCode').number(),
    reason: state.at('reason').text() as ExitReason, // a later version may know more
    message: state.at('message').given?.text() ?? '',
  };
}

function readResources(resources: Field | undefined): LinuxContainerResources | undefined {
  return resources && readCriMessage(resources, 'LinuxContainerResources');
}

/** Whether its first process may still be there. */
export function isAliveState(state: ContainerState): boolean {
  return state.is === 'Parked' || state.is === 'Created' || state.is === 'Starting' || state.is === 'Running';
}
