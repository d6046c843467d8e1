import { join } from 'node:path';
import type { ContainerConfig, ImageSpec, Mount, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { NamespaceMode } from '../../api/cri/enums.ts';
import { fail } from '../base/errors.ts';
import { newContainerId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { nowNs } from '../base/time.ts';
import { imageRefOf } from '../image/image-ref.ts';
import { foreignPlatform, hostPlatform } from '../image/platform.ts';
import type { ImageRecord } from '../image/store.ts';
import { bootId, type ProcessIdentity } from '../linux/process.ts';
import type { Sandbox } from '../podsandbox/sandbox.ts';
import { checkLabels } from '../ocispec/annotations.ts';
import { isImageVolume, requireState, type Container } from './container.ts';
import type { CreateRequest } from './create-request.ts';
import { checkContainerRequest } from './check-request.ts';
import type { ContainerParts } from './parts.ts';
import { stopSignal } from './stop-signal.ts';

/** The identity of a CreateContainer request: name and attempt within one sandbox. */
export function containerName(config: ContainerConfig, sandbox: Sandbox): string {
  const { name, attempt } = config.metadata ?? fail('InvalidArgument', 'create container: config.metadata is missing, must be given');
  if (name === '') fail('InvalidArgument', 'create container: config.metadata.name is empty, must be given');
  const pod = sandbox.record.config.metadata;
  return `k8s_${name}_${pod?.name ?? ''}_${pod?.namespace ?? ''}_${pod?.uid ?? ''}_${attempt}_${sandbox.record.id.slice(0, 12)}`;
}

/** Checks a request, finds its image, and fixes what the container will be. @throws InvalidArgument, or NotFound for the image. */
export async function planContainer(
  parts: ContainerParts,
  containers: { get: (id: string) => Container },
  request: { name: string; sandbox: Sandbox; config: ContainerConfig; sandboxConfig: PodSandboxConfig | undefined; log: Log },
): Promise<CreateRequest> {
  const { sandbox, config } = request;
  checkLabels(config.labels, 'create container');
  checkContainerRequest(config, sandbox, parts.hostFacts(), parts.specSettings().apparmorProfile);
  const asked = config.image?.image ?? '';
  if (asked === '') fail('InvalidArgument', 'create container: config.image is empty, must name an image');
  const image =
    parts.images.resolve(asked) ?? fail('NotFound', `create container: image ${asked} is not present, must be pulled or loaded first`);
  const volumeImages = config.mounts.filter(isImageVolume).map((mount) => volumeImage(parts, mount));
  const id = newContainerId();
  const foreign = foreignPlatform(image.config, await hostPlatform());
  if (foreign !== undefined)
    request.log.warn(`create container: the image is for ${foreign}, its programs may not start here`, { containerId: id });
  const logDirectory = sandbox.record.config.logDirectory;
  return {
    sandbox,
    sandboxConfig: request.sandboxConfig ?? sandbox.record.config,
    image,
    volumeImages,
    targetProcess: targetProcess(containers, sandbox, config),
    record: {
      id,
      name: request.name,
      sandboxId: sandbox.record.id,
      config,
      imageId: image.id,
      imageRef: imageRefOf(image, config.image?.userSpecifiedImage ?? '', asked),
      ...(volumeImages.length === 0 ? {} : { volumeImageIds: volumeImages.map((each) => each.id) }),
      createdAtNs: nowNs(),
      bootId: await bootId(),
      runtimeHandler: sandbox.record.runtimeHandler,
      logPath: config.logPath === '' || logDirectory === '' ? '' : join(logDirectory, config.logPath),
      stopSignal: stopSignal(config.stopSignal, image.config.config?.StopSignal, (words) => {
        request.log.warn(`create container: ${words}`, { containerId: id });
      }),
      cgroupParent: sandbox.record.cgroupParent,
      cgroupsPath: parts.placement.cgroupsPath(sandbox.record.cgroupParent, id),
    },
  };
}

/** The kubelet knows the first word of the failures (cri-api, pkg/errors). */
function volumeImage(parts: ContainerParts, { containerPath, readonly, image: { image } }: Mount & { image: ImageSpec }): ImageRecord {
  const what = `ImageVolumeMountFailed: create container: the mount at ${containerPath} is of image ${image}`;
  if (!readonly) fail('InvalidArgument', `${what} and not readonly, must be readonly`);
  return parts.images.resolve(image) ?? fail('NotFound', `${what}, which is not present, must be pulled or loaded first`);
}

/** The process of the container a debug container looks at; it must run in the same pod. */
function targetProcess(
  containers: { get: (id: string) => Container },
  sandbox: Sandbox,
  config: ContainerConfig,
): ProcessIdentity | undefined {
  const options = config.linux?.securityContext?.namespaceOptions;
  if (options?.pid !== NamespaceMode.TARGET) return undefined;
  const target = containers.get(options.targetId);
  if (target.record.sandboxId !== sandbox.record.id) {
    fail(
      'InvalidArgument',
      `create container: target ${target.record.id} is in pod sandbox ${target.record.sandboxId}, must be in ${sandbox.record.id}`,
    );
  }
  requireState(target, 'exec');
  return target.state.process;
}
