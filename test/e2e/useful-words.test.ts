/** What a caller is told of a failure: the reason, and the field where it is one of the request's. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Init, LinuxContainerResources } from '../../api/cri/runtime.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, failureOf, runPod } from '../support/pods.ts';

const test = sharedDaemon();

async function failedCreate(daemon: TestDaemon, resources: Init<LinuxContainerResources>): Promise<{ code: string; message: string }> {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, ['sleep', '3600']);
  const request = { podSandboxId: pod.id, config: { ...config, linux: { ...config.linux, resources } }, sandboxConfig: pod.config };
  return failureOf(daemon.runtime.createContainer(request));
}

test('a set of processors beyond those of the node is refused in the name of its field', async (daemon) => {
  const possible = (await readFile('/sys/devices/system/cpu/possible', 'utf8')).trim();
  const beyond = `0-${Number(possible.split(/[-,]/).at(-1)) + 1}`;
  const { code, message } = await failedCreate(daemon, { cpusetCpus: beyond });
  assert.equal(code, 'INVALID_ARGUMENT');
  assert.ok(message.endsWith(`cpuset_cpus is "${beyond}", must be within ${possible}, what this node has`), message);
});

test('a memory limit in which nothing can start is refused in the name of its field', async (daemon) => {
  const tiny = await failedCreate(daemon, { memoryLimitInBytes: 1024n });
  assert.deepEqual(
    [tiny.code, tiny.message],
    ['INVALID_ARGUMENT', 'create container: memory_limit_in_bytes is 1024, must be 0 or at least 524288: no container starts in less'],
  );
  // crun starts in the next one.
  if (basename(process.env['PODWRIGHT_TEST_RUNTIME'] ?? 'runc') !== 'runc') return;
  const small = await failedCreate(daemon, { memoryLimitInBytes: 600_000n });
  assert.match(small.message, /memory limit/);
  // Version 2 has the runtime's first process killed instead.
  if (existsSync('/sys/fs/cgroup/memory')) {
    assert.equal(small.code, 'INVALID_ARGUMENT');
    assert.match(
      small.message,
      /memory_limit_in_bytes is 600000, which is too low for the runtime to start in: .*unable to set memory limit/,
    );
  }
});
