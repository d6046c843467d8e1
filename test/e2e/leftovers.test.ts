/** What a start finds of pods whose records are lost, each kind of it, beside a pod whose records are there. */
import assert from 'node:assert/strict';
import { access, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerState, NamespaceMode } from '../../api/cri/enums.ts';
import type { InventoryKind } from '../../src/pod/inventory.ts';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { containerStatus, execSync, runContainer, runPod, until } from '../support/pods.ts';
import { removeCgroups } from '../support/sweep.ts';

const SLEEP = ['sleep', '3600'];
const REMOVED = /removed what no record claims: (\D+?) \w+=\S*?([0-9a-f]{64})/g;

async function removedThings(daemon: TestDaemon): Promise<string[]> {
  return [...(await readFile(daemon.logFile, 'utf8')).matchAll(REMOVED)].map(([, kind, id]) => `${kind} ${id}`).sort();
}

e2eTest(
  'a pod whose records are lost: a start removes every kind of thing that is left, and nothing of the pod beside it',
  async (daemon) => {
    const namespaces = { pid: NamespaceMode.POD };
    const kept = await runPod(daemon, { name: 'kept', namespaces });
    const container = await runContainer(daemon, kept, SLEEP);
    const lost = await runPod(daemon, { name: 'lost', namespaces });
    const running = await runContainer(daemon, lost, SLEEP, { name: 'running' });
    const ended = await runContainer(daemon, lost, SLEEP, { name: 'ended' });
    const pid = await pidOf(daemon, ended);
    await daemon.kill9();
    process.kill(pid, 'SIGKILL');
    await until('its exit file is there', async () => access(join(daemon.runDir, 'exits', ended)).then(() => true, () => false)); // prettier-ignore
    await rm(join(daemon.root, 'sandboxes', lost.id, 'record.json'));
    for (const id of [running, ended]) await rm(join(daemon.root, 'containers', id, 'record.json'));
    await daemon.start();

    // A kind that the inventory has and this has not does not compile.
    const expected: Readonly<Record<InventoryKind['kind'], readonly string[]>> = {
      attachment: [lost.id],
      namespace: [lost.id],
      'infra bundle': [lost.id],
      'network cgroup': [],
      bundle: [running, ended],
      container: [],
      directory: [lost.id],
      rootfs: [running, ended],
      'exit file': [ended],
    };
    const things = Object.entries(expected).flatMap(([kind, ids]) => ids.map((id) => `${kind} ${id}`));
    await until('all is removed', async () => (await removedThings(daemon)).length >= things.length);
    assert.deepEqual(await removedThings(daemon), things.sort());
    assert.equal((await containerStatus(daemon, container)).state, ContainerState.CONTAINER_RUNNING);
    assert.equal((await execSync(daemon, container, ['true'])).exitCode, 0);
    // The monitors of the lost containers may tell their ends a moment later: their exit files go too.
    await until('no leak is told', async () => daemon.cli('check', '--leaks').then(() => true, () => false)); // prettier-ignore
    // Whose cgroup it was is not known any more; it is the kubelet that removes those of pods.
    await removeCgroups(lost.config.linux?.cgroupParent ?? '');
  },
);
