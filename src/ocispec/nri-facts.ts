import type { ContainerAdjustment, LinuxDevice } from '../../api/nri/messages.ts';
import { hasErrno } from '../base/errors.ts';
import { lstat } from 'node:fs/promises';
import { readMounts } from '../linux/mounts.ts';
import type { UserMapping } from '../linux/user-namespace.ts';
import { isBelowDev } from './device-rules.ts';
import { listHostDevices, toDevice } from './devices.ts';
import type { ResolvedDevice } from './input.ts';
import type { AdjustmentContext } from './nri-context.ts';
import { entryKey } from './nri-refusal.ts';

/** What must be read of the node for an adjustment, and no more: nothing for most. */
export async function readAdjustmentFacts(
  { mounts, linux }: Pick<ContainerAdjustment, 'mounts' | 'linux'>,
  userMapping: UserMapping | undefined,
): Promise<Pick<AdjustmentContext, 'hostMounts' | 'deviceSources'>> {
  const needsMounts = mounts.length > 0 || linux?.rdt !== undefined || linux?.resources?.rdtClass !== undefined;
  const added = linux?.devices.filter(({ path }) => !entryKey(path).isRemoved) ?? [];
  const [hostMounts, deviceSources] = await Promise.all([
    needsMounts ? readMounts() : [],
    userMapping === undefined || added.length === 0 ? new Map<string, string>() : findHostNodes(added),
  ]);
  return { hostMounts, deviceSources };
}

/** Where the host has each of these devices: at the path that it is to have in the container, or else where its number is found. */
async function findHostNodes(devices: readonly LinuxDevice[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let all: readonly ResolvedDevice[] | undefined;
  for (const device of devices) {
    const { path } = device;
    const there = isBelowDev(path) ? await nodeAt(path) : undefined;
    if (there !== undefined && isSame(there, device)) found.set(path, path);
    else {
      all ??= await listHostDevices();
      const source = all.find((each) => isSame(each, device))?.hostPath;
      if (source !== undefined) found.set(path, source);
    }
  }
  return found;
}

async function nodeAt(path: string): Promise<ResolvedDevice | undefined> {
  try {
    return toDevice(await lstat(path), { hostPath: path, path, access: 'rw' });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES')) return undefined;
    throw error;
  }
}

/** A pipe has no number to be found by. */
function isSame({ type, major, minor }: ResolvedDevice, asked: LinuxDevice): boolean {
  return type !== 'p' && type === (asked.type === 'u' ? 'c' : asked.type) && BigInt(major) === asked.major && BigInt(minor) === asked.minor;
}
