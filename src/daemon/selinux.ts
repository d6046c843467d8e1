import type { Log } from '../base/log.ts';
import type { Config } from '../config/schema.ts';
import { isSelinuxLabel, selinuxContexts } from '../linux/selinux.ts';
import type { HostFacts } from '../ocispec/host-facts.ts';
import type { SelinuxFacts } from '../ocispec/selinux.ts';

/** SELinux as containers have it; undefined where nothing is labelled. What will not be as it looks is said here, once. */
export async function selinuxFacts(
  { selinux: isOn }: Pick<HostFacts, 'selinux'>,
  { selinux: isWanted, hostnetworkDisableSelinux }: Pick<Config, 'selinux' | 'hostnetworkDisableSelinux'>,
  log: Log,
): Promise<SelinuxFacts | undefined> {
  if (!isWanted) {
    if (isOn) log.warn('SELinux is on, but selinux is false: containers run in the domain of the daemon, and nothing is labelled');
    return undefined;
  }
  if (!isOn) {
    log.info('selinux is true, but SELinux is off in the kernel: nothing is labelled');
    return undefined;
  }
  const { process, file } = await selinuxContexts();
  for (const label of [process, file]) {
    if (!(await isSelinuxLabel(label))) log.warn(`the SELinux policy of this node has no label "${label}": containers are refused`);
  }
  return { defaults: { process, mount: file }, hostNetworkUnconfined: hostnetworkDisableSelinux };
}
