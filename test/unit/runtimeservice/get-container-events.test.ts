import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerEventType } from '../../../api/cri/enums.ts';
import type { ContainerEventResponse, Init } from '../../../api/cri/runtime.ts';
import type { Call } from '../../../src/base/call.ts';
import { DaemonError } from '../../../src/base/errors.ts';
import type { Change } from '../../../src/base/object-store.ts';
import type { ContainerRecord, ContainerState } from '../../../src/container/container.ts';
import type { SandboxRecord, SandboxState } from '../../../src/podsandbox/sandbox.ts';
import { containerEvents, getContainerEvents, sandboxEvents } from '../../../src/runtimeservice/get-container-events.ts';
import type { RuntimeServiceParts } from '../../../src/runtimeservice/parts.ts';
import { container, MADE, sandbox } from '../../support/objects.ts';

const { CONTAINER_CREATED_EVENT: CREATED, CONTAINER_STARTED_EVENT: STARTED, CONTAINER_STOPPED_EVENT: STOPPED, CONTAINER_DELETED_EVENT: DELETED } = ContainerEventType; // prettier-ignore
const CONTAINER = container();
const SANDBOX = sandbox();

const state = (is: 'Parked' | 'Created' | 'Starting' | 'Running' | 'Exited' | 'Removing'): ContainerState => {
  if (is === 'Exited') return { is, ...MADE, startedAtNs: 1n, finishedAtNs: 2n, exitCode: 0, reason: 'Completed', message: '' };
  return is === 'Parked' || is === 'Created' || is === 'Removing' ? { is, ...MADE } : { is, ...MADE, startedAtNs: 1n };
};

test('each step of a container is told once, whatever states lie between; a parked one is not there', () => {
  const steps: readonly [Parameters<typeof state>[0] | undefined, Parameters<typeof state>[0] | undefined, ContainerEventType[]][] = [
    [undefined, 'Created', [CREATED]],
    [undefined, 'Parked', []],
    ['Parked', 'Created', [CREATED]],
    ['Parked', undefined, []],
    ['Created', 'Starting', []],
    ['Starting', 'Running', [STARTED]],
    ['Running', 'Running', []],
    ['Running', 'Exited', [STOPPED]],
    ['Created', 'Exited', [STOPPED]],
    ['Exited', 'Removing', []],
    ['Removing', undefined, [DELETED]],
  ];
  for (const [before, after, events] of steps) {
    const change = { record: CONTAINER.record, before: before && state(before), after: after && state(after) };
    assert.deepStrictEqual(containerEvents(change), events, `${before} -> ${after}`);
  }
});

test('each step of a sandbox is told once', () => {
  const of = (is: SandboxState['is'] | undefined): SandboxState | undefined => {
    if (is === undefined) return undefined;
    return is === 'Lost' ? { ...SANDBOX.state, is, reason: 'gone' } : { ...SANDBOX.state, is };
  };
  const steps: readonly [SandboxState['is'] | undefined, SandboxState['is'] | undefined, ContainerEventType[]][] = [
    [undefined, 'Ready', [CREATED, STARTED]],
    ['Parked', 'Ready', [CREATED, STARTED]],
    ['Ready', 'Stopping', []],
    ['Stopping', 'NotReady', [STOPPED]],
    ['Ready', 'Lost', [STOPPED]],
    ['Lost', 'Stopping', []],
    ['NotReady', 'Removing', []],
    ['Removing', undefined, [DELETED]],
  ];
  for (const [before, after, events] of steps) {
    assert.deepStrictEqual(
      sandboxEvents({ record: SANDBOX.record, before: of(before), after: of(after) }),
      events,
      `${before} -> ${after}`,
    );
  }
});

function eventOf({ done, value }: IteratorResult<Init<ContainerEventResponse>, unknown>): Init<ContainerEventResponse> | undefined {
  return done === true ? undefined : value;
}

/** Stores that only tell of changes, and what tells them. */
function stores() {
  let tell: (change: Change<ContainerRecord, ContainerState>) => void = () => undefined;
  let tellSandbox: (change: Change<SandboxRecord, SandboxState>) => void = () => undefined;
  const parts = {
    containers: {
      list: () => [],
      store: {
        onChange: (listener: typeof tell) => {
          tell = listener;
        },
      },
    },
    sandboxes: {
      store: {
        get: () => SANDBOX,
        onChange: (listener: typeof tellSandbox) => {
          tellSandbox = listener;
        },
      },
    },
  } as unknown as RuntimeServiceParts;
  return {
    parts,
    created: () => {
      tell({ record: CONTAINER.record, before: undefined, after: state('Created') });
    },
    tellSandbox: () => tellSandbox,
  };
}

function eventsOf(parts: ReturnType<typeof stores>['parts'], signal: AbortSignal, mostWaiting?: number) {
  const stream = getContainerEvents(parts, mostWaiting)({}, { signal } as Call);
  assert.ok(Symbol.asyncIterator in stream);
  return stream[Symbol.asyncIterator]();
}

test('a client that does not read gets what fits, and is then told that it lost events', async () => {
  const { parts, created } = stores();
  const stream = eventsOf(parts, new AbortController().signal, 3);
  const first = stream.next();
  created();
  assert.equal(eventOf(await first)?.containerId, CONTAINER.record.id);
  for (let count = 0; count < 5; count += 1) created();
  for (let count = 0; count < 3; count += 1) assert.equal(eventOf(await stream.next())?.podSandboxStatus?.metadata?.uid, 'u-1');
  await assert.rejects(stream.next(), { kind: 'Unavailable', message: /more than 3 were not read in time.*list/ });
  created();
  assert.equal((await stream.next()).done, true);
});

test('a stream ends with its call, also while it waits', async () => {
  const { parts, created } = stores();
  const controller = new AbortController();
  const stream = eventsOf(parts, controller.signal);
  const first = stream.next();
  created();
  await first;
  const next = stream.next();
  controller.abort(new DaemonError('Unavailable', 'podwright is stopping'));
  await assert.rejects(next, /is stopping/);
});

test('a removed sandbox is told with what it was', async () => {
  const { parts, tellSandbox } = stores();
  const stream = eventsOf(parts, new AbortController().signal);
  const next = stream.next();
  tellSandbox()({ record: SANDBOX.record, before: { ...SANDBOX.state, is: 'Removing' }, after: undefined });
  const event = eventOf(await next);
  assert.deepStrictEqual([event?.containerId, event?.containerEventType, event?.podSandboxStatus?.metadata?.uid], [SANDBOX.record.id, DELETED, 'u-1']); // prettier-ignore
});
