import { ContainerEventType } from '../../api/cri/enums.ts';
import type { ContainerEventResponse, Init } from '../../api/cri/runtime.ts';
import { reasonOf } from '../base/deadline.ts';
import { DaemonError } from '../base/errors.ts';
import type { Change } from '../base/object-store.ts';
import { nowNs } from '../base/time.ts';
import { isAliveState, type ContainerRecord, type ContainerState } from '../container/container.ts';
import { isBeingRestored, type Sandbox, type SandboxRecord, type SandboxState } from '../podsandbox/sandbox.ts';
import { containerStatusMessages } from './container-messages.ts';
import type { RuntimeServiceHandlers } from './handlers.ts';
import type { RuntimeServiceParts } from './parts.ts';
import { podSandboxStatus } from './sandbox-messages.ts';

/** Most events that may wait for a client. One that has more waiting is told to start again. */
const MOST_WAITING = 1000;

type Event = Init<ContainerEventResponse>;
type Parts = Pick<RuntimeServiceParts, 'sandboxes' | 'containers' | 'onEventLost'>;

/**
 * The events of containers, and of sandboxes under their own ids, from now on. They come from the changes of records, so code
 * that makes a change cannot forget to tell. Costs nothing while nobody listens.
 */
export function getContainerEvents(parts: Parts, mostWaiting = MOST_WAITING): RuntimeServiceHandlers['getContainerEvents'] {
  const clients = new Set<Client>();
  const tell = (id: string, types: readonly ContainerEventType[], sandbox: () => Sandbox | undefined): void => {
    if (clients.size === 0) return;
    for (const type of types) {
      const event = eventOf(parts, id, type, sandbox());
      for (const client of clients) if (!client.take(event)) parts.onEventLost?.();
    }
  };
  parts.containers.store.onChange((change) => {
    const sandbox = parts.sandboxes.store.get(change.record.sandboxId);
    if (!isBeingRestored(sandbox?.state)) tell(change.record.id, containerEvents(change), () => sandbox);
  });
  parts.sandboxes.store.onChange((change) => {
    const { record, before, after } = change;
    const state = after ?? before;
    const sandbox = state && { record, state };
    tell(record.id, sandboxEvents(change), () => sandbox);
    if (!isBeingRestored(before) || isBeingRestored(after) || after === undefined) return;
    // Its containers have come into sight with it.
    for (const container of parts.containers.ofSandbox(record.id))
      tell(container.record.id, containerEvents({ record: container.record, before: undefined, after: container.state }), () => sandbox);
  });
  return async function* (_request, call) {
    const client = new Client(call.signal, mostWaiting);
    clients.add(client);
    try {
      for (;;) yield await client.next();
    } finally {
      clients.delete(client);
    }
  };
}

/** One reader of the stream, and what waits for it. */
class Client {
  readonly #waiting: Event[] = [];
  readonly #signal: AbortSignal;
  readonly #most: number;
  #lost = false;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal, most: number) {
    this.#signal = signal;
    this.#most = most;
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  /** @returns false where it is lost. */
  take(event: Event): boolean {
    if (!this.#lost && this.#waiting.length < this.#most) this.#waiting.push(event);
    else this.#lost = true;
    this.#wake?.();
    return !this.#lost;
  }

  /** @throws Unavailable where events were lost, after those before them were given: the client then lists, and asks again. */
  async next(): Promise<Event> {
    for (;;) {
      if (this.#signal.aborted) throw reasonOf(this.#signal);
      const event = this.#waiting.shift();
      if (event !== undefined) return event;
      if (this.#lost) {
        throw new DaemonError(
          'Unavailable',
          `get container events: more than ${this.#most} were not read in time and are lost; list, and ask again`,
        );
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** With the pod as it is after the event; of a sandbox that is removed, as it was before. */
function eventOf(parts: Parts, id: string, type: ContainerEventType, sandbox: Sandbox | undefined): Event {
  return {
    containerId: id,
    containerEventType: type,
    createdAt: nowNs(),
    podSandboxStatus: sandbox === undefined ? undefined : podSandboxStatus(sandbox),
    containersStatuses: sandbox === undefined ? [] : containerStatusMessages(parts, sandbox.record.id),
  };
}

/** What a change of a container's record is to a client. */
export function containerEvents(change: Change<ContainerRecord, ContainerState>): ContainerEventType[] {
  return eventsOf(
    change,
    (state) => state.is === 'Running',
    (state) => !isAliveState(state),
  );
}

/** The same for a sandbox: it is created and started at once, and stopped when nothing of it is held any more, or it is lost. */
export function sandboxEvents({ record, before, after }: Change<SandboxRecord, SandboxState>): ContainerEventType[] {
  const seen = (state: SandboxState | undefined): SandboxState | undefined => (isBeingRestored(state) ? undefined : state);
  return eventsOf(
    { record, before: seen(before), after: seen(after) },
    (state) => state.is === 'Ready',
    (state) => state.is === 'NotReady' || state.is === 'Lost' || state.is === 'Removing',
  );
}

/** A Parked object is not there for a client. */
function eventsOf<R, S extends { readonly is: string }>(
  { before, after }: Change<R, S>,
  runs: (state: S) => boolean,
  isOver: (state: S) => boolean,
): ContainerEventType[] {
  const was = before?.is === 'Parked' ? undefined : before;
  const is = after?.is === 'Parked' ? undefined : after;
  if (is === undefined) return was === undefined ? [] : [ContainerEventType.CONTAINER_DELETED_EVENT];
  const begins = (holds: (state: S) => boolean): boolean => holds(is) && (was === undefined || !holds(was));
  return [
    ...(was === undefined ? [ContainerEventType.CONTAINER_CREATED_EVENT] : []),
    ...(begins(runs) ? [ContainerEventType.CONTAINER_STARTED_EVENT] : []),
    ...(begins(isOver) ? [ContainerEventType.CONTAINER_STOPPED_EVENT] : []),
  ];
}
