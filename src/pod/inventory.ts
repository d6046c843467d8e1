import { readdir } from 'node:fs/promises';
import { unlessMissing } from '../base/errors.ts';
import { isObjectId, type ContainerId } from '../base/ids.ts';
import { idField, type LogFields } from '../base/log.ts';
import { exitFileOf, removeExitFile } from '../ociruntime/exit-directory.ts';
import { removeUnknownNetworkCgroup } from '../podsandbox/network-cgroup.ts';
import { removeSandboxFiles } from '../podsandbox/sandbox-files.ts';
import { unpinSandbox } from '../podsandbox/unpin.ts';
import { releaseUnknownAttachment, removeUnknownContainer } from './remove-unknown.ts';
import { listRemains, removeRemains } from './remains.ts';
import type { RestoreParts } from './restore.ts';

/** One kind of thing that pods and containers have outside their records, each known by the id of its object. */
export interface InventoryKind {
  readonly kind:
    'attachment' | 'namespace' | 'infra bundle' | 'network cgroup' | 'bundle' | 'container' | 'directory' | 'rootfs' | 'exit file';
  /** The ids for which one exists. */
  readonly list: () => Promise<readonly string[]>;
  readonly isClaimed: (id: string) => boolean;
  /** Removes one that no record claims. Idempotent. */
  readonly remove: (id: string) => Promise<void>;
  /** What a log line about one carries. */
  readonly fields: (id: string) => LogFields;
}

/** Every kind there is, in the order of removal: plugins find what they made while the namespace is there. */
export function inventoryOf(parts: RestoreParts): readonly InventoryKind[] {
  const { sandboxes, containers, sandboxParts, containerParts } = parts;
  const { directories, networks, placement, monitor } = sandboxParts;
  const { bundleDirectory, rootfs } = containerParts;
  const ofSandbox = {
    isClaimed: (id: string): boolean => sandboxes.store.claims(id),
    fields: (id: string): LogFields => idField('sandbox', id),
  };
  const ofContainer = {
    isClaimed: (id: string): boolean => containers.store.claims(id),
    fields: (id: string): LogFields => idField('container', id),
  };
  return [
    {
      ...ofSandbox,
      kind: 'attachment',
      list: async () => networks.attachments(),
      remove: async (id) => releaseUnknownAttachment(parts, id),
    },
    {
      ...ofSandbox,
      kind: 'namespace',
      list: async () => objectIds(directories.namespaces),
      isClaimed: (id) => ofSandbox.isClaimed(id) || networks.needsNamespace(id),
      // Its attachment was released before, or queued.
      remove: async (id) => unpinSandbox(sandboxParts, id),
    },
    {
      ...ofSandbox,
      kind: 'infra bundle',
      list: async () => objectIds(directories.infra),
      remove: async (id) => removeUnknownContainer(parts, sandboxes.pathsOf(id).infra, id),
    },
    {
      ...ofSandbox,
      kind: 'network cgroup',
      list: async () => objectIds(directories.networkCgroups),
      remove: async (id) => removeUnknownNetworkCgroup(sandboxParts, id),
    },
    {
      ...ofContainer,
      kind: 'bundle',
      list: async () => objectIds(bundleDirectory),
      remove: async (id) => removeUnknownContainer(parts, containers.bundleOf(id), id),
    },
    {
      ...ofContainer,
      kind: 'container',
      list: async () => listWithoutBundle(parts),
      // It may be an infra container's, or a pod's cgroup without processes.
      isClaimed: (id) => ofSandbox.isClaimed(id) || ofContainer.isClaimed(id),
      remove: async (id) => removeRemains(parts, id),
    },
    {
      ...ofSandbox,
      kind: 'directory',
      list: async () => objectIds(directories.files),
      remove: async (id) => {
        await removeSandboxFiles(sandboxes.pathsOf(id));
        // The cgroup of a pod that named none is known by its id. Behind the bundles, whose cgroups lie in it.
        await placement.removeParent(placement.parent('', id));
      },
    },
    {
      ...ofContainer,
      kind: 'rootfs',
      list: async () => rootfs.list(),
      remove: async (id) => rootfs.remove(id as ContainerId),
    },
    {
      kind: 'exit file',
      list: async () => objectIds(monitor.exitDirectory),
      // It may be a container's or an infra process's.
      isClaimed: (id) => ofSandbox.isClaimed(id) || ofContainer.isClaimed(id),
      remove: async (id) => removeExitFile(monitor.exitDirectory, id),
      fields: (id) => ({ path: exitFileOf(monitor.exitDirectory, id) }),
    },
  ];
}

/** What has a bundle or a network cgroup on record is told, and removed, as that. */
async function listWithoutBundle(parts: RestoreParts): Promise<readonly string[]> {
  const { infra, networkCgroups } = parts.sandboxParts.directories;
  const told = await Promise.all([parts.containerParts.bundleDirectory, infra, networkCgroups].map(objectIds));
  const ids = new Set(told.flat());
  return (await listRemains(parts)).filter((id) => !ids.has(id));
}

async function objectIds(directory: string): Promise<string[]> {
  return (await unlessMissing(readdir(directory), [] as string[])).filter(isObjectId);
}
