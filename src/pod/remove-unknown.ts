import { rm } from 'node:fs/promises';
import { placeIn } from '../container/chosen-cgroups.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { isPinned } from '../linux/namespaces.ts';
import { identify, SIGKILL, signalProcess } from '../linux/process.ts';
import { readContainerPid } from '../ociruntime/monitor.ts';
import type { MonitoredBundle } from '../ociruntime/monitored-bundle.ts';
import { killCreators } from '../ociruntime/sweep.ts';
import type { RestoreParts } from './restore.ts';

/**
 * Releases the network of a pod whose record is lost: the attachment's own record says who the pod was. What cannot be released now
 * is released when it can be.
 */
export async function releaseUnknownAttachment({ sandboxes, sandboxParts }: RestoreParts, containerId: string): Promise<void> {
  const { networks, detachBudgetMs } = sandboxParts;
  const { netns: netnsPath } = sandboxes.pathsOf(containerId);
  const pod = { name: '', namespace: '', uid: '' };
  await networks.adopt(containerId);
  try {
    if (isPinned(netnsPath)) await networks.detach({ containerId, netnsPath, pod }, AbortSignal.timeout(detachBudgetMs));
  } finally {
    await networks.detachLater({ containerId });
  }
}

/** Ends and removes a container whose record is lost: all that is known of it is its bundle. */
export async function removeUnknownContainer(
  { sandboxes, sandboxParts, containerParts }: RestoreParts,
  bundle: MonitoredBundle,
  id: string,
): Promise<void> {
  const { runtimes, placement } = sandboxParts;
  const pid = await readContainerPid(bundle);
  const process = pid === undefined ? undefined : await identify(pid);
  await killCreators(id);
  for (const name of runtimes.names) {
    // A pid of another boot, or used again, is not ours: the runtime must know the container first.
    const known = await runtimes.get(name).state(id);
    if (known !== undefined && process !== undefined && known.pid === process.pid) await signalProcess(process, SIGKILL);
    await runtimes.get(name).deleteRestored(id);
  }
  const { cgroupsPath, sandboxId } = await placeIn(bundle.specFile);
  const parent = placement.parentOf(cgroupsPath, id);
  if (parent !== undefined) {
    await placement.removeContainer(parent, id, cgroupsPath);
    await placement.removeParent(parent);
  } else if (containerParts.chosenCgroups.isFree(id, cgroupsPath)) {
    // A plugin has chosen it. The monitor's is in that of the pod, where that is known.
    const ofPod = sandboxes.store.get(sandboxId)?.record.cgroupParent ?? placement.parent('', id);
    await placement.removeContainer(ofPod, id, cgroupsPath);
  }
  await onThread('unmountAllBelow', { prefix: bundle.directory });
  await rm(bundle.directory, { recursive: true, force: true });
}
