/** What must be so when the machine was booted again under a running pod. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { ContainerState, PodSandboxState } from '../../../api/cri/enums.ts';
import { containerStatus, podAddress, removePod, until } from '../../support/pods.ts';
import { output, PATIENCE_MS } from './node.ts';
import type { GuestNode } from './node.ts';
import { EXIT_CODES, runPod } from './smoke.ts';
import type { Resident } from './smoke.ts';
import { need, step } from './steps.ts';

/** How the machine went down: asked to, or by a power cut. */
export type Shutdown = 'orderly' | 'power cut';

export async function afterBoot(node: GuestNode, resident: Resident, shutdown: Shutdown): Promise<void> {
  const { driver } = node;
  const prefix = `${driver}, after ${shutdown === 'orderly' ? 'a reboot' : 'a power cut'}`;
  await need(`${prefix}: the unit has started by itself`, async () => {
    assert.notEqual((await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(), resident.bootId);
    await node.untilReady();
  });
  await step(`${prefix}: the sandbox is NOTREADY`, async () => {
    const { status } = await node.runtime.podSandboxStatus({ podSandboxId: resident.pod.id });
    assert.equal(status?.state, PodSandboxState.SANDBOX_NOTREADY);
  });
  await step(`${prefix}: its containers are exited, with their codes`, async () => {
    for (const name of ['web', 'ticker'] as const) {
      const { state, exitCode, reason, message, finishedAt } = await containerStatus(node, resident[name]);
      const wanted = shutdown === 'orderly' ? { exitCode: EXIT_CODES[name], reason: 'Error' } : { exitCode: 255, reason: 'NodeRebooted' };
      assert.deepEqual({ state, exitCode, reason }, { state: ContainerState.CONTAINER_EXITED, ...wanted }, name);
      assert.match(
        message,
        shutdown === 'orderly' ? /^it ended (while the node was being shut down|when the node was rebooted)/ : /^the node was rebooted/,
        name,
      );
      assert.ok(finishedAt > 0n, name);
    }
  });
  await step(`${prefix}: the addresses are free`, async () => {
    // The release is queued, so that it holds nobody up.
    await until('no address is taken', async () => (await node.addresses()).length === 0, PATIENCE_MS);
  });
  await step(`${prefix}: a pod runs as before`, async () => {
    const { pod, podCgroup } = await runPod(node, 'next');
    assert.match(await podAddress(node, pod.id), /^10\.88\./);
    await removePod(node, pod.id);
    await node.removePodCgroup(podCgroup);
  });
  await step(`${prefix}: everything is removed`, async () => {
    await removePod(node, resident.pod.id);
    assert.deepEqual((await node.runtime.listPodSandbox({})).items, []);
    assert.deepEqual((await node.runtime.listContainers({})).containers, []);
  });
  await step(`${prefix}: the inventory is empty`, async () => {
    await node.assertNothingNew(resident.inventory);
  });
  await step(`${prefix}: the daemon finds no leak, and systemd no failed unit`, async () => {
    assert.deepEqual(await node.admin.leaks(), { leaked: [], missing: [] });
    assert.equal(await output('systemctl', 'list-units', '--failed', '--plain', '--no-legend'), '');
  });
}
