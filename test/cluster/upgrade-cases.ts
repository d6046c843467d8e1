/** The daemon is replaced by a newer and by an older one, while the cluster works. */
import assert from 'node:assert/strict';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { earlierBuild, noEarlierBuild } from '../support/earlier-build.ts';
import { Skipped } from '../support/outcomes.ts';
import { identityOf, ownDaemon, untilRolloutBegun } from './node-cases.ts';
import { deployment, setVersion, untilRolledOut, versionsOf } from './workload-cases.ts';
import { container, SLEEP, statusOf } from './world.ts';
import type { Case, Space, World } from './world.ts';

export const UPGRADE_CASES: readonly Case[] = [
  { name: 'the daemon is upgraded during a rollout, and taken back during the next', run: upgraded, isAlone: true },
];

async function upgraded(world: World): Promise<void> {
  const daemon = ownDaemon(world);
  if (noEarlierBuild !== false) throw new Skipped(noEarlierBuild);
  const earlier = await earlierBuild();
  try {
    await world.withNamespace('upgraded', async (space) => {
      await daemon.restart(earlier.env);
      await makeStaying(space);
      await world.apps.createNamespacedDeployment({ namespace: space.name, body: deployment('web', 3, 'one') });
      await untilRolledOut(space, 'web');
      const before = await seen(space, daemon);
      for (const [version, env] of [
        ['two', {}],
        ['three', earlier.env],
        ['four', {}],
      ] as const) {
        await setVersion(space, 'web', version);
        await untilRolloutBegun(space);
        await daemon.restart(env);
        await untilRolledOut(space, 'web');
        assert.deepEqual(await versionsOf(space, 'web'), [version, version, version]);
        // Pods of the version before may still be ending.
        const counts = (await space.pods('web')).map((pod) => statusOf(pod).restartCount);
        assert.ok(counts.length >= 3 && counts.every((count) => count === 0), `restarts: ${counts.join(', ')}`);
        assert.deepEqual(await seen(space, daemon), before, `after the rollout of ${version}`);
      }
    });
  } finally {
    await daemon.restart();
    await earlier.remove();
  }
}

/** A pod that the kubelet restarts where its probe, a command in it, is refused; it counts its starts, and what it has lived. */
async function makeStaying(space: Space): Promise<void> {
  const livenessProbe = { exec: { command: ['test', '-e', '/tmp/alive'] }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 3 };
  const startupProbe = { ...livenessProbe, failureThreshold: 100 };
  const volumeMounts = [{ name: 'data', mountPath: '/data' }];
  const main = container('main', `echo start >> /data/starts; touch /tmp/alive; ${SLEEP}`, { livenessProbe, startupProbe, volumeMounts });
  await space.pod('stays', [main], { volumes: [{ name: 'data', emptyDir: {} }] });
  await space.untilReady('stays');
}

/** What must be the same where nothing has restarted. */
async function seen(space: Space, daemon: TestDaemon): Promise<unknown> {
  const { restartCount, containerID = '' } = statusOf(await space.read('stays'));
  return {
    restartCount,
    identity: await identityOf(space, 'stays'),
    pid: await pidOf(daemon, containerID.replace(/^.*:\/\//, '')),
    starts: await space.run('stays', 'main', 'cat', '/data/starts'),
    // Not those that could not be asked while the socket was away, which the kubelet does not count.
    unhealthy: (await space.events('stays')).split('\n').filter((line) => /^Unhealthy.*Liveness probe failed/.test(line)),
  };
}
