import { mkdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFile } from '../base/atomic-file.ts';
import { unlessMissing } from '../base/errors.ts';
import { stage } from '../base/stage.ts';
import type { SandboxParts } from './parts.ts';
import type { SandboxRecord } from './sandbox.ts';

/**
 * A cgroup without processes that stands for a pod's network to cAdvisor, which counts a network only for a cgroup that it takes for the
 * pod's infra container (docs/cadvisor.md). `RUN/network-cgroups/ID` is a link with its linux.cgroupsPath as target, for when the
 * record is lost.
 */
export async function makeNetworkCgroup({ placement, directories }: SandboxParts, record: SandboxRecord): Promise<void> {
  if (!hasNetworkCgroup(record)) return;
  await mkdir(directories.networkCgroups, { recursive: true, mode: 0o700 });
  await symlink(record.cgroupsPath, join(directories.networkCgroups, record.id));
  stage('sandbox.network-cgroup.linked');
  await placement.makeNetworkCgroup(record.cgroupParent, record.id, record.cgroupsPath);
  stage('sandbox.network-cgroup.made');
}

/** Idempotent. */
export async function removeNetworkCgroup({ placement, directories }: SandboxParts, record: SandboxRecord): Promise<void> {
  if (!hasNetworkCgroup(record)) return;
  await placement.removeNetworkCgroup(record.cgroupParent, record.id, record.cgroupsPath);
  stage('sandbox.network-cgroup.removed');
  await removeFile(join(directories.networkCgroups, record.id));
}

/** Removes that of a pod whose record is lost. */
export async function removeUnknownNetworkCgroup({ placement, directories }: SandboxParts, id: string): Promise<void> {
  const link = join(directories.networkCgroups, id);
  const cgroupsPath = await unlessMissing(readlink(link), '');
  const parent = placement.parentOf(cgroupsPath, id);
  if (parent !== undefined) await placement.removeNetworkCgroup(parent, id, cgroupsPath);
  await removeFile(link);
}

/** A pod with an infra container has that one's. */
function hasNetworkCgroup(record: SandboxRecord): record is SandboxRecord & { readonly cgroupsPath: string } {
  return record.cgroupsPath !== undefined && record.namespaces.pid !== 'pod';
}
