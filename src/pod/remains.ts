import { basename, dirname } from 'node:path';
import { isObjectId } from '../base/ids.ts';
import { runAllInOrder } from '../base/settle.ts';
import { findProcessesByEnvironment } from '../linux/process.ts';
import { cgroupsOfProcess, findStranded } from '../linux/removed-directories.ts';
import { OWNER_VARIABLE } from '../ociruntime/spawn-monitor.ts';
import { killCreators } from '../ociruntime/sweep.ts';
import type { RestoreParts } from './restore.ts';

/** The cgroup of a pod, in the driver's own form, in which a monitor is. */
interface FoundMonitor {
  readonly id: string;
  readonly parent: string;
}

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
  const monitors = await findMonitors(parts);
  return [...new Set([...states.flat(), ...cgroups.flat(), ...monitors.map(({ id }) => id)])];
}

/** Ends and removes what {@link listRemains} has found, and what is in its cgroups. Idempotent. */
export async function removeRemains(parts: RestoreParts, id: string): Promise<void> {
  const { runtimes, placement } = parts.sandboxParts;
  const known = knownParents(parts);
  const lost = (await findMonitors(parts)).filter((monitor) => monitor.id === id && !known.includes(monitor.parent));
  const parents = [...new Set(lost.map(({ parent }) => parent))];
  await runAllInOrder([
    async () => killCreators(id),
    ...runtimes.names.map((name) => async () => runtimes.get(name).deleteRestored(id)),
    ...[...known, ...parents].map((parent) => async () => placement.removeAllOf(parent, id)),
    ...parents.map((parent) => async () => placement.removeParent(parent)),
  ]);
}

function knownParents({ sandboxes: { store } }: RestoreParts): string[] {
  const records = [...store.list().map(({ record }) => record), ...store.listCreating()];
  return [...new Set(records.map(({ cgroupParent }) => cgroupParent))];
}

/** The monitors whose bundle has been removed. Somebody else who looks around in there is none. */
async function findMonitors({ sandboxParts, containerParts }: RestoreParts): Promise<FoundMonitor[]> {
  const { placement, directories } = sandboxParts;
  const stranded = (await findStranded([containerParts.bundleDirectory, directories.infra])).filter(({ name }) => isObjectId(name));
  if (stranded.length === 0) return [];
  const names = [...new Set(stranded.map(({ name }) => name))];
  const pids = new Set((await findProcessesByEnvironment(OWNER_VARIABLE, names)).map(({ pid }) => pid));
  const found: FoundMonitor[] = [];
  for (const { pid, name: id } of stranded) {
    if (!pids.has(pid)) continue;
    const own = (await cgroupsOfProcess(pid)).find((path) => placement.idOf(basename(path)) === id);
    found.push({ id, parent: own === undefined ? placement.parent('', id) : placement.parentAt(dirname(own)) });
  }
  return found;
}
