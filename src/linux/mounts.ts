import { readFile } from 'node:fs/promises';
import { mount } from './mount-calls.ts';
import { isAtOrBelow, parseMountInfo } from './mountinfo.ts';
import type { MountEntry } from './mountinfo.ts';
import { unmount } from './unmount.ts';

export type { MountEntry, Propagation } from './mountinfo.ts';
export { mountOverlay, VOLATILE_MARK } from './overlay.ts';
export { unmount } from './unmount.ts';

const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;

/** All mounts of our mount namespace, in the kernel's order: what covers comes after what it covers. */
export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

export interface TmpfsOptions {
  readonly sizeBytes: number;
  /** Permission bits of its root directory: 0o1777. */
  readonly mode: number;
  /** Who owns its root directory; default 0. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** The SELinux label of all that is in it. */
  readonly context?: string | undefined;
  /** What mountinfo names as source. Default tmpfs. */
  readonly source?: string;
}

/** Mounts a fresh tmpfs, nosuid, nodev and noexec. @throws the system error. */
export function mountTmpfs(target: string, options: TmpfsOptions): void {
  const context = options.context === undefined ? '' : `,context="${options.context}"`;
  const data = `size=${options.sizeBytes},mode=${options.mode.toString(8)},uid=${options.uid ?? 0},gid=${options.gid ?? 0}${context}`;
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mount(options.source ?? 'tmpfs', target, { type: 'tmpfs', flags, data });
}

/** Unmounts, newest first, what is mounted at `prefix` or below. Returns the paths. */
export async function unmountAllBelow(prefix: string): Promise<string[]> {
  const targets = (await readMounts()).map((entry) => entry.target).filter((target) => isAtOrBelow(target, prefix));
  for (const target of targets.toReversed()) unmount(target);
  return targets;
}
