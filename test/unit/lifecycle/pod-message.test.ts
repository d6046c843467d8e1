import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LinuxContainerResources } from '../../../api/cri/runtime.ts';
import { messages } from '../../../api/cri/runtime.ts';
import { podMessage } from '../../../src/lifecycle/pod-message.ts';
import type { SandboxState } from '../../../src/podsandbox/sandbox.ts';
import { GONE, sandbox, SANDBOX_ID } from '../../support/objects.ts';

const NAMESPACES = [{ type: 'network', path: '/run/ns/net' }, { type: 'pid' }, { type: 'mount' }] as const;
const sandboxes = {
  runtimeSpec: () =>
    Promise.resolve({ linux: { namespaces: NAMESPACES, cgroupsPath: '/kubepods/pod1/infra', resources: { pids: { limit: 7 } } } }),
};
const bytes = (memoryLimitInBytes: bigint): LinuxContainerResources =>
  messages.LinuxContainerResources.decode(messages.LinuxContainerResources.encode({ memoryLimitInBytes }));

const READY = { is: 'Ready', network: { ips: ['10.1.0.7', 'fd00::7'] }, ownsCgroup: true } as const satisfies SandboxState;
const init = {
  annotations: { 'example.org/note': 'n' },
  linux: { cgroupParent: '/kubepods/pod1', overhead: bytes(1n), resources: bytes(2n) },
};

test('a pod as plugins see it: what the CRI told, its addresses, its namespaces and its infra process', async () => {
  const infra = { process: { ...GONE, pid: 77 }, monitor: GONE };
  const { linux, ...pod } = await podMessage(sandboxes, sandbox({ init, state: { ...READY, infra } }));
  assert.deepStrictEqual(pod, {
    id: SANDBOX_ID,
    name: 'web-0',
    uid: 'u-1',
    namespace: 'shop',
    labels: { app: 'web', tier: 'front' },
    annotations: { 'example.org/note': 'n' },
    runtimeHandler: 'runc',
    pid: 77,
    ips: ['10.1.0.7', 'fd00::7'],
  });
  assert.deepStrictEqual(linux?.namespaces, [
    { type: 'network', path: '/run/ns/net' },
    { type: 'pid', path: '/proc/77/ns/pid' },
    { type: 'mount', path: '' },
  ]);
  assert.deepStrictEqual(
    [linux.cgroupParent, linux.cgroupsPath, linux.resources?.pids],
    ['/kubepods/pod1', '/kubepods/pod1/infra', { limit: 7n }],
  );
  assert.deepStrictEqual([linux.podOverhead?.memory?.limit, linux.podResources?.memory?.limit], [{ value: 1n }, { value: 2n }]);
});

test('the needs of a pod are those that the kubelet told last', async () => {
  const { linux } = await podMessage(sandboxes, sandbox({ init, state: { ...READY, resources: { resources: bytes(3n) } } }));
  assert.deepStrictEqual([linux?.podOverhead?.memory?.limit, linux?.podResources?.memory?.limit], [{ value: 1n }, { value: 3n }]);
});

test('a pod that is taken down has no namespaces and no process', async () => {
  const infra = { process: { ...GONE, pid: 77 }, monitor: GONE };
  const { linux, pid } = await podMessage(sandboxes, sandbox({ init, state: { ...READY, infra, is: 'NotReady' } }));
  assert.deepStrictEqual([linux?.namespaces, pid], [[], 0]);
});
