import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import { removeFirewallRules } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { containerStatus, createContainer, removePod, runContainer, runPod, shell, waitForExit } from '../support/pods.ts';
import { ageByOneBoot, EARLIER_BOOT, endAsPowerLoss } from '../support/sweep.ts';

/** The end of a container's process as conmon tells it while nobody looks. */
function exitFileOf(daemon: TestDaemon, id: string): string {
  return join(daemon.root, 'containers', id, 'persist/exit');
}

e2eTest('a container that ended with the node says so, and when; one whose exit file is there keeps its code', async (daemon) => {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const pod = await runPod(daemon);
  const running = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'running' });
  const created = await createContainer(daemon, pod, ['true'], { name: 'created' });
  const asked = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'asked' });
  const ended = await runContainer(daemon, pod, shell('exit 3'), { name: 'ended' });
  await waitForExit(daemon, ended);
  await daemon.kill9();
  await endAsPowerLoss(daemon);
  for (const id of [running, created]) await rm(exitFileOf(daemon, id), { force: true });
  await writeFile(exitFileOf(daemon, asked), '143');
  await ageByOneBoot(daemon);
  await daemon.start();

  const told = async (id: string): Promise<unknown> => {
    const { state, exitCode, reason, message, startedAt, finishedAt } = await containerStatus(daemon, id);
    assert.equal(state, ContainerState.CONTAINER_EXITED);
    assert.ok(finishedAt > 0n && finishedAt >= startedAt && finishedAt <= BigInt(Date.now()) * 1_000_000n, `finished at ${finishedAt}`);
    return { exitCode, reason, message };
  };
  const rebooted = (when: string): object => ({
    exitCode: 255,
    reason: 'NodeRebooted',
    message: `the node was rebooted ${when} (boot id ${EARLIER_BOOT}, now ${boot})`,
  });
  assert.deepEqual(await told(running), rebooted('while it ran'));
  assert.deepEqual(await told(created), rebooted('before it was started'));
  assert.deepEqual(await told(asked), {
    exitCode: 143,
    reason: 'Error',
    message: `it ended when the node was rebooted, or before (boot id ${EARLIER_BOOT})`,
  });
  assert.deepEqual(await told(ended), { exitCode: 3, reason: 'Error', message: '' });
  const { status, info } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  assert.equal(status?.state, PodSandboxState.SANDBOX_NOTREADY);
  const { reason } = JSON.parse(info['info'] ?? '{}') as { reason?: string };
  assert.equal(reason, `the node was rebooted (boot id ${EARLIER_BOOT}, now ${boot})`);
  await removePod(daemon, pod.id);
  // The bridge plugin before 1.6 leaves its rules where the namespace is gone.
  await removeFirewallRules(daemon.network);
});
