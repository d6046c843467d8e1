import { copyFile, lstat, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DaemonError, fail, hasErrno, messageOf, unlessMissing } from '../base/errors.ts';
import { Field } from '../base/field.ts';
import { apparmorProfileOf } from '../linux/apparmor.ts';
import { pathInRoot } from '../linux/files.ts';
import { errorsOf } from '../ociruntime/checkpoint.ts';
import type { MonitoredContainer } from '../ociruntime/monitor.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import { readSpec } from '../ocispec/read-spec.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import { checkpointDirectory, DOCUMENT_LIMIT_BYTES, type CheckpointSource } from './checkpoint-source.ts';
import type { CheckpointOrigin, ContainerRecord } from './container.ts';
import { restoreUnderMonitor } from './monitor-container.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';
import { checkChanges, unpackCheckpoint } from './unpack-checkpoint.ts';

/** CRIU's log of a restore, in the bundle. */
const RESTORE_LOG = 'restore.log';

/**
 * Unpacks the archive that a container is to be restored from, and looks at it; what an image has is used where it lies.
 * @throws InvalidArgument where it is no checkpoint.
 */
export async function prepareRestore(
  parts: ContainerParts,
  { id }: ContainerRecord,
  origin: CheckpointOrigin,
  work: AbortSignal,
): Promise<CheckpointFiles> {
  const { restore } = bundleOf(parts, id);
  await unpackCheckpoint(origin, restore, work);
  const files = new CheckpointFiles(checkpointDirectory(parts, origin, restore));
  await checkFiles(files);
  await checkChanges(files, dirname(restore));
  const images = await readdir(files.images, { withFileTypes: true }).catch((error: unknown) => {
    throw new DaemonError('InvalidArgument', `create container: the checkpoint has no images: ${messageOf(error)}`, { cause: error });
  });
  const odd = images.find((entry) => !entry.isFile());
  if (odd !== undefined) fail('InvalidArgument', `create container: ${odd.name} in the checkpoint is no regular file`);
  if (!images.some(({ name }) => name === 'inventory.img'))
    fail('InvalidArgument', 'create container: the checkpoint has no inventory.img');
  return files;
}

/**
 * A checkpoint comes from a tenant: a symlink in it would have us read a file of the node, into the container's log or root file
 * system, and a large list would be parsed on the event loop. Nobody changes the files after this look.
 */
async function checkFiles(files: CheckpointFiles): Promise<void> {
  const refuse = (path: string, words: string): never => fail('InvalidArgument', `create container: ${basename(path)} in the checkpoint ${words}`); // prettier-ignore
  for (const path of [files.changes, files.deleted, files.log]) {
    const found = await unlessMissing(lstat(path), undefined);
    if (found === undefined) continue;
    if (!found.isFile()) refuse(path, 'is no regular file');
    if (path === files.deleted && found.size > DOCUMENT_LIMIT_BYTES)
      refuse(path, `has ${found.size} bytes, must have at most ${DOCUMENT_LIMIT_BYTES}`);
  }
  if ((await unlessMissing(lstat(files.images), undefined))?.isSymbolicLink() === true)
    refuse(files.images, 'is a symlink, must be a directory');
}

/** The tar of what the container had written; undefined where it had written nothing. */
export async function changesIn({ changes }: CheckpointFiles): Promise<string | undefined> {
  return (await unlessMissing(stat(changes), undefined))?.isFile() === true ? changes : undefined;
}

/** Deletes in a mounted root file system what the container had deleted of its image. Nobody else is in there yet. */
export async function deleteFiles({ deleted }: CheckpointFiles, rootfs: string): Promise<void> {
  const text = await unlessMissing(readFile(deleted, 'utf8'), undefined);
  if (text === undefined) return;
  for (const path of Field.parse(text, 'deleted.files').texts()) {
    try {
      const name = basename(path);
      if (name === '' || name === '.' || name === '..') continue;
      await rm(join(pathInRoot(rootfs, dirname(path)), name), { recursive: true, force: true });
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
    }
  }
}

/** A spec with the masks of the checkpoint: they are mounts, and CRIU must find each that it has seen, and no other. */
export function maskedAs(checkpoint: CheckpointSource | undefined, spec: OciSpec): OciSpec {
  if (checkpoint === undefined) return spec;
  const { maskedPaths, readonlyPaths } = checkpoint;
  return { ...spec, linux: { ...spec.linux, maskedPaths: [...maskedPaths], readonlyPaths: [...readonlyPaths] } };
}

/**
 * Restores the processes of a container under a monitor of its own. Its log begins with the one that it had.
 * @throws Internal with the runtime's and CRIU's words.
 */
export async function restoreContainer(
  parts: ContainerParts,
  record: ContainerRecord,
  origin: CheckpointOrigin,
  signal: AbortSignal,
): Promise<MonitoredContainer> {
  const bundle = bundleOf(parts, record.id);
  const files = new CheckpointFiles(checkpointDirectory(parts, origin, bundle.restore));
  const environment = parts.checkpoints.criu.environment(runtimeOf(parts, record).environment);
  const { apparmorProfile } = readSpec(await readFile(bundle.specFile, 'utf8'));
  if (record.logPath !== '') await unlessMissing(copyFile(files.log, record.logPath), undefined);
  try {
    const restored = await restoreUnderMonitor(parts, record, signal, {
      images: files.images,
      work: bundle.directory,
      environment,
      apparmorProfile,
    });
    await requireProfile(restored.process.pid, apparmorProfile);
    await rm(bundle.restore, { recursive: true, force: true });
    return restored;
  } catch (error) {
    if (error instanceof DaemonError && error.kind === 'FailedPrecondition') throw error;
    const said = await errorsOf(join(bundle.directory, RESTORE_LOG));
    throw said.length === 0 ? error : new DaemonError('Internal', `${messageOf(error)}; CRIU says: ${said.join('; ')}`, { cause: error });
  } finally {
    await renewNamesOf(parts, record);
  }
}

/** CRIU restores processes without a profile as they were, whatever profile it is told: they must not go on so. */
async function requireProfile(pid: number, profile: string | undefined): Promise<void> {
  if (profile === undefined) return;
  const current = await apparmorProfileOf(pid);
  if (current !== profile)
    fail('FailedPrecondition', `start container: its processes were restored with the AppArmor profile ${current}, as in the checkpoint, must have ${profile}`); // prettier-ignore
}

/**
 * CRIU has joined the pod's UTS and IPC namespaces and written into them what the checkpoint had: the name and the sysctls of
 * another pod. All containers of this pod would see that.
 */
export async function renewNamesOf({ sandboxes, log }: ContainerParts, { id, sandboxId }: ContainerRecord): Promise<void> {
  const sandbox = sandboxes.store.get(sandboxId);
  if (sandbox?.state.is !== 'Ready') return;
  try {
    await sandboxes.renewNames(sandbox);
  } catch (error) {
    log.warn('the host name of a pod cannot be set again after a restore', { sandboxId, containerId: id, error: messageOf(error) });
  }
}
