import { randomInt } from 'node:crypto';
import type { LinuxContainerSecurityContext, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import { isSelinuxLabel } from '../linux/selinux.ts';
import {
  checkSelinuxOptions,
  containerSelinuxLabels,
  levelOf,
  newSelinuxLevel,
  podSelinuxLabels,
  type SelinuxFacts,
  type SelinuxLabels,
} from '../ocispec/selinux.ts';
import { refuseSelinuxOptions } from '../ocispec/unsupported.ts';
import type { SandboxParts } from './parts.ts';
import type { SandboxStore } from './sandbox-store.ts';
import type { SandboxRecord } from './sandbox.ts';

/** The level that labels are tried with, before a pod has its own. */
const ANY_LEVEL = 's0:c0,c1';

/** What a request alone tells of its labels. @throws InvalidArgument, or FailedPrecondition where nothing is labelled. */
export function checkSelinux(config: PodSandboxConfig, parts: Pick<SandboxParts, 'hostFacts' | 'selinux'>): void {
  const options = config.linux?.securityContext?.selinuxOptions;
  if (parts.selinux === undefined) refuseSelinuxOptions(options, parts.hostFacts(), 'run pod sandbox');
  else checkSelinuxOptions(options, 'run pod sandbox');
}

/** Asks the kernel for the labels that a pod would have. @throws InvalidArgument where its policy does not have them. */
export async function checkPodLabels(config: PodSandboxConfig, selinux: SelinuxFacts | undefined): Promise<void> {
  if (selinux === undefined) return;
  const labels = podSelinuxLabels(config.linux?.securityContext?.selinuxOptions, selinux, () => ANY_LEVEL);
  await refuseUnknownLabels(labels, 'run pod sandbox');
}

/** @throws InvalidArgument where the policy of the kernel does not have them. */
export async function refuseUnknownLabels({ process, mount }: SelinuxLabels, doing: string): Promise<void> {
  for (const label of [process, mount]) {
    if (!(await isSelinuxLabel(label)))
      fail('InvalidArgument', `${doing}: selinux_options make the label "${label}", which the SELinux policy of this node does not have`);
  }
}

interface LabelStore {
  readonly selinux: SelinuxFacts | undefined;
  readonly store: Pick<SandboxStore, 'list' | 'listCreating'>;
}

/** The labels of a new pod, with a level that none of the pods on record has. Its record must be stored before anything else happens. */
export function chooseLabels(config: PodSandboxConfig, { selinux, store }: LabelStore): SelinuxLabels | undefined {
  if (selinux === undefined) return undefined;
  return podSelinuxLabels(config.linux?.securityContext?.selinuxOptions, selinux, () => newSelinuxLevel(takenLevels(store), randomInt));
}

/** The levels of all pods on record, those that are being made too. */
export function takenLevels(store: LabelStore['store']): ReadonlySet<string> {
  const records = [...store.list().map(({ record }) => record), ...store.listCreating()];
  return new Set(records.flatMap(({ selinux }) => (selinux === undefined ? [] : levelOf(selinux.mount))));
}

/** The labels of a container of a pod, or of its infra container; undefined where the pod has none. */
export function labelsOfContainer(
  { selinux: pod, namespaces, config }: Pick<SandboxRecord, 'selinux' | 'namespaces' | 'config'>,
  security: Pick<LinuxContainerSecurityContext, 'selinuxOptions' | 'privileged'> | undefined,
  selinux: SelinuxFacts | undefined,
): SelinuxLabels | undefined {
  if (pod === undefined || selinux === undefined) return undefined;
  return containerSelinuxLabels({
    pod,
    podOptions: config.linux?.securityContext?.selinuxOptions,
    options: security?.selinuxOptions,
    privileged: security?.privileged === true,
    usesHost: usesProcessesOfNode(namespaces) || (namespaces.net === 'node' && selinux.hostNetworkUnconfined),
  });
}

/** Whether a pod sees processes of the node, or shares memory with them: SELinux would keep it from both. */
export function usesProcessesOfNode({ pid, ipc }: SandboxRecord['namespaces']): boolean {
  return pid === 'node' || ipc === 'node';
}
