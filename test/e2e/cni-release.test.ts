/** Releasing a pod's network when a plugin or the daemon fails in between: nothing stays, firewall rules too. */
// long: 45 s
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { StatusReport } from '../../src/admin/reports.ts';
import { installPlugin, useFaultyPlugin } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import type { Inventory } from '../support/inventory.ts';
import { failureOf, podAddress, podConfig, removePod, runPod, until } from '../support/pods.ts';

const config = '[timeouts]\ncni_add = "3s"\ncni_del = "3s"\n';
const test = sharedDaemon({ config });

/** A request whose network is attached, and whose log directory cannot be made. */
const failing = (daemon: TestDaemon): ReturnType<typeof podConfig> => podConfig(daemon, { change: { logDirectory: '/proc/nothing/logs' } });

async function keptNamespaces(daemon: TestDaemon): Promise<string[]> {
  return readdir(join(daemon.runDir, 'ns')).catch(() => []);
}

/** Nothing is left in the end; a queued release is tried again after 1, 2, 4, ... seconds. */
async function untilNothingNew(daemon: TestDaemon, before: Inventory): Promise<void> {
  const isSo = async (): Promise<boolean> => (await keptNamespaces(daemon)).length === 0;
  await until('the queued release is done', isSo, 60_000);
  await assertNothingNew(daemon, before);
}

test('a DEL that fails while a RunPodSandbox is undone: the namespace stays until it works, and no rule is left', async (daemon) => {
  await useFaultyPlugin(daemon, 'fails', ['DEL']);
  const before = await inventoryOf(daemon);
  const config = failing(daemon);
  const { message } = await failureOf(daemon.runtime.runPodSandbox({ config }));
  assert.match(message, /make directory \/proc\/nothing\/logs/);
  assert.deepEqual((await daemon.runtime.listPodSandbox({})).items, []);
  const [kept = ''] = await keptNamespaces(daemon);
  assert.notEqual(kept, '');
  const leaks = await daemon.cli('check', '--leaks');
  assert.ok(!leaks.includes(kept), leaks);
  const { unfinished } = JSON.parse(await daemon.cli('status', '--json')) as Pick<StatusReport, 'unfinished'>;
  assert.deepEqual(
    unfinished.map(({ what }) => what),
    [`release network ${daemon.network} of pod ${config.metadata?.namespace}/${config.metadata?.name}, sandbox ${kept}`],
  );

  await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
  await untilNothingNew(daemon, before);
});

/** Starts the daemon, which dies at a mark. */
async function startUntil(daemon: TestDaemon, mark: string): Promise<void> {
  await daemon.launch({ PODWRIGHT_KILL_AT: mark });
  await daemon.ended(20_000);
  await daemon.stop();
}

for (const [restoring, releasing] of [
  ['cni.detach-queued', 'cni.deleted'],
  ['sandbox.detached', 'cni.record-removed'],
  ['sandbox.unpinned', 'cni.namespace-released'],
] as const) {
  e2eTest(
    `a half pod of a killed daemon, whose DEL fails: killed again at ${restoring} and at ${releasing}, nothing is left`,
    async (daemon) => {
      await useFaultyPlugin(daemon, 'fails', ['DEL']);
      const before = await inventoryOf(daemon);
      const killAt = join(daemon.directory, 'kill-at');
      await daemon.restart({ PODWRIGHT_KILL_AT: `@${killAt}` });
      await writeFile(killAt, 'sandbox.attached');
      await daemon.runtime.runPodSandbox({ config: podConfig(daemon) }, { timeoutMs: 20_000 }).catch(() => undefined);
      await daemon.ended(10_000);
      await rm(killAt);
      await daemon.stop();

      await startUntil(daemon, restoring);
      await daemon.start();
      assert.equal((await keptNamespaces(daemon)).length, 1, 'the namespace must stay while DEL fails');
      await runPod(daemon);
      await daemon.kill9();

      await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
      await startUntil(daemon, releasing);
      await daemon.start();
      const { items } = await daemon.runtime.listPodSandbox({});
      for (const { id } of items) await removePod(daemon, id);
      await untilNothingNew(daemon, before);
    },
    { config },
  );
}

for (const what of ['StopPodSandbox', 'RemovePodSandbox'] as const) {
  test(`${what} of a pod whose namespace is gone returns when its address is free`, async (daemon) => {
    await daemon.useCniPlugins([{ ...daemon.bridgePlugins()[0], ipMasq: false }]);
    const pod = await runPod(daemon);
    const address = await podAddress(daemon, pod.id);
    const isFree = async (): Promise<boolean> => !(await readdir(join(daemon.cniDataDir, daemon.network))).includes(address);
    assert.equal(await isFree(), false);
    await execa('umount', [join(daemon.runDir, 'ns', pod.id, 'net')]);
    if (what === 'StopPodSandbox') await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
    else await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
    assert.equal(await isFree(), true);
  });
}

for (const does of ['fails', 'hangs'] as const) {
  test(`DEL ${does} for a pod whose namespace is gone: it is stopped all the same, and the address is free later`, async (daemon) => {
    await installPlugin(daemon.cniBinDir, 'faulty', does, ['DEL']);
    await daemon.useCniPlugins([{ ...daemon.bridgePlugins()[0], ipMasq: false }, { type: 'faulty' }]);
    const before = await inventoryOf(daemon);
    const pod = await runPod(daemon);
    await execa('umount', [join(daemon.runDir, 'ns', pod.id, 'net')]);
    const begin = Date.now();
    await removePod(daemon, pod.id);
    assert.ok(Date.now() - begin < 8000, `took ${Date.now() - begin} ms`);
    await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
    await until('the address is free', async () => assertNothingNew(daemon, before).then(() => true, () => false), 60_000); // prettier-ignore
  });
}
