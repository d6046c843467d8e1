import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unlessMissing } from '../base/errors.ts';
import { hierarchiesOf } from '../linux/cgroups/hierarchies.ts';
import { readMounts } from '../linux/mounts.ts';
import { findingsOf, type Finding } from './finding.ts';

export interface CgroupFacts {
  readonly version: 'v1' | 'v2';
  /** v1 controllers beside a unified tree. */
  readonly isHybrid: boolean;
  readonly controllers: readonly string[];
  /** v2: what the root hands on to the cgroups below it. */
  readonly handedOn: readonly string[];
  /** Whether systemd is process 1. */
  readonly hasSystemd: boolean;
  readonly hasPressure: boolean;
  /** Who makes our cgroups. */
  readonly driver: 'cgroupfs' | 'systemd';
}

export async function readCgroupFacts(driver: CgroupFacts['driver']): Promise<CgroupFacts> {
  const { version, hierarchies, primary } = hierarchiesOf(await readMounts());
  const words = async (file: string): Promise<string[]> =>
    (await unlessMissing(readFile(join(primary.directory, file), 'utf8'), '')).split(/\s+/).filter((word) => word !== '');
  const exists = async (path: string): Promise<boolean> => access(path).then(() => true, () => false); // prettier-ignore
  return {
    version,
    isHybrid: version === 'v1' && hierarchies.some(({ unified }) => unified),
    controllers: version === 'v2' ? await words('cgroup.controllers') : hierarchies.flatMap(({ controllers }) => controllers),
    handedOn: version === 'v2' ? await words('cgroup.subtree_control') : [],
    hasSystemd: await exists('/run/systemd/system'),
    hasPressure: await exists('/proc/pressure/memory'),
    driver,
  };
}

const { ok, note, warning, error } = findingsOf('cgroups');
const NEEDED = { v2: ['cpu', 'memory', 'pids'], v1: ['cpu', 'cpuacct', 'memory', 'pids', 'devices', 'freezer'] } as const;
const WANTED = { v2: ['cpuset', 'io', 'hugetlb'], v1: ['cpuset', 'blkio', 'hugetlb'] } as const;

export function judgeCgroups(facts: CgroupFacts): Finding[] {
  return [...version(facts), ...controllers(facts), ...driver(facts), ...pressure(facts)];
}

function version({ version: is, isHybrid }: CgroupFacts): Finding[] {
  if (is === 'v2') return [ok('cgroup v2')];
  const advice = 'Boot with systemd.unified_cgroup_hierarchy=1, or a distribution whose default is v2.';
  return [note(`cgroup v1${isHybrid ? ' (hybrid)' : ''}: a kubelet from 1.35 on refuses it unless failCgroupV1 is false`, { advice })];
}

function controllers({ version: is, controllers: there, handedOn }: CgroupFacts): Finding[] {
  const missing = NEEDED[is].filter((name) => !there.includes(name));
  const unwanted = WANTED[is].filter((name) => !there.includes(name));
  const kept = is === 'v2' ? NEEDED.v2.filter((name) => there.includes(name) && !handedOn.includes(name)) : [];
  const findings: Finding[] = [];
  if (missing.length > 0)
    findings.push(
      error(`the kernel gives no controller ${missing.join(', ')}`, {
        must: `all of ${NEEDED[is].join(', ')}`,
        advice: 'Take cgroup_disable= off the kernel command line (or put cgroup_enable=memory on it).',
      }),
    );
  else findings.push(ok(`controllers: ${there.filter((name) => !name.startsWith('name=')).join(', ')}`));
  if (unwanted.length > 0) findings.push(note(`no controller ${unwanted.join(', ')}: limits of that kind are refused or left out`));
  if (kept.length > 0)
    findings.push(
      note(`the root cgroup does not hand on ${kept.join(', ')} yet; the first pod's maker does that`, {
        must: `${kept.join(', ')} in cgroup.subtree_control`,
      }),
    );
  return findings;
}

function driver({ driver: is, version: of, hasSystemd }: CgroupFacts): Finding[] {
  if (is === 'systemd' && !hasSystemd)
    return [
      error('cgroup_manager is systemd, and systemd is not process 1 here', {
        must: 'cgroupfs',
        advice: 'Set cgroup_manager = "auto" in podwright.toml.',
      }),
    ];
  if (is === 'cgroupfs' && hasSystemd && of === 'v2')
    return [
      warning('cgroup_manager is cgroupfs beside systemd on cgroup v2: two managers of one tree', {
        must: 'systemd',
        advice: 'Set cgroup_manager = "auto" in podwright.toml, and drain the node before the restart.',
      }),
    ];
  return [ok(`cgroup_manager is ${is}`)];
}

function pressure({ hasPressure }: CgroupFacts): Finding[] {
  if (hasPressure) return [];
  return [note('no pressure figures (PSI) of pods', { advice: 'Boot with psi=1 where they are wanted.' })];
}
