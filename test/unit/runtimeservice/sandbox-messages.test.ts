import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode, PodSandboxState } from '../../../api/cri/enums.ts';
import type { PodSandboxFilter } from '../../../api/cri/runtime.ts';
import type { SandboxState } from '../../../src/podsandbox/sandbox.ts';
import { podSandbox, podSandboxStatus, sandboxMatches, sandboxState } from '../../../src/runtimeservice/sandbox-messages.ts';
import { sandbox, SANDBOX_ID } from '../../support/objects.ts';

const ALIVE = { network: { ips: [] }, ownsCgroup: false };
const NOTHING: PodSandboxFilter = { id: '', state: undefined, labelSelector: {} };

test('a sandbox is READY only while it is Ready', () => {
  const states: SandboxState[] = [
    { is: 'Ready', ...ALIVE },
    ...(['Parked', 'Stopping', 'NotReady', 'Removing'] as const).map((is) => ({ is, ...ALIVE })),
    { is: 'Lost', reason: 'r', ...ALIVE },
  ];
  const ready = states.filter((state) => sandboxState(sandbox({ state })) === PodSandboxState.SANDBOX_READY);
  assert.deepStrictEqual(ready.map(({ is }) => is), ['Ready']); // prettier-ignore
});

test('List gives back what was asked for, untouched', () => {
  const annotations = { 'a/b': '{"x": "\\u00e9"}', empty: '' };
  const it = sandbox({ init: { metadata: { name: 'n', namespace: 'ns', uid: 'u', attempt: 7 }, annotations } });
  assert.deepStrictEqual(podSandbox(it), {
    id: SANDBOX_ID,
    metadata: { name: 'n', namespace: 'ns', uid: 'u', attempt: 7 },
    state: PodSandboxState.SANDBOX_READY,
    createdAt: 1_000n,
    labels: { app: 'web', tier: 'front' },
    annotations,
    runtimeHandler: 'runc',
  });
});

test('Status has the first address as ip and the others beside it, and the namespace options of the request', () => {
  const namespaceOptions = { network: NamespaceMode.POD, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.NODE };
  const { network, linux } = podSandboxStatus(sandbox({ init: { linux: { securityContext: { namespaceOptions } } } }));
  assert.deepStrictEqual(network, { ip: '10.1.0.7', additionalIps: [{ ip: 'fd00::7' }] });
  const { network: net, pid, ipc } = linux?.namespaces?.options ?? {};
  assert.deepStrictEqual({ network: net, pid, ipc }, namespaceOptions);
});

test('Status always has namespace options, and no address of a pod on the network of the node', () => {
  const { network, linux } = podSandboxStatus(sandbox({ state: { is: 'Ready', ...ALIVE } }));
  assert.deepStrictEqual(network, { ip: '', additionalIps: [] });
  assert.deepStrictEqual(linux?.namespaces?.options, { network: NamespaceMode.POD, pid: NamespaceMode.POD, ipc: NamespaceMode.POD });
});

test('a filter takes what matches in id prefix, state and all labels', () => {
  const matches = (filter: Partial<PodSandboxFilter>): boolean => sandboxMatches(sandbox(), { ...NOTHING, ...filter });
  assert.equal(sandboxMatches(sandbox(), undefined), true);
  assert.deepStrictEqual(
    [
      matches({}),
      matches({ id: SANDBOX_ID }),
      matches({ id: SANDBOX_ID.slice(0, 5) }),
      matches({ state: { state: PodSandboxState.SANDBOX_READY } }),
      matches({ labelSelector: { app: 'web' } }),
      matches({ id: '5', state: { state: PodSandboxState.SANDBOX_READY }, labelSelector: { app: 'web', tier: 'front' } }),
    ],
    Array(6).fill(true),
  );
  assert.deepStrictEqual(
    [
      matches({ id: `${SANDBOX_ID}5` }),
      matches({ id: 'x' }),
      matches({ state: { state: PodSandboxState.SANDBOX_NOTREADY } }),
      matches({ labelSelector: { app: 'db' } }),
      matches({ labelSelector: { app: 'web', absent: '' } }),
      matches({ id: '5', labelSelector: { app: 'db' } }),
    ],
    Array(6).fill(false),
  );
});
