import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';
import { fromJson, toJson } from '../../../src/base/json.ts';
import { readSandboxRecord, readSandboxState, requireReady, sandboxName, type SandboxState } from '../../../src/podsandbox/sandbox.ts';
import { sandbox, SANDBOX_ID } from '../../support/objects.ts';

const ALIVE = { network: { ips: [] }, ownsCgroup: true };
const STATES: readonly SandboxState[] = [
  { is: 'Parked', ...ALIVE },
  { is: 'Ready', ...ALIVE },
  { is: 'Lost', reason: 'the node was restarted', ...ALIVE },
  { is: 'Stopping', ...ALIVE },
  { is: 'NotReady', ...ALIVE },
  { is: 'Removing', ...ALIVE },
];

test('the identity of a request is name, namespace, uid and attempt', () => {
  assert.equal(sandboxName({ name: 'web-0', namespace: 'shop', uid: 'u-1', attempt: 2 }), 'k8s_web-0_shop_u-1_2');
});

test('only a Ready sandbox takes containers and port-forwards', () => {
  for (const state of STATES) {
    const ask = (): void => {
      requireReady(sandbox({ state }), 'create container');
    };
    if (state.is === 'Ready') assert.doesNotThrow(ask);
    else
      assert.throws(ask, {
        kind: 'FailedPrecondition',
        message: `create container: pod sandbox ${SANDBOX_ID} is ${state.is}, must be Ready`,
      });
  }
});

const onDisk = (data: unknown): Field => new Field(data === undefined ? data : fromJson(toJson(data)), '');

test('a record comes back as it was, with what a later version added', () => {
  const { record } = sandbox();
  for (const changes of [{}, { askedHandler: '' }, { added: 1 }]) {
    const written = { ...record, ...changes };
    assert.deepStrictEqual(readSandboxRecord(onDisk(written), SANDBOX_ID), written);
  }
});

test('a record that List and Status could not show is none, and its field is named', () => {
  const { record } = sandbox();
  const broken: [object, RegExp][] = [
    ...['name', 'config', 'runtimeHandler', 'createdAtNs', 'bootId', 'hostname', 'cgroupParent'].map((name): [object, RegExp] => [
      { [name]: null },
      new RegExp(`^${name}: must be .*, is null$`),
    ]),
    [{ id: '0'.repeat(64) }, /^id: must be 5{64}, is "0{64}"$/],
    [{ namespaces: null }, /^namespaces: must be an object, is null$/],
    [{ namespaces: { ...record.namespaces, pid: 'other' } }, /^namespaces\.pid: must be one of pod, node, container, is "other"$/],
    [{ config: { ...record.config, metadata: undefined } }, /^config\.metadata: must be an object, is missing$/],
    [{ config: { ...record.config, labels: null } }, /^config\.labels: must be an object, is null$/],
    [{ config: { ...record.config, annotations: 'none' } }, /^config\.annotations: must be an object, is "none"$/],
    [
      { config: { ...record.config, portMappings: [{ hostPort: '80' }] } },
      /^config\.portMappings\[0\]\.hostPort: must be a number, is "80"$/,
    ],
  ];
  for (const [change, message] of broken) assert.throws(() => readSandboxRecord(onDisk({ ...record, ...change }), SANDBOX_ID), { message });
  for (const data of [null, undefined, 7]) assert.throws(() => readSandboxRecord(onDisk(data), SANDBOX_ID), /: must be an object/);
});

test('a record of before a field of the CRI was there has its default', () => {
  const { record } = sandbox();
  const { portMappings: _list, labels: _map, hostname: _text, ...config } = record.config;
  assert.deepStrictEqual(readSandboxRecord(onDisk({ ...record, config }), SANDBOX_ID).config, {
    ...record.config,
    portMappings: [],
    labels: {},
    hostname: '',
  });
});

test('a state of an unknown name, or without its network, is none', () => {
  const process = { pid: 7, startTime: '1', bootId: 'boot-1' };
  for (const state of [...STATES, { ...STATES[0], infra: { process, monitor: process } }])
    assert.deepStrictEqual(readSandboxState(onDisk(state)), state);
  const broken: [unknown, RegExp][] = [
    [null, /^must be an object, is null$/],
    ['Ready', /^must be an object, is "Ready"$/],
    [{}, /^is: must be one of Parked, .*, is missing$/],
    [{ is: 'Paused', ...ALIVE }, /^is: must be one of .*, is "Paused"$/],
    [{ is: 'Ready' }, /^network: must be an object, is missing$/],
    [{ is: 'Ready', network: null }, /^network: must be an object, is null$/],
    [{ is: 'Ready', network: {} }, /^network\.ips: must be a list, is missing$/],
    [{ is: 'Ready', ...ALIVE, infra: {} }, /^infra\.process: must be an object, is missing$/],
  ];
  for (const [state, message] of broken) assert.throws(() => readSandboxState(onDisk(state)), { message });
});
