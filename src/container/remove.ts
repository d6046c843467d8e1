import { allSettledOrThrow } from '../base/settle.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { onThread } from '../linux/kernel-threads.ts';
import { removeExitFiles } from '../ociruntime/exit-directory.ts';
import { sweepAway, unmountAll } from './create.ts';
import { imagesOf } from './container.ts';
import type { Container, ContainerRecord } from './container.ts';
import { bundleOf, type ContainerParts } from './parts.ts';
import { forgetProcess } from './process-file.ts';
import { renewNamesOf } from './restore-checkpoint.ts';

/**
 * Gives back what a container that has ended still holds: the runtime's state, cgroups, the mount of its root file system.
 * Its writable layer, log and record stay. Idempotent.
 */
export async function releaseContainer(parts: ContainerParts, record: ContainerRecord, monitorKnown: boolean): Promise<void> {
  const { checkpoint } = record;
  await step('sweep processes', async () => sweepAway(parts, record, { monitorKnown, isRestored: checkpoint !== undefined }));
  if (checkpoint !== undefined) await renewNamesOf(parts, record);
  stage('container.swept');
  await step('unmount root file system', async () => unmountAll(parts, record));
  stage('container.rootfs.unmounted');
}

/** Removes a container that has ended, and forgets it. The log is the kubelet's. The caller holds its lock. Idempotent. */
export async function removeContainer(parts: ContainerParts, container: Container, isReleased: boolean): Promise<void> {
  const { record, state } = container;
  if (state.is !== 'Removing') {
    await parts.lifecycle.remove(container, async () => {
      stage('container.remove-told');
      await parts.store.saveTowardsEnd(record.id, { ...state, is: 'Removing' }, { durable: false });
    });
  }
  stage('container.removing');
  if (!isReleased) await releaseContainer(parts, record, true);
  await removeRemains(parts, record);
}

/** Removes all effects of a container that was never finished, and its record. */
export async function removeUnfinishedContainer(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  await releaseContainer(parts, record, false);
  await removeRemains(parts, record);
}

async function removeRemains(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const { directory, persistDirectory, processFile } = bundleOf(parts, record.id);
  // A CRIU that was killed in a restore leaves its view of the cgroups (v1) mounted there.
  if (record.checkpoint !== undefined) await onThread('unmountAllBelow', { prefix: directory });
  await allSettledOrThrow([
    parts.rootfs.remove(record.id, [directory, persistDirectory, processFile]),
    removeExitFiles(parts.monitor.exitDirectory, record.id),
  ]);
  forgetProcess(record.id);
  stage('container.rootfs.removed');
  for (const id of imagesOf(record)) parts.images.release(id, record.id);
  await parts.store.remove(record.id);
  stage('container.forgotten');
}
