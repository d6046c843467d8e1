import type { Mount } from '../../api/cri/runtime.ts';
import { DaemonError, messageOf } from '../base/errors.ts';
import { mountOf } from '../linux/mountinfo.ts';
import { readMounts } from '../linux/mounts.ts';
import type { ContainerRecord } from './container.ts';

/**
 * The error of a runtime that could not make a container, where a field of the request is at fault that its own words do not name: a
 * memory limit that it does not fit into, a volume on a file system that has no id-mapped mounts (NFS, overlayfs, sysfs).
 */
export async function inNameOfField(error: unknown, { id, config }: Pick<ContainerRecord, 'id' | 'config'>): Promise<unknown> {
  const words = messageOf(error);
  const cause = { cause: error };
  if (words.includes('unable to set memory limit')) {
    const limit = String(config.linux?.resources?.memoryLimitInBytes);
    const says = `memory_limit_in_bytes is ${limit}, which is too low for the runtime to start in`;
    return new DaemonError('InvalidArgument', `create container ${id}: ${says}: ${words}`, cause);
  }
  const ofUnified = inNameOfUnified(`create container ${id}`, error, config.linux?.resources?.unified ?? {});
  if (ofUnified !== error) return ofUnified;
  const mapped = config.mounts.filter(({ uidMappings, hostPath }) => uidMappings.length > 0 && hostPath !== '');
  if (mapped.length === 0 || !/MOUNT_ATTR_IDMAP|mount_setattr/.test(words)) return error;
  const says = 'a mount with uid_mappings and gid_mappings cannot be made, its file system must have id-mapped mounts';
  return new DaemonError('FailedPrecondition', `create container ${id}: ${says} (${await fileSystemsOf(mapped)}): ${words}`, cause);
}

/** The error of a runtime that could not write a file of the cgroup, where the request names the file: runc and crun tell which. */
export function inNameOfUnified(doing: string, error: unknown, unified: Readonly<Record<string, string>>): unknown {
  const words = messageOf(error);
  const found = Object.entries(unified).find(([file]) => words.includes(file));
  if (found === undefined) return error;
  const says = `unified asks for ${JSON.stringify(found[1])} in ${found[0]}, which this node refuses`;
  return new DaemonError('InvalidArgument', `${doing}: ${says}: ${words}`, { cause: error });
}

/** By the names of the paths alone: they are not touched. */
async function fileSystemsOf(mapped: readonly Mount[]): Promise<string> {
  const table = await readMounts();
  return mapped.map(({ hostPath, containerPath }) => `${containerPath}: ${mountOf(table, hostPath)?.type ?? 'unknown'}`).join(', ');
}
