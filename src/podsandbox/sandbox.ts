import type { LinuxContainerResources, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import { present } from '../base/field.ts';
import type { Field } from '../base/field.ts';
import type { SandboxId } from '../base/ids.ts';
import type { ProcessIdentity } from '../linux/process.ts';
import type { IdMapping, UserMapping } from '../linux/user-namespace.ts';
import type { SelinuxLabels } from '../ocispec/selinux.ts';
import { readCriMessage } from './cri-message.ts';

/** Whose namespace a pod's processes use. */
export type NamespaceOwner = 'pod' | 'node';

/** What a sandbox is, fixed when RunPodSandbox was asked; on disk before the first effect. */
export interface SandboxRecord {
  readonly id: SandboxId;
  /** `k8s_<pod>_<namespace>_<uid>_<attempt>`: the identity of the request. */
  readonly name: string;
  readonly config: PodSandboxConfig;
  /** The handler it has. */
  readonly runtimeHandler: string;
  /** The handler as the request named it, empty for the default one; missing in records from before this field. */
  readonly askedHandler?: string | undefined;
  /** The checkpoint that its containers are restored from; missing for a pod that begins anew. */
  readonly restoredFrom?: string | undefined;
  readonly createdAtNs: bigint;
  /** The boot it was made in: after another one none of its namespaces and processes exists any more. */
  readonly bootId: string;
  readonly namespaces: {
    readonly net: NamespaceOwner;
    readonly ipc: NamespaceOwner;
    readonly pid: 'pod' | 'node' | 'container';
    /** The ids of the pod's user namespace; missing where it uses the node's. */
    readonly user?: UserMapping | undefined;
  };
  readonly hostname: string;
  /** The SELinux labels of its containers, unless they ask for others; missing where nothing is labelled. No two pods have a level. */
  readonly selinux?: SelinuxLabels | undefined;
  /** In the cgroup driver's own form: a path for cgroupfs, a slice for systemd. */
  readonly cgroupParent: string;
  /**
   * OCI linux.cgroupsPath of the cgroup that is the pod's own in the eyes of cAdvisor: its infra container's, or one without processes.
   * Missing where there is none; an infra container has one in our own naming then.
   */
  readonly cgroupsPath?: string | undefined;
}

/** The addresses of a pod on its networks; empty where it uses the node's network. */
export interface SandboxNetwork {
  readonly ips: readonly string[];
}

/** The tiny process that keeps a shared PID namespace alive. */
export interface InfraProcess {
  readonly process: ProcessIdentity;
  readonly monitor: ProcessIdentity;
}

interface Alive {
  readonly network: SandboxNetwork;
  readonly infra?: InfraProcess | undefined;
  /** Whether this sandbox made the cgroup of its pod, and so removes it. */
  readonly ownsCgroup: boolean;
  /** In a pod that is restored, whether all its containers are there. Until then callers see neither it nor them, and a restart removes it. */
  readonly isRestored?: boolean | undefined;
  /** What the last UpdatePodSandboxResources told, in place of the config's. */
  readonly resources?: PodResources | undefined;
}

/** What the kubelet reckons that a pod needs. It orders nothing: the kubelet writes the pod's cgroup itself. */
export interface PodResources {
  readonly overhead?: LinuxContainerResources | undefined;
  readonly resources?: LinuxContainerResources | undefined;
}

/** What a pod is reckoned to need, by what was told last. */
export function podResources({ record, state }: Sandbox): PodResources {
  const { overhead, resources } = record.config.linux ?? {};
  return { overhead: state.resources?.overhead ?? overhead, resources: state.resources?.resources ?? resources };
}

/**
 * The life of a sandbox. No state on disk means Creating.
 *
 *     Creating -> Ready -> Stopping -> NotReady -> Removing -> (gone)
 *                     \-> Lost -> Stopping  (a part it cannot do without is gone; what is left is still held)
 *         \-> Parked -> Ready                  (finished after its caller had left; the retry takes it, or time removes it)
 */
export type SandboxState =
  | ({ readonly is: 'Parked' } & Alive)
  | ({ readonly is: 'Ready' } & Alive)
  | ({ readonly is: 'Stopping' } & Alive)
  | ({ readonly is: 'Lost'; readonly reason: string } & Alive)
  | ({ readonly is: 'NotReady' } & Alive)
  | ({ readonly is: 'Removing' } & Alive);

/** A sandbox as everyone but its own operations sees it: a snapshot. */
export interface Sandbox {
  readonly record: SandboxRecord;
  readonly state: SandboxState;
}

/** Whether a pod from a checkpoint is not whole yet. */
export function isBeingRestored(state: SandboxState | undefined): boolean {
  return state?.isRestored === false;
}

/** @throws FailedPrecondition where the sandbox is not Ready. */
export function requireReady(sandbox: Sandbox, action: string): void {
  if (sandbox.state.is === 'Ready') return;
  throw new DaemonError('FailedPrecondition', `${action}: pod sandbox ${sandbox.record.id} is ${sandbox.state.is}, must be Ready`);
}

/**
 * Reads a record. A record that List and Status could not show is refused: it must not break them for all. @throws in words that
 * name the field.
 */
export function readSandboxRecord(record: Field, id: string): SandboxRecord {
  const config = record.at('config');
  config.at('metadata').object();
  const namespaces = record.at('namespaces');
  const user = namespaces.at('user').given;
  const selinux = record.at('selinux').given;
  return {
    ...record.object(),
    id: record.at('id').oneOf([id]) as SandboxId,
    name: record.at('name').text(),
    config: readCriMessage(config, 'PodSandboxConfig'),
    runtimeHandler: record.at('runtimeHandler').text(),
    ...present({ askedHandler: record.at('askedHandler').given?.text() }),
    ...present({ restoredFrom: record.at('restoredFrom').given?.text() }),
    createdAtNs: record.at('createdAtNs').bigint(),
    bootId: record.at('bootId').text(),
    namespaces: {
      net: namespaces.at('net').oneOf(['pod', 'node']),
      ipc: namespaces.at('ipc').oneOf(['pod', 'node']),
      pid: namespaces.at('pid').oneOf(['pod', 'node', 'container']),
      ...present({ user: user && { uids: readIdMapping(user.at('uids')), gids: readIdMapping(user.at('gids')) } }),
    },
    hostname: record.at('hostname').text(),
    ...present({ selinux: selinux && { process: selinux.at('process').text(), mount: selinux.at('mount').text() } }),
    cgroupParent: record.at('cgroupParent').text(),
    ...present({ cgroupsPath: record.at('cgroupsPath').given?.text() }),
  };
}

function readIdMapping(mapping: Field): IdMapping {
  return { containerId: mapping.at('containerId').number(), hostId: mapping.at('hostId').number(), length: mapping.at('length').number() };
}

const STATES = ['Parked', 'Ready', 'Lost', 'Stopping', 'NotReady', 'Removing'] as const satisfies SandboxState['is'][];

/** Reads a state. @throws in words that name the field. */
export function readSandboxState(state: Field): SandboxState {
  const is = state.at('is').oneOf(STATES);
  const infra = state.at('infra').given;
  const told = state.at('resources').given;
  const alive = {
    ...state.object(),
    network: { ...state.at('network').object(), ips: state.at('network').at('ips').texts() },
    ...present({
      resources: told && readResources(told),
      isRestored: state.at('isRestored').given?.flag(),
      infra: infra && { process: readProcessIdentity(infra.at('process')), monitor: readProcessIdentity(infra.at('monitor')) },
    }),
    ownsCgroup: state.at('ownsCgroup').given?.flag() ?? false,
  };
  return is === 'Lost' ? { ...alive, is, reason: state.at('reason').given?.text() ?? '' } : { ...alive, is };
}

function readResources(told: Field): PodResources {
  const one = (field: Field): LinuxContainerResources => readCriMessage(field, 'LinuxContainerResources');
  const overhead = told.at('overhead').given;
  const resources = told.at('resources').given;
  return present({ overhead: overhead && one(overhead), resources: resources && one(resources) });
}

/** Reads how a process is known again. @throws in words that name the field. */
export function readProcessIdentity(process: Field): ProcessIdentity {
  return { pid: process.at('pid').number(), startTime: process.at('startTime').text(), bootId: process.at('bootId').text() };
}

/** The identity of a RunPodSandbox request, in the form that CRI-O and containerd use too. */
export function sandboxName(metadata: { name: string; namespace: string; uid: string; attempt: number }): string {
  return `k8s_${metadata.name}_${metadata.namespace}_${metadata.uid}_${metadata.attempt}`;
}
