import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, Init, PodSandboxConfig } from '../../../api/cri/runtime.ts';
import { checkContainerRequest } from '../../../src/container/check-request.ts';
import type { Sandbox } from '../../../src/podsandbox/sandbox.ts';
import { containerConfig, HOST, sandboxConfig } from '../../support/spec-inputs.ts';

function check(
  init: Init<ContainerConfig>,
  pod: Init<PodSandboxConfig> = {},
  host = HOST,
  labels: 'labelled' | 'not labelled' = 'not labelled',
): void {
  // A check looks at no more of a sandbox than its id, its config, and its user namespace.
  const sandbox = { record: { id: 's1', config: sandboxConfig(pod), namespaces: {} } } as Sandbox;
  checkContainerRequest(containerConfig(init), sandbox, host, labels);
}

const PRIVILEGED = { linux: { securityContext: { privileged: true } } };

test('a privileged container needs a privileged pod', () => {
  assert.throws(() => { check(PRIVILEGED); }, { kind: 'InvalidArgument', message: 'create container: it is privileged, but its pod sandbox s1 is not; the sandbox must be too' }); // prettier-ignore
  check(PRIVILEGED, PRIVILEGED);
  check({}, PRIVILEGED);
});

test('a memory limit that no container starts in is refused, none at all is not', () => {
  const limit = (memoryLimitInBytes: bigint): Init<ContainerConfig> => ({ linux: { resources: { memoryLimitInBytes } } });
  assert.throws(() => { check(limit(524_287n)); }, { kind: 'InvalidArgument', message: /memory_limit_in_bytes is 524287/ }); // prettier-ignore
  for (const good of [0n, -1n, 524_288n]) check(limit(good));
});

test('the log of a container is a file below the log directory of its pod', () => {
  for (const logPath of ['..', '/', 'a/', 'a/../b', '../a', 'a/.', 'a//'])
    assert.throws(() => { check({ logPath }); }, { kind: 'InvalidArgument', message: /log_path is/ }, logPath); // prettier-ignore
  for (const logPath of ['', 'a', 'web/0.log', '..a', 'a..']) check({ logPath });
});

test('a label of SELinux is that of the container, else that of its pod', () => {
  const label = { linux: { securityContext: { selinuxOptions: { level: 's0:c1' } } } };
  for (const [own, pod] of [[label, {}], [{}, label]] as const) // prettier-ignore
    assert.throws(() => { check(own, pod, { ...HOST, selinux: true }); }, { kind: 'FailedPrecondition', message: /SELinux label ":::s0:c1"/ }); // prettier-ignore
  check(label, label);
  check(label, label, { ...HOST, selinux: true }, 'labelled');
});
