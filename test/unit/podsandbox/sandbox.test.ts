import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSandboxRecord, isSandboxState, requireReady, sandboxName, type SandboxState } from '../../../src/podsandbox/sandbox.ts';
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

test('a record that List and Status could not show is none', () => {
  const { record } = sandbox();
  assert.equal(isSandboxRecord(record, SANDBOX_ID), true);
  assert.equal(isSandboxRecord(record, '0'.repeat(64)), false);
  assert.equal(isSandboxRecord(null, SANDBOX_ID), false);
  const broken = [
    ...['name', 'config', 'runtimeHandler', 'createdAtNs', 'bootId', 'namespaces', 'hostname', 'cgroupParent'].map((name) => ({
      [name]: null,
    })),
    { config: { ...record.config, metadata: undefined } },
    { config: { ...record.config, labels: null } },
    { config: { ...record.config, annotations: 'none' } },
  ];
  assert.deepStrictEqual(broken.filter((change) => isSandboxRecord({ ...record, ...change }, SANDBOX_ID)), []); // prettier-ignore
});

test('a state of an unknown name, or without its network, is none', () => {
  assert.deepStrictEqual(STATES.filter((state) => !isSandboxState(state)), []); // prettier-ignore
  const broken = [
    null,
    'Ready',
    {},
    { is: 'Paused', ...ALIVE },
    { is: 'Ready' },
    { is: 'Ready', network: null },
    { is: 'Ready', network: {} },
  ];
  assert.deepStrictEqual(broken.filter(isSandboxState), []);
});
