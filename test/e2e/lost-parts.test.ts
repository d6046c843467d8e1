/** Parts of a pod or container that go while it is looked at. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { execa } from 'execa';
import { PodSandboxState } from '../../api/cri/enums.ts';
import { pidOf } from '../support/cgroup-files.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { failureOf, runContainer, runPod, until, waitForExit } from '../support/pods.ts';
import { attachByUrl, Output } from '../support/streaming/kubernetes-client.ts';

const ROUNDS = 8;
const test = sharedDaemon();

test('a pod whose namespace somebody has unmounted is NotReady soon, and can be removed', async (daemon) => {
  const other = await runPod(daemon, { name: 'other' });
  const pod = await runPod(daemon);
  const stateOf = async (id: string): Promise<number | undefined> =>
    (await daemon.runtime.podSandboxStatus({ podSandboxId: id, verbose: false })).status?.state;
  assert.equal(await stateOf(pod.id), PodSandboxState.SANDBOX_READY);
  await execa('umount', ['-l', join(daemon.runDir, 'ns', pod.id, 'ipc')]);
  await until('it is NotReady', async () => (await stateOf(pod.id)) === PodSandboxState.SANDBOX_NOTREADY, 12_000);
  assert.equal(await stateOf(other.id), PodSandboxState.SANDBOX_READY);
});

test("an attach that loses the race with the container's end says that it has ended", async (daemon, context) => {
  const pod = await runPod(daemon);
  const said = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = await runContainer(daemon, pod, ['sleep', '3600'], { name: `main-${round}` });
    const pid = await pidOf(daemon, id);
    const { url } = await daemon.runtime.attach({ containerId: id, tty: false, stdin: false, stdout: true, stderr: true });
    // The daemon finds the client and the container's end at the same time.
    process.kill(daemon.pid, 'SIGSTOP');
    const connecting = attachByUrl(url, { stdout: new Output(), stderr: new Output() });
    process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.kill(daemon.pid, 'SIGCONT');
    const end = await (await connecting).over();
    const { status, message = '' } = end.status ?? assert.fail('the server has not said how it ended');
    const words = message.replaceAll(/[0-9a-f]{64}/g, 'ID');
    said.set(words, (said.get(words) ?? 0) + 1);
    if (status !== 'Success') assert.match(words, /^attach container ID: it (has ended|is Exited, must be Running)$/);
    await waitForExit(daemon, id);
  }
  context.diagnostic([...said].map(([words, times]) => `${times} x "${words}"`).join(', '));
});

test("an update that loses the race with the container's end is refused as one of an ended container", async (daemon, context) => {
  const pod = await runPod(daemon);
  const said = new Set<string>();
  for (let round = 0; round < ROUNDS / 2; round += 1) {
    const id = await runContainer(daemon, pod, ['sleep', '3600'], { name: `main-${round}` });
    const pid = await pidOf(daemon, id);
    process.kill(daemon.pid, 'SIGSTOP');
    const update = failureOf(daemon.runtime.updateContainerResources({ containerId: id, linux: { cpuShares: 512n } }));
    process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.kill(daemon.pid, 'SIGCONT');
    const { code, message } = await update;
    said.add(message.replaceAll(/[0-9a-f]{64}/g, 'ID'));
    assert.equal(code, 'FAILED_PRECONDITION', message);
    await waitForExit(daemon, id);
  }
  context.diagnostic([...said].join(', '));
});
