import type { PodSandboxConfig } from '../../api/cri/runtime.ts';
import { DaemonError } from '../base/errors.ts';
import type { SandboxId } from '../base/ids.ts';
import type { ProcessIdentity } from '../linux/process.ts';

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
  /** The handler as the request named it, empty for the default one; missing in records of before it was kept. */
  readonly askedHandler?: string | undefined;
  readonly createdAtNs: bigint;
  /** The boot it was made in: after another one none of its namespaces and processes exists any more. */
  readonly bootId: string;
  readonly namespaces: { readonly net: NamespaceOwner; readonly ipc: NamespaceOwner; readonly pid: 'pod' | 'node' | 'container' };
  readonly hostname: string;
  /** In the cgroup driver's own form: a path for cgroupfs, a slice for systemd. */
  readonly cgroupParent: string;
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

/** @throws FailedPrecondition where the sandbox is not Ready. */
export function requireReady(sandbox: Sandbox, action: string): void {
  if (sandbox.state.is === 'Ready') return;
  throw new DaemonError('FailedPrecondition', `${action}: pod sandbox ${sandbox.record.id} is ${sandbox.state.is}, must be Ready`);
}

export function isSandboxRecord(data: unknown, id: string): data is SandboxRecord {
  const record = data as Partial<SandboxRecord> | null;
  return (
    typeof record === 'object' &&
    record !== null &&
    record.id === id &&
    typeof record.name === 'string' &&
    isConfig(record.config) &&
    typeof record.runtimeHandler === 'string' &&
    typeof record.hostname === 'string' &&
    typeof record.createdAtNs === 'bigint' &&
    typeof record.bootId === 'string' &&
    typeof record.cgroupParent === 'string' &&
    isObject(record.namespaces)
  );
}

/** As far as every List and Status looks into it: one bad record must not break them for all. */
function isConfig(config: unknown): boolean {
  const { metadata, labels, annotations } = (config ?? {}) as Partial<PodSandboxConfig>;
  return isObject(metadata) && isObject(labels) && isObject(annotations);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

const STATES: readonly string[] = ['Parked', 'Ready', 'Lost', 'Stopping', 'NotReady', 'Removing'] satisfies SandboxState['is'][];

export function isSandboxState(data: unknown): data is SandboxState {
  const state = data as Partial<SandboxState> | null;
  return (
    typeof state === 'object' &&
    state !== null &&
    typeof state.is === 'string' &&
    STATES.includes(state.is) &&
    Array.isArray(state.network?.ips)
  );
}

/** The identity of a RunPodSandbox request, in the form that CRI-O and containerd use too. */
export function sandboxName(metadata: { name: string; namespace: string; uid: string; attempt: number }): string {
  return `k8s_${metadata.name}_${metadata.namespace}_${metadata.uid}_${metadata.attempt}`;
}
