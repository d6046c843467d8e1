import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';
import { fromJson, toJson } from '../../../src/base/json.ts';
import {
  isAliveState,
  readContainerRecord,
  readContainerState,
  requireState,
  type ContainerRecord,
  type ContainerState,
} from '../../../src/container/container.ts';
import { container, CONTAINER_ID, MADE } from '../../support/objects.ts';
import { resources } from '../../support/spec-inputs.ts';

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

const onDisk = (data: unknown): Field => new Field(data === undefined ? data : fromJson(toJson(data)), '');

test('a record comes back as it was, with what a later version added', () => {
  const { record } = container();
  for (const changes of [{}, { volumeImageIds: [record.imageId] }, { added: [1n] }]) {
    const written = { ...record, ...changes };
    assert.deepStrictEqual(readContainerRecord(onDisk(written), CONTAINER_ID), written);
  }
});

test('a record that List and Status could not show is none, and its field is named', () => {
  const { record } = container();
  const read = (change: object): ContainerRecord => readContainerRecord(onDisk({ ...record, ...change }), CONTAINER_ID);
  const broken: [object, RegExp][] = [
    [{ id: '0'.repeat(64) }, /^id: must be c{64}, is "0{64}"$/],
    [{ name: 7 }, /^name: must be text, is 7$/],
    [{ sandboxId: undefined }, /^sandboxId: must be text, is missing$/],
    [{ config: null }, /^config: must be an object, is null$/],
    [{ config: {} }, /^config\.metadata: must be an object, is missing$/],
    [{ config: { ...record.config, labels: null } }, /^config\.labels: must be an object, is null$/],
    [{ config: { ...record.config, mounts: null } }, /^config\.mounts: must be a list, is null$/],
    [{ imageId: undefined }, /^imageId: must be text, is missing$/],
    [{ volumeImageIds: 'x' }, /^volumeImageIds: must be a list, is "x"$/],
    [{ createdAtNs: 7 }, /^createdAtNs: must be a 64-bit number, is 7$/],
    [{ bootId: undefined }, /^bootId: /],
    [{ runtimeHandler: undefined }, /^runtimeHandler: /],
    [{ logPath: undefined }, /^logPath: /],
    [{ stopSignal: '15' }, /^stopSignal: must be a number, is "15"$/],
    [{ cgroupParent: undefined }, /^cgroupParent: /],
    [{ cgroupsPath: undefined }, /^cgroupsPath: /],
  ];
  for (const [change, message] of broken) assert.throws(() => read(change), { message });
  for (const data of [null, undefined, 'x', []])
    assert.throws(() => readContainerRecord(onDisk(data), CONTAINER_ID), /: must be an object/);
});

test('a record of before a field of the CRI was there has its default', () => {
  const { record } = container();
  const { cdiDevices: _list, labels: _map, stdin: _flag, ...config } = record.config;
  assert.deepStrictEqual(readContainerRecord(onDisk({ ...record, config }), CONTAINER_ID).config, {
    ...record.config,
    cdiDevices: [],
    labels: {},
    stdin: false,
  });
});

test('each state comes back as it was, its resources with what they lacked', () => {
  for (const state of STATES) assert.deepStrictEqual(readContainerState(onDisk(state)), state);
  const ended = { is: 'Removing', ...ENDED, startedAtNs: 1n, ...MADE } as const;
  assert.deepStrictEqual(readContainerState(onDisk(ended)), ended);
  const moved = { ...ended, chosenCgroup: '/chosen' };
  assert.deepStrictEqual(readContainerState(onDisk(moved)), moved);
  assert.throws(() => readContainerState(onDisk({ ...ended, chosenCgroup: 7 })), /^.*chosenCgroup: must be text, is 7$/);
  const { unified: _map, hugepageLimits: _list, ...older } = resources({ cpuQuota: 5n });
  assert.deepStrictEqual(readContainerState(onDisk({ ...STATES[1], resources: older })).resources, resources({ cpuQuota: 5n }));
});

test('a state without its process, monitor or user is none, nor is one of an unknown name', () => {
  const broken: [unknown, RegExp][] = [
    [null, /^must be an object, is null$/],
    ['Running', /^must be an object, is "Running"$/],
    [{}, /^is: must be one of Parked, .*, is missing$/],
    [{ is: 'Paused', ...MADE }, /^is: must be one of .*, is "Paused"$/],
    [{ is: 'Running', startedAtNs: 1n }, /^user\b|^process\b/],
    [{ is: 'Running', ...MADE }, /^startedAtNs: must be a 64-bit number, is missing$/],
    [{ is: 'Exited', ...ENDED, ...MADE, exitCode: '0' }, /^exitCode: must be a number, is "0"$/],
    ...Object.keys(MADE).map((name): [unknown, RegExp] => [
      { is: 'Created', ...MADE, [name]: null },
      new RegExp(`^${name}: must be an object, is null$`),
    ]),
  ];
  for (const [state, message] of broken) assert.throws(() => readContainerState(onDisk(state)), { message });
});
