import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAliveState, isContainerRecord, isContainerState, requireState, type ContainerState } from '../../../src/container/container.ts';
import { container, CONTAINER_ID, MADE } from '../../support/objects.ts';

const ENDED = { finishedAtNs: 4_000n, exitCode: 0, reason: 'Completed', message: '' } as const;
const STATES: readonly ContainerState[] = [
  { is: 'Parked', ...MADE },
  { is: 'Created', ...MADE },
  { is: 'Starting', startedAtNs: 3_000n, ...MADE },
  { is: 'Running', startedAtNs: 3_000n, ...MADE },
  { is: 'Exited', ...ENDED, ...MADE },
  { is: 'Removing', ...MADE },
];

test('each action needs its states, and says which', () => {
  const allowed = (action: Parameters<typeof requireState>[1]): string[] =>
    STATES.filter((state) => {
      try {
        requireState(container({ state }), action);
        return true;
      } catch {
        return false;
      }
    }).map(({ is }) => is);
  assert.deepStrictEqual(
    {
      start: allowed('start'),
      exec: allowed('exec'),
      attach: allowed('attach'),
      reopen: allowed('reopen log of'),
      update: allowed('update'),
    },
    { start: ['Created'], exec: ['Running'], attach: ['Running'], reopen: ['Running'], update: ['Created', 'Running'] },
  );
  const exited = container({ state: { is: 'Exited', ...ENDED, ...MADE } });
  assert.throws(() => {
    requireState(exited, 'update');
  }, { kind: 'FailedPrecondition', message: `update container ${CONTAINER_ID}: it is Exited, must be Created or Running` }); // prettier-ignore
});

test('a container may have a process from Parked to Running', () => {
  assert.deepStrictEqual(STATES.filter(isAliveState).map(({ is }) => is), ['Parked', 'Created', 'Starting', 'Running']); // prettier-ignore
});

test('a record that List and Status could not show is none', () => {
  const { record } = container();
  assert.equal(isContainerRecord(record, CONTAINER_ID), true);
  assert.equal(isContainerRecord(record, '0'.repeat(64)), false);
  const without = (change: object): boolean => isContainerRecord({ ...record, ...change }, CONTAINER_ID);
  const broken = [
    null,
    { name: 7 },
    { sandboxId: undefined },
    { config: null },
    { config: {} },
    { config: { ...record.config, labels: null } },
    { config: { ...record.config, mounts: undefined } },
    { imageId: undefined },
    { createdAtNs: 7 },
    { bootId: undefined },
    { runtimeHandler: undefined },
    { logPath: undefined },
    { stopSignal: '15' },
    { cgroupParent: undefined },
    { cgroupsPath: undefined },
  ];
  assert.deepStrictEqual(
    broken.filter((change) => (change === null ? isContainerRecord(null, CONTAINER_ID) : without(change))),
    [],
  );
});

test('a state without its process, monitor or user is none, nor is one of an unknown name', () => {
  assert.deepStrictEqual(STATES.filter((state) => !isContainerState(state)), []); // prettier-ignore
  const broken = [
    null,
    'Running',
    {},
    { is: 'Paused', ...MADE },
    { is: 'Running' },
    ...Object.keys(MADE).map((name) => ({ is: 'Running', ...MADE, [name]: null })),
  ];
  assert.deepStrictEqual(broken.filter(isContainerState), []);
});
