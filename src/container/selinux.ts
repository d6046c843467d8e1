import { posix } from 'node:path';
import type { ContainerConfig, SELinuxOption } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import { labelOf, labelTree } from '../linux/selinux.ts';
import type { ResolvedMount } from '../ocispec/input.ts';
import { isImageVolume } from '../ocispec/mounts.ts';
import { checkSelinuxOptions, refuseSystemPath, UNCONFINED_TYPE, type SelinuxFacts, type SelinuxLabels } from '../ocispec/selinux.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { labelsOfContainer, refuseUnknownLabels, usesProcessesOfNode } from '../podsandbox/selinux.ts';

/** What SELinux has to do with a container. */
export interface ContainerSelinux {
  readonly labels: SelinuxLabels;
  /** Whether volumes get its label where their mounts ask for that: who is not confined by its own wish needs none, as with CRI-O. */
  readonly relabels: boolean;
}

/**
 * The labels of a container; undefined where nothing is labelled.
 * @throws InvalidArgument for options that are no label of this node's policy, and for the relabelling of what belongs to the node.
 */
export async function planSelinux(
  facts: SelinuxFacts | undefined,
  config: ContainerConfig,
  { record }: Sandbox,
): Promise<ContainerSelinux | undefined> {
  if (facts === undefined) return undefined;
  const security = config.linux?.securityContext;
  const options = security?.selinuxOptions;
  checkSelinuxOptions(options, 'create container');
  const pod = record.selinux;
  const labels = labelsOfContainer(record, security, facts);
  if (pod === undefined || labels === undefined) {
    refuseWithoutLabels(options);
    return undefined;
  }
  // A privileged container has not the labels that it asks for; they must be good all the same.
  const asked = labelsOfContainer(record, { selinuxOptions: options, privileged: false }, facts);
  for (const each of [asked ?? labels, labels]) await refuseUnknownLabels(each, 'create container');
  const type = options?.type || record.config.linux?.securityContext?.selinuxOptions?.type;
  const relabels = !usesProcessesOfNode(record.namespaces) && type !== UNCONFINED_TYPE;
  for (const mount of config.mounts) {
    if (relabels && mount.selinuxRelabel && !isImageVolume(mount)) refuseSystemPath(posix.resolve('/', mount.hostPath));
  }
  return { labels, relabels };
}

/** A pod from before its node had labels: its files and shared memory have none, so that a container with one could not use them. */
function refuseWithoutLabels(options: SELinuxOption | undefined): void {
  if (options === undefined || Object.values(options).every((part) => part === '')) return;
  fail('FailedPrecondition', 'create container: it asks for an SELinux label, but its pod was made while nothing was labelled');
}

/**
 * Labels the volumes whose mounts ask for it.
 * @param label that of the container's files.
 * @param trySkip whether one whose top has that label already is left as it is.
 * @throws InvalidArgument for what belongs to the node, Internal for what cannot be labelled.
 */
export async function relabelVolumes(mounts: readonly ResolvedMount[], label: string, trySkip: boolean, work: AbortSignal): Promise<void> {
  const sources = new Set(mounts.filter(({ request }) => request.selinuxRelabel).map(({ source }) => source));
  for (const source of sources) refuseSystemPath(source);
  for (const source of sources) {
    if (!trySkip || (await labelOf(source, work)) !== label) await labelTree(source, label, work);
  }
}
