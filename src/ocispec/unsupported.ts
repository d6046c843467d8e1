import type { ContainerConfig, NamespaceOption, SELinuxOption } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import type { HostFacts } from './host-facts.ts';

/** Annotations that name CDI devices too, CDI specification, "Kubernetes device plugins". */
const CDI_ANNOTATION = 'cdi.k8s.io/';

/**
 * Refuses devices of the Container Device Interface, which this version cannot inject: without them the container would start
 * and find no device. @throws FailedPrecondition that names them.
 */
export function refuseCdiDevices({ cdiDevices, annotations }: Pick<ContainerConfig, 'cdiDevices' | 'annotations'>): void {
  const annotated = Object.entries(annotations).filter(([key]) => key.startsWith(CDI_ANNOTATION));
  const names = [...cdiDevices.map(({ name }) => name), ...annotated.flatMap(([, value]) => value.split(','))];
  if (names.length === 0 && annotated.length === 0) return;
  fail(
    'FailedPrecondition',
    `create container: it asks for the CDI devices ${names.join(', ')}, and CDI devices are not supported by this version of podwright`,
  );
}

/**
 * Refuses an SELinux label where SELinux is on: nothing here sets it. Where SELinux is off it means nothing, as for the peers.
 * @throws FailedPrecondition.
 */
export function refuseSelinuxOptions(options: SELinuxOption | undefined, host: Pick<HostFacts, 'selinux'>, doing: string): void {
  if (!host.selinux || options === undefined) return;
  const asked = [options.user, options.role, options.type, options.level];
  if (asked.every((part) => part === '')) return;
  fail(
    'FailedPrecondition',
    `${doing}: it asks for the SELinux label "${asked.join(':')}", and SELinux labels are not supported by this version of podwright`,
  );
}

/**
 * A container has the user namespace of its pod (KEP-127), and pods have the node's.
 * @throws InvalidArgument where the request says another.
 */
export function checkContainerUserNamespace(options: NamespaceOption | undefined): void {
  const user = options?.usernsOptions;
  if (user === undefined || (user.mode === NamespaceMode.NODE && user.uids.length === 0 && user.gids.length === 0)) return;
  fail(
    'InvalidArgument',
    "create container: its user namespace options differ from those of its pod sandbox, which uses the node's; they must be the same",
  );
}
