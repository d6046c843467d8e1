import { DaemonError } from '../../base/errors.ts';
import type { MountEntry } from '../mountinfo.ts';
import type { CgroupVersion } from './cgroups.ts';

/** One tree of cgroups. */
export interface Hierarchy {
  /** Where it is mounted. */
  readonly directory: string;
  readonly unified: boolean;
  /** v1: what the mount names, `name=systemd` included. Empty for a unified one: see its cgroup.controllers. */
  readonly controllers: readonly string[];
}

export interface Hierarchies {
  readonly version: CgroupVersion;
  readonly hierarchies: readonly Hierarchy[];
  /** Which to ask for the processes of a cgroup: the only one, or v1's freezer. */
  readonly primary: Hierarchy;
}

/** Super options of a cgroup v1 mount that name no controller. */
const V1_FLAGS = new Set(['rw', 'ro', 'noprefix', 'xattr', 'clone_children', 'none', 'cpuset_v2_mode', 'favordynmods']);

/** Finds the trees among the mounts; of a tree mounted twice, the first. @throws {DaemonError} FailedPrecondition when there is none. */
export function hierarchiesOf(mounts: readonly MountEntry[]): Hierarchies {
  const v1: Hierarchy[] = [];
  let unified: Hierarchy | undefined;
  const seen = new Set<string>();
  for (const { type, target, superOptions, device } of mounts) {
    if ((type !== 'cgroup' && type !== 'cgroup2') || seen.has(device)) continue;
    seen.add(device);
    if (type === 'cgroup2') unified ??= { directory: target, unified: true, controllers: [] };
    else v1.push({ directory: target, unified: false, controllers: superOptions.filter(isController) });
  }
  const withController = v1.filter((each) => each.controllers.some((name) => !name.startsWith('name=')));
  if (withController.length === 0) {
    if (unified === undefined) throw new DaemonError('FailedPrecondition', 'find cgroups: none are mounted, must be at /sys/fs/cgroup');
    return { version: 'v2', hierarchies: [unified], primary: unified };
  }
  const [first] = withController;
  const primary = withController.find((each) => each.controllers.includes('freezer')) ?? first;
  if (primary === undefined) throw new DaemonError('Internal', 'find cgroups: no hierarchy');
  return { version: 'v1', hierarchies: unified === undefined ? v1 : [...v1, unified], primary };
}

function isController(option: string): boolean {
  return !V1_FLAGS.has(option) && !option.startsWith('release_agent=');
}
