import type { MountEntry } from '../../src/linux/mountinfo.ts';

/** The mount of a version 2 tree at `target`: for tests that write the kernel's files themselves. */
export function cgroup2Mount(target: string): MountEntry {
  return {
    id: 1,
    device: '0:26',
    root: '/',
    target,
    options: ['rw'],
    propagation: 'private',
    isSlave: false,
    type: 'cgroup2',
    source: 'cgroup2',
    superOptions: ['rw'],
  };
}

/** The mount of the version 1 hierarchy of these controllers. */
export function cgroup1Mount(target: string, ...controllers: string[]): MountEntry {
  return {
    ...cgroup2Mount(target),
    device: `0:${controllers.join('')}`,
    type: 'cgroup',
    source: 'cgroup',
    superOptions: ['rw', ...controllers],
  };
}
