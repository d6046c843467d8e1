import { join } from 'node:path';
import type { ContainerConfig, ImageSpec, Mount } from '../../api/cri/runtime.ts';
import { fail } from '../base/errors.ts';
import { newContainerId } from '../base/ids.ts';
import { nowNs } from '../base/time.ts';
import { imageRefOf } from '../image/image-ref.ts';
import { foreignPlatform, hostPlatform } from '../image/platform.ts';
import type { ImageRecord } from '../image/store.ts';
import { bootId } from '../linux/process.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { isImageVolume } from '../ocispec/mounts.ts';
import { planSpec } from '../ocispec/plan.ts';
import { planCdiDevices } from './cdi-devices.ts';
import type { Container } from './container.ts';
import type { ContainerRequest, CreateRequest } from './create-request.ts';
import { checkRestore, originOf, readCheckpoint } from './checkpoint-source.ts';
import { checkImageUses } from './check-image-uses.ts';
import { checkContainerRequest } from './check-request.ts';
import { planHooks } from './oci-hooks.ts';
import type { ContainerParts } from './parts.ts';
import { planPidNamespace } from './pid-namespace.ts';
import { planSelinux } from './selinux.ts';
import { stopSignal } from './stop-signal.ts';

/** The identity of a CreateContainer request: name and attempt within one sandbox. */
export function containerName(config: ContainerConfig, sandbox: Sandbox): string {
  const { name, attempt } = config.metadata ?? fail('InvalidArgument', 'create container: config.metadata is missing, must be given');
  if (name === '') fail('InvalidArgument', 'create container: config.metadata.name is empty, must be given');
  const pod = sandbox.record.config.metadata;
  return `k8s_${name}_${pod?.name ?? ''}_${pod?.namespace ?? ''}_${pod?.uid ?? ''}_${attempt}_${sandbox.record.id.slice(0, 12)}`;
}

/**
 * Checks a request, finds its image, and fixes what the container will be. Every refusal that needs no look at the disk is here,
 * and those of CDI devices:
 * a request that is refused leaves no trace.
 * @throws InvalidArgument, FailedPrecondition, or NotFound for an image or a target.
 */
export async function planContainer(
  parts: ContainerParts,
  containers: { get: (id: string) => Container },
  request: ContainerRequest,
): Promise<CreateRequest> {
  const { sandbox, config } = request;
  const host = parts.hostFacts();
  checkContainerRequest(config, sandbox, host, parts.selinux === undefined ? 'not labelled' : 'labelled');
  const selinux = await planSelinux(parts.selinux, config, sandbox);
  const asked = config.image?.image ?? '';
  if (asked === '') fail('InvalidArgument', 'create container: config.image is empty, must name an image');
  const runtime = parts.runtimes.get(sandbox.record.runtimeHandler);
  const origin = request.from ?? (await originOf(parts, asked));
  const checkpoint = origin && (await readCheckpoint(parts, origin, { name: asked, runtime }));
  const image =
    checkpoint?.image ??
    parts.images.resolve(asked) ??
    fail('NotFound', `create container: image ${asked} is not present, must be pulled or loaded first`);
  if (image.artifact !== undefined) {
    fail(
      'InvalidArgument',
      `create container: config.image is ${asked}, an artifact (${image.artifact.type.slice(0, 200)}) that has no programs to run, must be a container image; an artifact can be mounted as an image volume`,
    );
  }
  const id = newContainerId();
  const warn = (words: string): void => {
    parts.log.warn(`create container: ${words}`, { containerId: id });
  };
  const features = parts.runtimes.features(runtime.name);
  const specPlan = planSpec({
    config,
    podAnnotations: sandbox.record.config.annotations,
    imageConfig: image.config.config ?? {},
    runtime: features,
    settings: parts.specSettings(runtime.name),
    host,
    userMapping: sandbox.record.namespaces.user,
    apparmor: await parts.apparmor(runtime.name),
    warn,
  });
  const pidNamespace = planPidNamespace(config, sandbox, containers);
  if (checkpoint !== undefined) checkRestore(checkpoint, config, sandbox, pidNamespace);
  const volumeImages = config.mounts.filter(isImageVolume).map((mount) => volumeImage(parts, mount));
  await checkImageUses(parts, sandbox, { config, image, checkpoint, volumeImages });
  const foreign = foreignPlatform(image.config, await hostPlatform());
  if (foreign !== undefined) warn(`the image is for ${foreign}, its programs may not start here`);
  const cdi = await planCdiDevices(parts.cdi, { config, sandbox, runtime: features });
  const hooks = await planHooks(parts.hooks, { config, sandbox, args: specPlan.args });
  const logDirectory = sandbox.record.config.logDirectory;
  return {
    sandbox,
    sandboxConfig: request.sandboxConfig ?? sandbox.record.config,
    image,
    checkpoint,
    volumeImages,
    specPlan,
    selinux,
    cdi,
    hooks,
    pidNamespace,
    record: {
      id,
      name: request.name,
      sandboxId: sandbox.record.id,
      config,
      imageId: image.id,
      imageRef: imageRefOf(image, config.image?.userSpecifiedImage ?? '', asked),
      ...(volumeImages.length === 0 ? {} : { volumeImageIds: volumeImages.map((each) => each.id) }),
      ...(checkpoint === undefined ? {} : { checkpoint: checkpoint.origin }),
      createdAtNs: nowNs(),
      bootId: await bootId(),
      runtimeHandler: runtime.name,
      logPath: config.logPath === '' || logDirectory === '' ? '' : join(logDirectory, config.logPath),
      stopSignal: stopSignal(config.stopSignal, image.config.config?.StopSignal, warn),
      cgroupParent: sandbox.record.cgroupParent,
      cgroupsPath: parts.placement.cgroupsPath(sandbox.record.cgroupParent, id),
    },
  };
}

/** The kubelet knows the first word of the failures (cri-api, pkg/errors). */
function volumeImage(parts: ContainerParts, { containerPath, image: { image } }: Mount & { image: ImageSpec }): ImageRecord {
  const found =
    parts.images.resolve(image) ??
    fail(
      'NotFound',
      `ImageVolumeMountFailed: create container: the mount at ${containerPath} is of image ${image}, which is not present, must be pulled or loaded first`,
    );
  if (found.artifact?.files !== 0) return found;
  return fail(
    'FailedPrecondition',
    `ImageVolumeMountFailed: create container: the mount at ${containerPath} is of the artifact ${image}, which has no file to show: none of its layers has the annotation org.opencontainers.image.title`,
  );
}
