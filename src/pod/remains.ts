import { basename, dirname } from 'node:path';
import { isObjectId } from '../base/ids.ts';
import { runAllInOrder } from '../base/settle.ts';
import { findProcessesByEnvironment } from '../linux/process.ts';
import { findStranded } from '../linux/removed-directories.ts';
import { OWNER_VARIABLE } from '../ociruntime/spawn-monitor.ts';
import { killCreators } from '../ociruntime/sweep.ts';
import type { RestoreParts } from './restore.ts';

/**
 * The ids of containers and infra containers that have lost their bundle, and of which there is still the state of an OCI runtime, a
 * monitor, or a cgroup without processes in that of a pod on record. Of the first two it is certain that they are ours: they lie and
 * work below our run directory. A cgroup with processes may be another runtime's that was given the same parent, so it alone is no
 * proof.
 */
export async function listRemains(parts: RestoreParts): Promise<string[]> {
  const { runtimes, placement } = parts.sandboxParts;
  const states = await Promise.all(runtimes.names.map(async (name) => runtimes.get(name).ids()));
  const cgroups = await Promise.all(knownParents(parts).map(async (parent) => placement.idsWithoutProcess(parent)));
  return [...new Set([...states.flat(), ...cgroups.flat(), ...(await findMonitors(parts))])];
}

/** Ends and removes what {@link listRemains} has found, and what is in its cgroups. Idempotent. */
export async function removeRemains(parts: RestoreParts, id: string): Promise<void> {
  const { runtimes, placement } = parts.sandboxParts;
  const known = knownParents(parts);
  const parents = (await findParents(parts, id)).filter((parent) => !known.includes(parent));
  await runAllInOrder([
    async () => killCreators(id),
    ...runtimes.names.map((name) => async () => runtimes.get(name).deleteRestored(id)),
    ...[...known, ...parents].map((parent) => async () => placement.removeAllOf(parent, id)),
    ...parents.map((parent) => async () => placement.removeParent(parent)),
  ]);
}

/**
 * The cgroups of pods, in the driver's own form, in which one is with this id in its name, which is nobody else's. The record of the pod
 * may be gone, and so may the processes that would tell where they are.
 */
async function findParents({ sandboxParts: { placement }, containerParts: { cgroups } }: RestoreParts, id: string): Promise<string[]> {
  // The cgroup of a pod that has named none has the pod's id, as has its infra container: others of the pod are in it.
  const ofPod = placement.parentDirectory(placement.parent('', id));
  const paths = (await cgroups.named(id)).filter((path) => path !== ofPod && placement.idOf(basename(path)) === id);
  return [...new Set(paths.map((path) => placement.parentAt(dirname(path))))];
}

function knownParents({ sandboxes: { store } }: RestoreParts): string[] {
  const records = [...store.list().map(({ record }) => record), ...store.listCreating()];
  return [...new Set(records.map(({ cgroupParent }) => cgroupParent))];
}

/** The ids of monitors whose bundle has been removed. Somebody else who looks around in there is none. */
async function findMonitors({ sandboxParts, containerParts }: RestoreParts): Promise<string[]> {
  const { directories } = sandboxParts;
  const stranded = (await findStranded([containerParts.bundleDirectory, directories.infra])).filter(({ name }) => isObjectId(name));
  if (stranded.length === 0) return [];
  const names = [...new Set(stranded.map(({ name }) => name))];
  const pids = new Set((await findProcessesByEnvironment(OWNER_VARIABLE, names)).map(({ pid }) => pid));
  return stranded.filter(({ pid }) => pids.has(pid)).map(({ name }) => name);
}
