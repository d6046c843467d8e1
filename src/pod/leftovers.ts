import { readdir, readFile, rm } from 'node:fs/promises';
import { messageOf, unlessMissing } from '../base/errors.ts';
import { isObjectId, type ContainerId } from '../base/ids.ts';
import { idField, type LogFields } from '../base/log.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { isPinned } from '../linux/namespaces.ts';
import { identify, isAlive, SIGKILL, signalProcess } from '../linux/process.ts';
import { exitFileOf, removeExitFile } from '../ociruntime/exits.ts';
import { readContainerPid } from '../ociruntime/monitor.ts';
import type { MonitoredBundle } from '../ociruntime/monitored-bundle.ts';
import { killCreators } from '../ociruntime/sweep.ts';
import { removeSandboxFiles } from '../podsandbox/sandbox-files.ts';
import { unpinSandbox } from '../podsandbox/unpin.ts';
import type { RestoreParts } from './restore.ts';

/** One thing that is there and that no record claims, or that a record claims and that is not there. */
export interface Difference {
  /** `namespace`, `bundle`, `rootfs`, `attachment`, `directory`, `exit file`, `process`. */
  readonly kind: string;
  readonly name: string;
}

/** What exists under our directories and names against what the records claim. */
export interface InventoryDifference {
  readonly unclaimed: readonly Difference[];
  readonly missing: readonly Difference[];
}

/** Compares every adapter's list of what exists with every store's list of what it claims. */
export async function compareInventory(parts: RestoreParts): Promise<InventoryDifference> {
  const { sandboxes, containers, sandboxParts } = parts;
  const unclaimed: Difference[] = [];
  const add = (kind: string, names: readonly string[], claims: (id: string) => boolean): void => {
    for (const name of names) if (!claims(name)) unclaimed.push({ kind, name });
  };
  const ofSandbox = (id: string): boolean => sandboxes.store.claims(id);
  const ofContainer = (id: string): boolean => containers.store.claims(id);
  // In the order of removal: plugins find what they made while the namespace is there.
  add('attachment', await sandboxParts.networks.attachments(), ofSandbox);
  add('namespace', await objectIds(sandboxParts.directories.namespaces), (id) => ofSandbox(id) || sandboxParts.networks.needsNamespace(id));
  add('infra bundle', await objectIds(sandboxParts.directories.infra), ofSandbox);
  add('bundle', await objectIds(containers.parts.bundleDirectory), ofContainer);
  // Behind the bundles, whose cgroups lie in its own.
  add('directory', await objectIds(sandboxParts.directories.files), ofSandbox);
  add('rootfs', await containers.parts.rootfs.list(), ofContainer);
  add('exit file', await objectIds(containers.parts.monitor.exitDirectory), (id) => ofSandbox(id) || ofContainer(id));
  return { unclaimed, missing: await findMissing(parts) };
}

async function findMissing(parts: RestoreParts): Promise<Difference[]> {
  const missing: Difference[] = [];
  for (const { record, state } of parts.sandboxes.list()) {
    if (state.is !== 'Ready') continue;
    for (const path of Object.values(parts.sandboxes.pathsOf(record.id).namespacesOf(record))) {
      if (path !== 'host' && !(await isPinned(path))) missing.push({ kind: 'namespace', name: path });
    }
  }
  for (const { record, state } of parts.containers.list()) {
    if (state.is !== 'Running') continue;
    if (!(await isAlive(state.process))) missing.push({ kind: 'process', name: `${state.process.pid} of container ${record.id}` });
    if (!(await isAlive(state.monitor))) missing.push({ kind: 'monitor', name: `${state.monitor.pid} of container ${record.id}` });
  }
  return missing;
}

/** Removes what no record claims: what a bad record left behind. A failure for one thing is logged and does not stop the rest. */
export async function removeUnclaimed(parts: RestoreParts): Promise<void> {
  const { unclaimed } = await compareInventory(parts);
  for (const { kind, name } of unclaimed) {
    const fields = fieldsOf(parts, kind, name);
    try {
      await removeOne(parts, kind, name);
      parts.log.warn(`removed what no record claims: ${kind}`, fields);
    } catch (error) {
      parts.log.error(`removing what no record claims failed: ${kind}`, { ...fields, error: messageOf(error) });
    }
  }
}

/** An exit file may be a container's or an infra process's. */
function fieldsOf({ containers }: RestoreParts, kind: string, name: string): LogFields {
  if (kind === 'exit file') return { path: exitFileOf(containers.parts.monitor.exitDirectory, name) };
  return idField(kind === 'bundle' || kind === 'rootfs' ? 'container' : 'sandbox', name);
}

async function removeOne(parts: RestoreParts, kind: string, name: string): Promise<void> {
  const { sandboxParts, sandboxes, containers } = parts;
  switch (kind) {
    case 'namespace':
      // Its attachment was released before, or queued.
      await unpinSandbox(sandboxParts, name);
      return;
    case 'directory':
      await removeSandboxFiles(sandboxes.pathsOf(name));
      // The cgroup of a pod that named none is known by its id.
      await sandboxParts.placement.removeParent(sandboxParts.placement.parent('', name));
      return;
    case 'infra bundle':
      await removeUnknownContainer(parts, sandboxes.pathsOf(name).infra, name);
      return;
    case 'bundle':
      await removeUnknownContainer(parts, containers.bundleOf(name), name);
      return;
    case 'rootfs':
      await containers.parts.rootfs.remove(name as ContainerId);
      return;
    case 'attachment':
      await releaseUnclaimed(parts, name);
      return;
    default:
      await removeExitFile(containers.parts.monitor.exitDirectory, name);
  }
}

/** The attachment's own record says who the pod was. What cannot be released now is released when it can be. */
async function releaseUnclaimed({ sandboxes, sandboxParts }: RestoreParts, containerId: string): Promise<void> {
  const { networks, detachBudgetMs } = sandboxParts;
  const { netns: netnsPath } = sandboxes.pathsOf(containerId);
  const pod = { name: '', namespace: '', uid: '' };
  try {
    if (await isPinned(netnsPath)) await networks.detach({ containerId, netnsPath, pod }, AbortSignal.timeout(detachBudgetMs));
  } finally {
    await networks.detachLater({ containerId });
  }
}

/** A container whose record is lost: all that is known of it is its bundle. */
async function removeUnknownContainer(parts: RestoreParts, bundle: MonitoredBundle, id: string): Promise<void> {
  const { runtimes, placement } = parts.containers.parts;
  const pid = await readContainerPid(bundle);
  const process = pid === undefined ? undefined : await identify(pid);
  await killCreators(id);
  for (const name of runtimes.names) {
    // A pid of another boot, or used again, is not ours: the runtime must know the container first.
    const known = await runtimes.get(name).state(id);
    if (known !== undefined && process !== undefined && known.pid === process.pid) await signalProcess(process, SIGKILL);
    await runtimes.get(name).delete(id);
  }
  const parent = placement.parentOf(await cgroupsPathOf(bundle), id);
  if (parent !== undefined) {
    await placement.removeContainer(parent, id);
    await placement.removeParent(parent);
  }
  await onThread('unmountAllBelow', { prefix: bundle.directory });
  await rm(bundle.directory, { recursive: true, force: true });
}

/** From the bundle's spec; empty where there is none, or half a one. */
async function cgroupsPathOf({ specFile }: MonitoredBundle): Promise<string> {
  const text = await unlessMissing(readFile(specFile, 'utf8'), '{}');
  try {
    return (JSON.parse(text) as { linux?: { cgroupsPath?: string } }).linux?.cgroupsPath ?? '';
  } catch {
    return ''; // It was being written: nothing was started from it.
  }
}

async function objectIds(directory: string): Promise<string[]> {
  return (await unlessMissing(readdir(directory), [] as string[])).filter(isObjectId);
}
