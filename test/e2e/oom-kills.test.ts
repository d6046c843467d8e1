import assert from 'node:assert/strict';
import { ContainerState } from '../../api/cri/enums.ts';
import { limitPod, pidOf } from '../support/cgroup-files.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { readMetrics } from '../support/metrics.ts';
import { containerStatus, runContainer, runPod, shell, waitForExit, waitForOutput } from '../support/pods.ts';

const test = sharedDaemon({ images: ['busybox'] });
const MEMORY_BYTES = 20n << 20n;
const VICTIM = String.raw`; killed process \d+ \(dd\), which had \d+(\.\d)? MiB$`;
const OF_CONTAINER = new RegExp(String.raw`^out of memory at the container's limit of 20 MiB \((20|19\.\d) MiB in use\)${VICTIM}`);
const EATER = shell('sleep 0.5; exec dd if=/dev/zero of=/dev/null bs=64M');

test('a container whose child alone is killed for lack of memory goes on, and ends as OOMKilled with its own code', async (daemon) => {
  const pod = await runPod(daemon);
  for (const exitCode of [0, 3]) {
    const script = shell(`dd if=/dev/zero of=/dev/null bs=64M; echo "goes on"; sleep 0.5; exit ${exitCode}`);
    const id = await runContainer(daemon, pod, script, { name: `code-${exitCode}`, memoryBytes: MEMORY_BYTES });
    await waitForOutput(daemon, id, 'goes on');
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    const ended = await waitForExit(daemon, id);
    assert.deepEqual([ended.exitCode, ended.reason], [exitCode, 'OOMKilled']);
    assert.match(ended.message, OF_CONTAINER);
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

test('the message says whose limit was met, with figures; log and metrics too', async (daemon) => {
  const pod = await runPod(daemon);
  const small = await runContainer(daemon, pod, EATER, { name: 'small', memoryBytes: MEMORY_BYTES });
  const { exitCode, reason, message } = await waitForExit(daemon, small);
  assert.deepEqual([exitCode, reason], [137, 'OOMKilled']);
  assert.match(message, OF_CONTAINER);

  await limitPod(pod, 30 << 20);
  const bystander = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'bystander' });
  const large = await runContainer(daemon, pod, EATER, { name: 'large', memoryBytes: 10n * MEMORY_BYTES });
  const ended = await waitForExit(daemon, large);
  assert.deepEqual([ended.exitCode, ended.reason], [137, 'OOMKilled']);
  assert.match(
    ended.message,
    new RegExp(
      String.raw`^out of memory at the pod's limit of 30 MiB \((30|29\.9) MiB in use, this container at most 2\d(\.\d)? MiB\)${VICTIM}`,
    ),
  );
  assert.equal((await containerStatus(daemon, bystander)).state, ContainerState.CONTAINER_RUNNING);
  // The kernel has told its monitor too that the pod was out of memory.
  await daemon.runtime.stopContainer({ containerId: bystander, timeout: 0n });
  const stopped = await containerStatus(daemon, bystander);
  assert.deepEqual([stopped.exitCode, stopped.reason, stopped.message], [137, 'Error', '']);

  assert.match(await daemon.logTail(), /out of memory at the pod's limit.* containerId=\w{64}/);
  const metrics = await readMetrics(daemon);
  assert.match(metrics, /podwright_oom_kills_total\{level="pod"\} 1/);
  assert.match(metrics, /podwright_oom_kills_total\{level="container"\} \d/);
});

test('the verbose status has the memory events of a container that runs, and of its pod', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('dd if=/dev/zero of=/dev/null bs=64M; echo "goes on"; sleep 3600'), {
    memoryBytes: MEMORY_BYTES,
  });
  await waitForOutput(daemon, id, 'goes on');
  const eventsIn = ({ info }: { readonly info: Readonly<Record<string, string>> }): Record<string, number> =>
    (JSON.parse(info['info'] ?? '{}') as { memoryEvents: { own: Record<string, number> } }).memoryEvents.own;
  const own = eventsIn(await daemon.runtime.containerStatus({ containerId: id, verbose: true }));
  assert.ok(own['oom_kill'] === 1 && own['failcnt'] !== undefined, JSON.stringify(own));
  assert.equal(eventsIn(await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: true }))['oom_kill'], 0);
});
