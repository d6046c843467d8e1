import type { ContainerConfig, SELinuxOption } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import type { HostFacts } from './host-facts.ts';

/**
 * Refuses an SELinux label where SELinux is on and the configuration says that nothing is labelled. Where SELinux is off a label means
 * nothing, as for the peers.
 * @throws FailedPrecondition.
 */
export function refuseSelinuxOptions(options: SELinuxOption | undefined, host: Pick<HostFacts, 'selinux'>, doing: string): void {
  if (!host.selinux || options === undefined) return;
  const asked = [options.user, options.role, options.type, options.level];
  if (asked.every((part) => part === '')) return;
  fail(
    'FailedPrecondition',
    `${doing}: it asks for the SELinux label "${asked.join(':')}", but selinux is false in the configuration of podwright`,
  );
}

/** Classes of cache and memory bandwidth, and of disk bandwidth, by the annotations that both peers read (intel/goresctrl). */
const RESOURCE_CLASSES = { RDT: 'rdt', 'block I/O': 'blockio' } as const;

/**
 * Refuses a class of RDT or block I/O that an annotation names for a container: no class would be set. Of a pod without a
 * container, only one that is for all of them.
 * @throws FailedPrecondition.
 */
export function refuseResourceClasses(
  doing: string,
  pod: Readonly<Record<string, string>>,
  container?: Pick<ContainerConfig, 'metadata' | 'annotations'>,
): void {
  for (const [what, name] of Object.entries(RESOURCE_CLASSES)) {
    const ofPod = [`${name}.resources.beta.kubernetes.io/pod`];
    if (container !== undefined) ofPod.push(`${name}.resources.beta.kubernetes.io/container.${container.metadata?.name ?? ''}`);
    const ofContainer = `io.kubernetes.cri.${name}-class`;
    const annotation = container?.annotations[ofContainer] === undefined ? ofPod.find((each) => Object.hasOwn(pod, each)) : ofContainer;
    if (annotation === undefined) continue;
    const asked = (container?.annotations[annotation] ?? pod[annotation] ?? '').slice(0, 64);
    fail(
      'FailedPrecondition',
      `${doing}: annotation ${annotation} asks for the ${what} class "${asked}", and ${what} classes are not supported by this version of podwright`,
    );
  }
}
