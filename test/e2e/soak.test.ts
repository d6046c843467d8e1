/**
 * Many pods with user namespaces, CDI devices and volumes, made and removed with a network that fails one time in five and a
 * daemon that is killed in every ten pods. PODWRIGHT_SOAK_PODS says how many (200 for the whole), PODWRIGHT_TEST_SEED which.
 */
// alone: it has the node to itself, so that its seed decides the most it can.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { execa } from 'execa';
import { remove, writeJson } from 'fs-extra/esm';
import { installPlugin, settleBridge, writeLots } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf } from '../support/e2e-test.ts';
import { until } from '../support/pods.ts';
import { SoakNode } from '../support/soak/node.ts';
import { planSoak } from '../support/soak/plan.ts';
import type { SoakPlan } from '../support/soak/plan.ts';
import { livePod } from '../support/soak/pod-life.ts';
import { noUserNamespaces, userNamespaceArgs } from '../support/user-namespaces.ts';

const PODS = Number(process.env['PODWRIGHT_SOAK_PODS'] ?? 30);
const SEED = Number(process.env['PODWRIGHT_TEST_SEED'] ?? 20_261_126);
const AT_ONCE = 5;
const TEN = 10;
/** A pod takes a second of two processors, and a busy machine has less. */
const TIMEOUT_MS = 120_000 + PODS * 15_000;
/** How long work that failed may wait for its next try. */
const UNFINISHED_MS = 120_000;
const PLUGIN = 'soakplugin';
const CDI_DEVICE = 'soak.test/node=0';
const VARIABLE = 'from-cdi';

const directory = await mkdtemp(join(tmpdir(), 'pw-soak-'));
/** A node of the host, and where the pods have it: loop-control (10:237), whose opening does nothing. */
const NODE = join(directory, 'node');
const NODE_INSIDE = '/dev/soak';
const NUMBER = 'a:ed';
after(async () => {
  await remove(directory);
});

async function writeDevice(): Promise<void> {
  await execa('mknod', [NODE, 'c', '10', '237']);
  await chmod(NODE, 0o666);
  await writeFile(join(directory, 'vendor'), 'vendor\n');
  const containerEdits = {
    env: [`SOAK=${VARIABLE}`],
    deviceNodes: [{ path: NODE_INSIDE, hostPath: NODE }],
    mounts: [{ hostPath: join(directory, 'vendor'), containerPath: '/opt/vendor', options: ['ro', 'bind'] }],
  };
  await writeJson(join(directory, 'soak.json'), { cdiVersion: '0.6.0', kind: 'soak.test/node', devices: [{ name: '0', containerEdits }] });
}

async function inTens(node: SoakNode, plan: SoakPlan, live: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let number = next; number < plan.pods.length; number = next) {
      next += 1;
      if (number % TEN === 0) node.beginTen();
      await live(number);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function untilFinished(daemon: TestDaemon): Promise<void> {
  const finished = async (): Promise<boolean> => {
    const { unfinished } = JSON.parse(await daemon.cli('status', '--json')) as { unfinished: unknown[] };
    return unfinished.length === 0;
  };
  await until('no work is unfinished', finished, UNFINISHED_MS);
}

e2eTest(
  `${PODS} pods with user namespaces, CDI devices and volumes, a network that fails, a daemon that is killed: nothing is left, every exit code is exact`,
  async (daemon, context) => {
    const plan = planSoak(SEED, PODS);
    await settleBridge(daemon);
    await installPlugin(daemon.cniBinDir, PLUGIN, 'draws-lots', ['ADD', 'DEL']);
    await writeLots(daemon.cniBinDir, PLUGIN, { ADD: plan.adds, DEL: plan.dels });
    await daemon.useCniPlugins([...daemon.bridgePlugins(), { type: PLUGIN }]);
    const node = new SoakNode(daemon, plan);
    const before = await inventoryOf(daemon);
    let failures = 0;
    const device = { path: NODE_INSIDE, number: NUMBER, variable: VARIABLE };
    const parts = { node, cdiDevice: CDI_DEVICE, device, plugin: PLUGIN, onNetworkFailure: () => void (failures += 1) };
    const begin = performance.now();
    const lives = inTens(node, plan, async (number) => livePod(parts, plan.pods[number]!)).then(async () => node.rest());
    const [ended] = await Promise.allSettled([lives]);
    const seconds = (performance.now() - begin) / 1000;
    const { kills, steps, interrupted } = node.figures;
    context.diagnostic(
      `seed ${SEED}: ${PODS} pods in ${seconds.toFixed(0)} s, ${failures} ADDs failed, ${kills} kills, ${steps} steps, ${interrupted} of them cut off, ${node.exitsTold} exit codes told`,
    );
    if (ended.status === 'rejected') throw ended.reason;
    assert.equal(node.figures.kills, plan.kills.length);
    assert.ok(failures > 0, 'the network has not failed');
    await untilFinished(daemon);
    const { items } = await daemon.runtime.listPodSandbox({});
    const { containers } = await daemon.runtime.listContainers({});
    assert.deepEqual([items, containers], [[], []]);
    await assertNothingNew(daemon, before);
  },
  {
    timeoutMs: TIMEOUT_MS,
    skip: noUserNamespaces,
    args: userNamespaceArgs,
    config: `cdi_spec_dirs = ["${directory}"]\n[timeouts]\ncni_add = "8s"\ncni_del = "8s"\n`,
    prepare: async () => {
      await writeDevice();
      return {};
    },
  },
);
