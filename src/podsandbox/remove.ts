import type { Log } from '../base/log.ts';
import type { ObjectStore } from '../base/object-store.ts';
import { stage } from '../base/stage.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { removeSandboxFiles } from './sandbox-files.ts';
import type { SandboxRecord, SandboxState } from './sandbox.ts';
import { takeDown } from './stop.ts';

type Store = ObjectStore<SandboxRecord, SandboxState>;

/** Removes a sandbox that has no containers any more, stopped or not, and forgets it. The caller holds its lock. Idempotent. */
export async function removeSandbox(parts: SandboxParts, store: Store, id: string, log: Log): Promise<void> {
  const sandbox = store.get(id);
  if (sandbox === undefined) return;
  const { record, state } = sandbox;
  if (state.is !== 'Removing') await store.saveTowardsEnd(id, { ...state, is: 'Removing' }, { durable: false });
  stage('sandbox.removing');
  if (state.is !== 'NotReady') await takeDown(parts, record, state, log);
  await removeRemains(parts, store, record, state.ownsCgroup);
}

/** Removes a sandbox that was never finished, with every effect it may have had. */
export async function removeUnfinishedSandbox(parts: SandboxParts, store: Store, record: SandboxRecord, log: Log): Promise<void> {
  await takeDown(parts, record, undefined, log);
  // Whether the pod's cgroup was ours is not known: it is removed only if it is empty, and the kubelet makes its own again.
  await removeRemains(parts, store, record, true);
}

async function removeRemains(parts: SandboxParts, store: Store, record: SandboxRecord, ownsCgroup: boolean): Promise<void> {
  await removeSandboxFiles(pathsOf(parts, record.id));
  stage('sandbox.files.removed');
  if (ownsCgroup) await parts.placement.removeParent(record.cgroupParent);
  stage('sandbox.cgroup.removed');
  await store.remove(record.id);
  stage('sandbox.forgotten');
}
