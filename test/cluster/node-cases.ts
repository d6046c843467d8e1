/** What happens to the node: the runtime is killed in the middle of a rollout, the kubelet with it, the node is rebooted. One at a time. */
import assert from 'node:assert/strict';
import { glob, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import type { TestDaemon } from '../support/daemon.ts';
import { Skipped } from '../support/outcomes.ts';
import { endAsPowerLoss } from '../support/sweep.ts';
import { deployment, setVersion, untilRolledOut, versionsOf } from './workload-cases.ts';
import { container, SLEEP, statusOf, until } from './world.ts';
import type { Case, Space, World } from './world.ts';

export const NODE_CASES: readonly Case[] = [
  { name: 'the daemon is killed during a rollout', run: killedInRollout, isAlone: true },
  { name: 'daemon and kubelet are killed: containers run on', run: bothKilled, isAlone: true },
  { name: 'the node is rebooted', run: rebooted, isAlone: true },
];

export function ownDaemon({ cluster }: World): TestDaemon {
  return cluster.runtime.daemon ?? raise(new Skipped('a peer is not killed'));
}

function raise(error: Error): never {
  throw error;
}

/** What must be the same where containers run on. */
export async function identityOf(space: Space, name: string): Promise<unknown> {
  const pod = await space.read(name);
  return { address: pod.status?.podIP, id: statusOf(pod).containerID, started: statusOf(pod).state?.running?.startedAt };
}

async function killedInRollout(world: World): Promise<void> {
  const daemon = ownDaemon(world);
  await world.withNamespace('killed-in-rollout', async (space) => {
    await space.pod('stays', [container('main', SLEEP)]);
    await space.untilReady('stays');
    const before = await identityOf(space, 'stays');
    await world.apps.createNamespacedDeployment({ namespace: space.name, body: deployment('web', 3, 'one') });
    await untilRolledOut(space, 'web');
    for (const version of ['two', 'three']) {
      await setVersion(space, 'web', version);
      await untilRolloutBegun(space);
      await daemon.kill9();
      await daemon.start();
      await untilRolledOut(space, 'web');
      assert.deepEqual(await versionsOf(space, 'web'), [version, version, version]);
    }
    assert.deepEqual(await identityOf(space, 'stays'), before);
    assert.equal((await space.run('stays', 'main', 'echo', 'answers')).trim(), 'answers');
  });
}

/** Until a pod of the new template has been given to the node. */
export async function untilRolloutBegun(space: Space): Promise<void> {
  const names = new Set((await space.pods('web')).map(({ metadata }) => metadata?.name));
  await until('a new pod is on the node', async () => {
    const fresh = (await space.pods('web')).find(({ metadata, spec }) => !names.has(metadata?.name) && spec?.nodeName !== undefined);
    return fresh ?? ((await isRolledOut(space)) ? true : undefined);
  });
}

async function isRolledOut(space: Space): Promise<boolean> {
  const { status } = await space.world.apps.readNamespacedDeployment({ namespace: space.name, name: 'web' });
  return status?.updatedReplicas === 3 && status.readyReplicas === 3 && status.replicas === 3;
}

async function bothKilled(world: World): Promise<void> {
  const daemon = ownDaemon(world);
  await world.withNamespace('both-killed', async (space) => {
    await space.pod('stays', [container('main', SLEEP)]);
    await space.pod('ends', [container('main', 'while [ ! -e /tmp/end ]; do sleep 0.2; done; exit 9')], { restartPolicy: 'Never' });
    await space.untilReady('stays');
    await space.untilReady('ends');
    const before = await identityOf(space, 'stays');
    await space.run('ends', 'main', 'sh', '-c', '(sleep 3; touch /tmp/end) >/dev/null 2>&1 &');
    await world.cluster.kubelet.stop('SIGKILL');
    await daemon.kill9();
    await daemon.start();
    await world.cluster.kubelet.start();
    await world.untilNodeReady();
    const ended = await space.untilEnded('ends');
    assert.equal(statusOf(ended).state?.terminated?.exitCode, 9);
    assert.deepEqual(await identityOf(space, 'stays'), before);
  });
}

const EARLIER_BOOT = '11111111-2222-4333-8444-555555555555';

/**
 * All processes of pods end, and what lay in memory is gone; the disk's records are of another boot of the kernel. The kernel
 * itself goes on: `npm run test:vm` boots one.
 */
async function rebootNode(world: World, daemon: TestDaemon): Promise<void> {
  await world.cluster.kubelet.stop('SIGKILL');
  await daemon.kill9();
  await endAsPowerLoss(daemon);
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  for await (const file of glob(join(daemon.root, '{sandboxes,containers}/*/{record,state}.json')))
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(boot, EARLIER_BOOT));
  await daemon.start();
  await world.cluster.restoreCgroup();
  await world.cluster.kubelet.start();
}

async function rebooted(world: World): Promise<void> {
  const daemon = ownDaemon(world);
  await world.withNamespace('rebooted', async (space) => {
    await world.apps.createNamespacedDeployment({ namespace: space.name, body: deployment('web', 2, 'one') });
    await space.pod('never', [container('main', SLEEP)], { restartPolicy: 'Never' });
    await untilRolledOut(space, 'web');
    await space.untilReady('never');
    const before = idsOf(await space.pods('web'));
    await rebootNode(world, daemon);
    await world.untilNodeReady();
    await space.untilPod('never', 'failed', ({ status }) => status?.phase === 'Failed');
    for (const { metadata } of await space.pods('web'))
      await space.untilPod(
        metadata?.name ?? '',
        'started again',
        (pod) => statusOf(pod).ready && !before.includes(statusOf(pod).containerID ?? ''),
      );
    await untilRolledOut(space, 'web');
    assert.deepEqual(await versionsOf(space, 'web'), ['one', 'one']);
  });
}

const idsOf = (pods: readonly V1Pod[]): string[] => pods.map((pod) => statusOf(pod).containerID ?? '');
