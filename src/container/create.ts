import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ContainerConfig } from '../../api/cri/runtime.ts';
import { reasonOf } from '../base/deadline.ts';
import { fail, messageOf, withWords } from '../base/errors.ts';
import { present } from '../base/field.ts';
import { allSettledOrThrow } from '../base/settle.ts';
import { stage } from '../base/stage.ts';
import { step } from '../base/steps.ts';
import { UndoStack } from '../base/undo.ts';
import { makeDirectory, writeSmallFile } from '../linux/memory-files.ts';
import { hostId, type UserMapping } from '../linux/user-namespace.ts';
import type { MonitoredContainer } from '../ociruntime/monitor.ts';
import { sweepContainer, type SweepRequest } from '../ociruntime/sweep.ts';
import { makeRequestedDirectory } from '../podsandbox/sandbox-files.ts';
import { requireReady } from '../podsandbox/sandbox.ts';
import { buildSpec } from '../ocispec/build.ts';
import { checkUserIsMapped } from '../ocispec/id-mappings.ts';
import type { ResolvedMount } from '../ocispec/input.ts';
import type { OciSpec } from '../ocispec/oci-types.ts';
import { specToJson } from '../ocispec/spec-json.ts';
import type { Bundle } from './bundle.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { imagesOf, NO_PROCESS, type ContainerRecord } from './container.ts';
import { prepareSpec } from './container-spec.ts';
import type { CreateRequest } from './create-request.ts';
import { makeImageDirectories } from './image-directories.ts';
import { bindImageVolumes } from './image-volumes.ts';
import type { AdjustedCreation } from './lifecycle.ts';
import { prepareContainersMonitor, type MonitorNeeds } from './monitor-container.ts';
import { bundleOf, runtimeOf, type ContainerParts } from './parts.ts';
import { withPidNamespace } from './pid-namespace.ts';
import { writeProcess } from './process-file.ts';
import { giveStdioOf } from './stdio-owner.ts';
import { changesIn, deleteFiles, maskedAs, prepareRestore } from './restore-checkpoint.ts';
import { setTimezone } from './timezone.ts';
import { relabelVolumes } from './selinux.ts';
import { addUserEntries } from './user-entries.ts';
import { resolveImageVolumes, resolveVolumes } from './volumes.ts';

/** Where the images of its mounts are mounted, in the order of those mounts. */
function volumeDirectories(bundle: Bundle, { volumeImageIds = [] }: ContainerRecord): string[] {
  return volumeImageIds.map((_, index) => bundle.imageVolume(index));
}

/** Unmounts the container's root file system and its image volumes; what is not mounted is unmounted already. */
export async function unmountAll(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const bundle = bundleOf(parts, record.id);
  for (const target of [...volumeDirectories(bundle, record), bundle.rootfs]) await parts.rootfs.unmount(record.id, target);
}

/**
 * Makes a container up to Created. On failure nothing of it is left; after a crash the next start removes what is (the
 * record is on disk before the first effect).
 * @returns what to wait for to learn at once that its monitor has ended; undefined where its start restores it.
 */
export async function createContainer(
  parts: ContainerParts,
  request: CreateRequest,
  work: AbortSignal,
): Promise<MonitoredContainer | undefined> {
  const { store, log } = parts;
  const { record } = request;
  const undo = new UndoStack();
  try {
    for (const id of imagesOf(record)) {
      parts.images.hold(id, record.id);
      undo.add('let go of an image', () => {
        parts.images.release(id, record.id);
      });
      if (parts.images.resolve(id) === undefined) fail('NotFound', `create container: image ${id} is being removed`);
    }
    undo.add('forget the record', async () => store.remove(record.id));
    const intent = await step('write record', async () => store.begin(record));
    stage('container.recorded');
    const bundle = bundleOf(parts, record.id);
    undo.add('remove the bundle', async () => rm(bundle.directory, { recursive: true, force: true }));
    undo.add('remove the rootfs', async () => {
      await unmountAll(parts, record);
      await parts.rootfs.remove(record.id);
    });
    undo.add('remove the container', async () => sweepAway(parts, record, { monitorKnown: false }));
    const { checkpoint } = record;
    const files = checkpoint && (await step('read checkpoint', async () => prepareRestore(parts, record, checkpoint, work)));
    const making = makeBundle(parts, request, files, work);
    // Of one that is restored the start makes the monitor.
    const monitor = files === undefined ? prepareContainersMonitor(parts, record, work, making.forMonitor()) : undefined;
    if (monitor !== undefined) undo.add('end the monitor', monitor.discard);
    const [, ofHost] = await allSettledOrThrow([making.done, volumesOfHost(parts, request, work)]);
    stage('container.rootfs.mounted');
    if (files !== undefined) await deleteFiles(files, bundle.rootfs);
    const ofImages = resolveImageVolumes(request.specPlan.mounts, volumeDirectories(bundle, record));
    const mounts = inOrderOf(record.config, [...ofHost, ...ofImages]);
    const created = await withPidNamespace(request.pidNamespace, async (pidNamespace) => {
      const prepared = await step('build spec', async () =>
        prepareSpec(parts, request, { rootfsPath: bundle.rootfs, mounts, pidNamespace }),
      );
      const kind = parts.imageVolumes();
      const paths = kind === 'ignore' ? [] : Object.keys(prepared.imageConfig.Volumes ?? {});
      await step('fill root file system', async () => {
        await makeImageDirectories(prepared, paths);
        await setTimezone(prepared);
      });
      const volumes = kind === 'bind' ? bindImageVolumes(bundle.rootfs, paths) : [];
      const spec = maskedAs(request.checkpoint, buildSpec({ ...prepared, volumes }));
      checkUserIsMapped('create container', spec.process.user, prepared.userMapping);
      const creation = { record, sandbox: request.sandbox, spec, runtime: parts.runtimes.features(record.runtimeHandler) };
      return parts.lifecycle.create(creation, work, async (adjusted) => {
        stage('container.hooked');
        // A CDI device that was added may have brought groups along.
        checkUserIsMapped('create container', adjusted.spec.process.user, prepared.userMapping);
        await step('fill root file system', async () => addUserEntries(prepared, adjusted.spec));
        await step('write spec', async () => writeSpec(bundle, adjusted.spec));
        if (work.aborted) throw reasonOf(work);
        void intent.flush().catch(() => undefined); // told below
        const monitored = await monitor?.create(adjusted.spec);
        if (monitored !== undefined) await giveStdioOf(monitored.process.pid, request.sandbox.record, adjusted.spec.process.user);
        await step('flush record', intent.flush);
        await showCreated(parts, record, adjusted, monitored);
        return monitored;
      });
    });
    return created;
  } catch (error) {
    for (const failure of await step('undo', async () => undo.run())) {
      log.error(`create container: undoing failed: ${failure.what}`, { containerId: record.id, error: messageOf(failure.error) });
    }
    throw withWords(`create container ${record.name}`, error);
  }
}

/** Records Created, under the sandbox's lock, so that a stop of it either sees this container or makes it fail here. */
async function showCreated(
  parts: ContainerParts,
  record: ContainerRecord,
  { spec, resources, chosenCgroup }: AdjustedCreation,
  created: MonitoredContainer | undefined,
): Promise<void> {
  const { uid, gid, additionalGids } = spec.process.user;
  const { process, monitor } = created ?? { process: NO_PROCESS, monitor: NO_PROCESS };
  const made = { process, monitor, user: { uid, gid, additionalGids }, resources, ...present({ chosenCgroup }) };
  await parts.sandboxes.locked(record.sandboxId, async () => {
    requireReady(parts.sandboxes.known(record.sandboxId), 'create container');
    await step('write record', async () => parts.store.save(record.id, { is: 'Created', ...made }));
  });
  // Its state holds it from now on.
  parts.chosenCgroups.letGo(record.id);
  stage('container.created');
}

/** The mounts of host paths, their sources found, and labelled where they ask for that. */
async function volumesOfHost(parts: ContainerParts, { specPlan, selinux }: CreateRequest, work: AbortSignal): Promise<ResolvedMount[]> {
  if (specPlan.mounts.length === 0) return [];
  const mounts = await step('find volumes', async () => resolveVolumes(specPlan.mounts, work, parts.absentMountSourcesToReject()));
  if (selinux?.relabels === true)
    await step('relabel volumes', async () => relabelVolumes(mounts, selinux.labels.mount, specPlan.trySkipRelabel, work));
  return mounts;
}

async function writeSpec(bundle: Bundle, spec: OciSpec): Promise<void> {
  await allSettledOrThrow([writeSmallFile(bundle.specFile, specToJson(spec), 0o600), writeProcess(bundle, spec.process)]);
}

function inOrderOf({ mounts }: ContainerConfig, resolved: readonly ResolvedMount[]): ResolvedMount[] {
  return resolved.toSorted((one, other) => mounts.indexOf(one.request) - mounts.indexOf(other.request));
}

/** Makes the directories, the monitor's cgroup and the mount of the root file system. */
function makeBundle(
  parts: ContainerParts,
  request: CreateRequest,
  files: CheckpointFiles | undefined,
  work: AbortSignal,
): { readonly done: Promise<void>; readonly forMonitor: () => MonitorNeeds } {
  const { record, selinux } = request;
  const { directory, rootfs, persistDirectory } = bundleOf(parts, record.id);
  const rootfsMade = makeDirectory(directory, 0o700).then(async () => makeDirectory(rootfs, 0o700));
  // The monitor's way into it takes as long as all of the creation, and begins as soon as it can.
  const cgroupMade = parts.placement.prepareMonitor(record.cgroupParent, record.id);
  const logMade = record.logPath === '' ? Promise.resolve() : makeRequestedDirectory(dirname(record.logPath), selinux !== undefined, work);
  const done = step('make bundle', async () => {
    const persistMade = mkdir(persistDirectory, { recursive: true, mode: 0o700 });
    await allSettledOrThrow([mountRootfs(parts, request, files, rootfsMade), cgroupMade, logMade, persistMade]);
  });
  return { done, forMonitor: () => ({ directoriesMade: Promise.all([rootfsMade, logMade]), cgroupMade }) };
}

async function mountRootfs(
  parts: ContainerParts,
  request: CreateRequest,
  files: CheckpointFiles | undefined,
  rootfsMade: Promise<unknown>,
): Promise<void> {
  const { record, image, volumeImages } = request;
  const bundle = bundleOf(parts, record.id);
  const target = bundle.rootfs;
  const directories = volumeDirectories(bundle, record);
  const volumes = volumeImages.map(({ chain }, index) => ({ chain, target: directories[index] ?? '' }));
  await rootfsMade;
  const { record: sandbox } = request.sandbox;
  const { user: mapping } = sandbox.namespaces;
  const user = mapping && { mapping, layers: parts.sandboxes.pathsOf(sandbox.id).layers };
  if (user !== undefined) await letRootOfPodThrough(bundle.directory, user.mapping);
  const changes = files && (await changesIn(files));
  const mount = async (): Promise<void> =>
    parts.rootfs.mount(record.id, image.chain, { target, volumes, user, changes, context: request.selinux?.labels.mount });
  await step('mount root file system', mount);
}

/** The runtime goes to the root file system as root of the pod, and nobody else of the node must: it has set-user-id programs. */
async function letRootOfPodThrough(directory: string, { gids }: UserMapping): Promise<void> {
  await chown(directory, 0, hostId(0, gids));
  await chmod(directory, 0o710);
}

/** All of a container outside the file system, its cgroup wherever that is. Idempotent. */
export async function sweepAway(
  parts: ContainerParts,
  record: ContainerRecord,
  how: Pick<SweepRequest, 'monitorKnown' | 'isRestored'>,
): Promise<void> {
  const { id, cgroupParent } = record;
  await parts.chosenCgroups.removing(record, bundleOf(parts, id).specFile, async (chosen) =>
    sweepContainer({
      ...how,
      runtime: runtimeOf(parts, record),
      placement: parts.placement,
      cgroupParent,
      cgroupsPath: chosen ?? record.cgroupsPath,
      containerId: id,
    }),
  );
}
