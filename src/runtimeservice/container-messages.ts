import { ContainerState as CriState } from '../../api/cri/enums.ts';
import type { Container as ContainerMessage, ContainerFilter, ContainerStatus, Init } from '../../api/cri/runtime.ts';
import { keptPerState } from '../base/kept-messages.ts';
import { mountsOf, type Container, type ContainerRecord, type ContainerState } from '../container/container.ts';
import { criSignal } from '../container/stop-signal.ts';
import { hasLabels } from './labels.ts';
import type { RuntimeServiceParts } from './parts.ts';

export function containerState(state: ContainerState): CriState {
  switch (state.is) {
    case 'Parked':
    case 'Created':
      return CriState.CONTAINER_CREATED;
    case 'Starting':
    case 'Running':
      return CriState.CONTAINER_RUNNING;
    case 'Exited':
      return CriState.CONTAINER_EXITED;
    case 'Removing':
      return state.exitCode === undefined ? CriState.CONTAINER_UNKNOWN : CriState.CONTAINER_EXITED;
  }
}

/** A container as List answers it. */
export const containerMessage = keptPerState(({ record, state }: Container): Init<ContainerMessage> => ({
  id: record.id,
  podSandboxId: record.sandboxId,
  metadata: record.config.metadata,
  image: record.config.image,
  imageRef: record.imageRef,
  imageId: record.imageId,
  state: containerState(state),
  createdAt: record.createdAtNs,
  labels: record.config.labels,
  annotations: record.config.annotations,
}));

/** A container as ContainerStatus answers it. The kubelet refuses one without id, name, created_at, image and image_ref. */
export function containerStatusMessage(
  parts: Pick<RuntimeServiceParts, 'containers'>,
  { record, state }: Container,
): Init<ContainerStatus> {
  const ended = state.is === 'Exited' || state.is === 'Removing' ? state : undefined;
  return {
    id: record.id,
    metadata: record.config.metadata,
    state: containerState(state),
    createdAt: record.createdAtNs,
    startedAt: 'startedAtNs' in state ? (state.startedAtNs ?? 0n) : 0n,
    finishedAt: ended?.finishedAtNs ?? 0n,
    exitCode: ended?.exitCode ?? 0,
    reason: ended?.reason ?? '',
    message: ended?.message ?? '',
    image: imageSpec(parts, record),
    imageRef: record.imageRef,
    imageId: record.imageId,
    labels: record.config.labels,
    annotations: record.config.annotations,
    // The kubelet finds the termination log by its container path, so the request comes back as it was.
    mounts: mountsOf(record),
    logPath: record.logPath,
    resources: { linux: state.resources },
    user: {
      linux: {
        uid: BigInt(state.user.uid),
        gid: BigInt(state.user.gid),
        supplementalGroups: state.user.additionalGids.map((gid) => BigInt(gid)),
      },
    },
    stopSignal: criSignal(record.stopSignal),
  };
}

/** The statuses of all containers of a pod that callers may see. */
export function containerStatusMessages(parts: Pick<RuntimeServiceParts, 'containers'>, sandboxId: string): Init<ContainerStatus>[] {
  const ofPod = parts.containers.list().filter(({ record }) => record.sandboxId === sandboxId);
  return ofPod.map((container) => containerStatusMessage(parts, container));
}

/** The image as the request named it. Where that is an id, a name of the image is given, which tells people more. */
export function imageSpec(
  { containers }: Pick<RuntimeServiceParts, 'containers'>,
  record: ContainerRecord,
): Init<ContainerMessage['image']> {
  const asked = record.config.image;
  const name = asked?.userSpecifiedImage === '' || asked?.userSpecifiedImage === undefined ? asked?.image : asked.userSpecifiedImage;
  if (name !== undefined && name !== record.imageId) return { ...asked, image: name };
  return { ...asked, image: containers.imageOf(record)?.names[0] ?? record.imageId };
}

/** Whether a container is one of those asked for: id prefix, sandbox, state and labels, all of them. */
export function containerMatches(container: Container, filter: ContainerFilter | undefined): boolean {
  if (filter === undefined) return true;
  const { record, state } = container;
  if (filter.id !== '' && !record.id.startsWith(filter.id)) return false;
  if (filter.podSandboxId !== '' && !record.sandboxId.startsWith(filter.podSandboxId)) return false;
  if (filter.state !== undefined && filter.state.state !== containerState(state)) return false;
  return hasLabels(record.config.labels, filter.labelSelector);
}
