import { silentLog, type Log } from '../../base/log.ts';
import { readMounts } from '../mounts.ts';
import type { MountEntry } from '../mountinfo.ts';
import { CgroupsV1 } from './cgroups-v1.ts';
import { CgroupsV2 } from './cgroups-v2.ts';
import type { Cgroups } from './cgroups.ts';
import { hierarchiesOf } from './hierarchies.ts';

/** Looks at what is mounted. @throws {DaemonError} FailedPrecondition when no cgroups are. */
export async function detectCgroups(log: Log = silentLog): Promise<Cgroups> {
  return cgroupsOf(await readMounts(), log);
}

/** The cgroups of these mounts; for tests that take one of several trees. */
export function cgroupsOf(mounts: readonly MountEntry[], log: Log = silentLog): Cgroups {
  const found = hierarchiesOf(mounts);
  if (found.version === 'v1') return new CgroupsV1(found.hierarchies, found.primary, log);
  const hasLocalEvents = mounts.some(({ type, superOptions }) => type === 'cgroup2' && superOptions.includes('memory_localevents'));
  return new CgroupsV2(found.primary, { countsBelow: !hasLocalEvents });
}
