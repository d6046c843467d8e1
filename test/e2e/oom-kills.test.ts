import assert from 'node:assert/strict';
import { ContainerState } from '../../api/cri/enums.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, runContainer, runPod, shell, waitForExit, waitForOutput } from '../support/pods.ts';

const test = sharedDaemon({ images: ['busybox'] });
const MEMORY_BYTES = 20n << 20n;

test('a container whose child alone is killed for lack of memory goes on, and ends as OOMKilled with its own code', async (daemon) => {
  const pod = await runPod(daemon);
  for (const exitCode of [0, 3]) {
    const script = shell(`dd if=/dev/zero of=/dev/null bs=64M; echo "goes on"; sleep 0.5; exit ${exitCode}`);
    const id = await runContainer(daemon, pod, script, { name: `code-${exitCode}`, memoryBytes: MEMORY_BYTES });
    await waitForOutput(daemon, id, 'goes on');
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    const ended = await waitForExit(daemon, id);
    assert.deepEqual([ended.exitCode, ended.reason], [exitCode, 'OOMKilled']);
  }
});

test('a SIGKILL is none, neither alone nor beside a container of the pod that ran out of memory', async (daemon) => {
  const pod = await runPod(daemon);
  const killed = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'killed', memoryBytes: MEMORY_BYTES });
  const eater = await runContainer(daemon, pod, shell('exec dd if=/dev/zero of=/dev/null bs=64M'), {
    name: 'eater',
    memoryBytes: MEMORY_BYTES,
  });
  assert.equal((await waitForExit(daemon, eater)).reason, 'OOMKilled');
  process.kill(await pidOf(daemon, killed), 'SIGKILL');
  const { exitCode, reason } = await waitForExit(daemon, killed);
  assert.deepEqual([exitCode, reason], [137, 'Error']);
});
