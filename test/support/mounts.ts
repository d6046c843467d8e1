import { mount, MS_RDONLY } from '../../src/linux/mount-calls.ts';

// mount(2)
const MS_REMOUNT = 0x20;
const MS_BIND = 0x1000;
const PROPAGATION = { private: 1 << 18, slave: 1 << 19, shared: 1 << 20 } as const;

/** Shows the directory or file `source` at `target`, without what is mounted below it. Private: nothing spreads from it. */
export function bindMount(source: string, target: string, { readOnly = false } = {}): void {
  mount(source, target, { flags: MS_BIND });
  setPropagation(target, 'private');
  if (readOnly) mount('none', target, { flags: MS_REMOUNT | MS_BIND | MS_RDONLY });
}

/** Changes how mounts below the one at `path` spread: mount_namespaces(7). */
export function setPropagation(path: string, propagation: keyof typeof PROPAGATION): void {
  mount('none', path, { flags: PROPAGATION[propagation] });
}
