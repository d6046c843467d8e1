import { ContainerEventType } from '../../api/cri/enums.ts';
import type { ContainerEventResponse } from '../../api/cri/runtime.ts';
import { escaped } from '../base/escaped.ts';
import type { CriClient } from './cri-client.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { listObjects, shortId } from './find-object.ts';
import { jsonLine } from './io.ts';
import type { CliIo } from './io.ts';
import { timeText } from './words.ts';

const TYPES: ReadonlyMap<number, string> = new Map([
  [ContainerEventType.CONTAINER_CREATED_EVENT, 'created'],
  [ContainerEventType.CONTAINER_STARTED_EVENT, 'started'],
  [ContainerEventType.CONTAINER_STOPPED_EVENT, 'stopped'],
  [ContainerEventType.CONTAINER_DELETED_EVENT, 'deleted'],
]);

export interface EventView {
  readonly time: string | undefined;
  readonly event: string;
  readonly kind: 'pod' | 'container';
  readonly id: string;
  readonly podId: string;
  readonly namespace: string;
  readonly pod: string;
  /** Undefined for a pod. */
  readonly container: string | undefined;
  /** Of one that has stopped. */
  readonly exitCode: number | undefined;
  readonly reason: string | undefined;
}

/** Prints what happens to pods and containers from now on, until the stream ends. */
export async function printEvents(runtime: CriClient['runtime'], json: boolean, io: CliIo): Promise<void> {
  // The event of a removal comes without what was removed.
  const names = new Map<string, string>();
  const events = runtime.getContainerEvents();
  for (const { id, metadata } of (await listObjects(runtime)).containers) names.set(id, metadata?.name ?? '');
  for await (const event of events) {
    for (const { id, metadata } of event.containersStatuses) names.set(id, metadata?.name ?? '');
    const view = eventView(event, names.get(event.containerId));
    if (view.event === 'deleted') names.delete(view.id);
    io.stdout.write(json ? jsonLine(view) : `${eventText(view)}\n`);
  }
  throw new CliError(EXIT.noDaemon, 'events: the daemon has ended');
}

export function eventView(event: ContainerEventResponse, containerName: string | undefined): EventView {
  const { containerId, containerEventType, createdAt, podSandboxStatus, containersStatuses } = event;
  const isPod = podSandboxStatus?.id === containerId;
  const status = containersStatuses.find(({ id }) => id === containerId);
  const type = TYPES.get(containerEventType) ?? String(containerEventType);
  return {
    time: timeText(createdAt),
    event: type,
    kind: isPod ? 'pod' : 'container',
    id: containerId,
    podId: podSandboxStatus?.id ?? '',
    namespace: podSandboxStatus?.metadata?.namespace ?? '',
    pod: podSandboxStatus?.metadata?.name ?? '',
    container: isPod ? undefined : containerName,
    exitCode: type === 'stopped' ? status?.exitCode : undefined,
    reason: type === 'stopped' && status?.reason !== '' ? status?.reason : undefined,
  };
}

function eventText({ time, event, kind, id, namespace, pod, container, exitCode, reason }: EventView): string {
  const name = [namespace, pod, ...(container === undefined ? [] : [container])].join('/');
  const end = exitCode === undefined ? '' : `  exit ${exitCode}${reason === undefined ? '' : ` ${reason}`}`;
  return escaped(`${time ?? '-'}  ${event}  ${kind.padEnd(9)}  ${shortId(id)}  ${name === '/' ? '-' : name}${end}`);
}
