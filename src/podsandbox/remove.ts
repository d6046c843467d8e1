import { allSettledOrThrow } from '../base/settle.ts';
import { stage } from '../base/stage.ts';
import { pathsOf, type SandboxParts } from './parts.ts';
import { removeSandboxFiles } from './sandbox-files.ts';
import type { SandboxRecord } from './sandbox.ts';
import { takeDown } from './stop.ts';

/** Removes a sandbox that has no containers any more, stopped or not, and forgets it. The caller holds its lock. Idempotent. */
export async function removeSandbox(parts: SandboxParts, id: string): Promise<void> {
  const { store } = parts;
  const sandbox = store.get(id);
  if (sandbox === undefined) return;
  const { record, state } = sandbox;
  if (state.is !== 'Removing') {
    await parts.lifecycle.remove(sandbox, async () => {
      stage('sandbox.remove-told');
      await store.saveTowardsEnd(id, { ...state, is: 'Removing' }, { durable: false });
    });
  }
  stage('sandbox.removing');
  if (state.is !== 'NotReady') await takeDown(parts, record, state);
  await removeRemains(parts, record, state.ownsCgroup);
}

/** Removes a sandbox that was never finished, with every effect it may have had. */
export async function removeUnfinishedSandbox(parts: SandboxParts, record: SandboxRecord): Promise<void> {
  await takeDown(parts, record, undefined);
  // Whether the pod's cgroup was ours is not known: it is removed only if it is empty, and the kubelet makes its own again.
  await removeRemains(parts, record, true);
}

async function removeRemains(parts: SandboxParts, record: SandboxRecord, ownsCgroup: boolean): Promise<void> {
  const files = removeSandboxFiles(pathsOf(parts, record.id)).then(() => {
    stage('sandbox.files.removed');
  });
  const cgroup = ownsCgroup ? parts.placement.removeParent(record.cgroupParent) : Promise.resolve();
  await allSettledOrThrow([files, cgroup]);
  stage('sandbox.cgroup.removed');
  await parts.store.remove(record.id);
  stage('sandbox.forgotten');
}
