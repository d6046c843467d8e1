import type { NamespaceOption, SELinuxOption } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import type { HostFacts } from './host-facts.ts';

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
