import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NamespaceMode } from '../../../api/cri/enums.ts';
import type { Init, NamespaceOption } from '../../../api/cri/runtime.ts';
import { fail } from '../../../src/base/errors.ts';
import type { Container } from '../../../src/container/container.ts';
import { planPidNamespace, type PidNamespace } from '../../../src/container/pid-namespace.ts';
import type { Sandbox } from '../../../src/podsandbox/sandbox.ts';
import { containerConfig, sandboxConfig } from '../../support/spec-inputs.ts';

const INFRA = { pid: 7, startTime: '70', bootId: 'b' };
const TARGET = { pid: 8, startTime: '80', bootId: 'b' };

const sandboxOf = (pid: 'pod' | 'node' | 'container', mode: number): Sandbox =>
  ({
    record: {
      id: 's1',
      namespaces: { net: 'pod', ipc: 'pod', pid },
      config: sandboxConfig({ linux: { securityContext: { namespaceOptions: { pid: mode } } } }),
    },
    state: { infra: pid === 'pod' ? { process: INFRA, monitor: INFRA } : undefined },
  }) as unknown as Sandbox;
const SHARED = sandboxOf('pod', NamespaceMode.POD);
const APART = sandboxOf('container', NamespaceMode.CONTAINER);
const ON_NODE = sandboxOf('node', NamespaceMode.NODE);

const container = (sandboxId: string, is: string): Container =>
  ({ record: { id: 'c1', sandboxId }, state: { is, process: TARGET } }) as unknown as Container;

function plan(sandbox: Sandbox, options: Init<NamespaceOption> | undefined, target?: Container): PidNamespace {
  const config = containerConfig({ linux: { securityContext: options === undefined ? {} : { namespaceOptions: options } } });
  return planPidNamespace(config, sandbox, { get: (id) => target ?? fail('NotFound', `container ${id}: not found`) });
}

test('without a word a container has the PID namespace that its pod was made for', () => {
  assert.deepStrictEqual([SHARED, APART, ON_NODE].map((sandbox) => plan(sandbox, undefined)), [INFRA, 'new', 'host']); // prettier-ignore
});

test('each mode is the namespace it names, where the pod allows it', () => {
  assert.deepStrictEqual(
    [
      plan(SHARED, { pid: NamespaceMode.POD }),
      plan(SHARED, { pid: NamespaceMode.CONTAINER }),
      plan(ON_NODE, { pid: NamespaceMode.NODE }),
      plan(APART, { pid: NamespaceMode.TARGET, targetId: 'c1' }, container('s1', 'Running')),
    ],
    [INFRA, 'new', 'host', TARGET],
  );
  const refused = (sandbox: Sandbox, pid: number, message: RegExp): void => {
    assert.throws(() => plan(sandbox, { pid }), { kind: 'InvalidArgument', message });
  };
  refused(APART, NamespaceMode.NODE, /asks for the node's PID namespace, but pod sandbox s1 does not use that/);
  refused(APART, NamespaceMode.POD, /asks for the pod's PID namespace, but pod sandbox s1 was made without one/);
  refused(SHARED, 9, /namespace_options\.pid is 9, must be POD \(0\), CONTAINER \(1\), NODE \(2\) or TARGET \(3\)/);
});

test('a target must be there, run, and be in the same pod', () => {
  const options = { pid: NamespaceMode.TARGET, targetId: 'c1' };
  assert.throws(() => plan(APART, options), { kind: 'NotFound' });
  assert.throws(() => plan(APART, options, container('s2', 'Running')), {
    kind: 'InvalidArgument',
    message: /target c1 is in pod sandbox s2/,
  });
  assert.throws(() => plan(APART, options, container('s1', 'Exited')), { kind: 'FailedPrecondition', message: /must be Running/ });
});
