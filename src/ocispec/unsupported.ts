import type { SELinuxOption } from '../../api/cri/runtime.ts';
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
