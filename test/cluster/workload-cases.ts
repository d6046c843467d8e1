/** What controllers make of pods: rollouts, jobs, services. */
import assert from 'node:assert/strict';
import type { V1Deployment } from '@kubernetes/client-node';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { container, HTTPD, isReady, SLEEP, statusOf, until } from './world.ts';
import type { Case, Space, World } from './world.ts';

export const WORKLOAD_CASES: readonly Case[] = [
  { name: 'a Deployment is rolled out, and rolled out anew', run: rollout },
  { name: 'a Job runs to its end, after a failure too', run: job },
  { name: 'init containers and a sidecar run in order', run: initContainers },
  { name: 'a service is reached by its name', run: service },
];

/** A web server whose page is the pod's name, and whose version is in its environment. */
export function deployment(name: string, replicas: number, version: string): V1Deployment {
  const probe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30 };
  const main = container('main', HTTPD, { env: [{ name: 'VERSION', value: version }], readinessProbe: probe });
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 2, containers: [main] } },
    },
  };
}

/** Waits until all replicas are of the last template, ready, and the only ones. */
export async function untilRolledOut(space: Space, name: string): Promise<void> {
  await until(`deployment ${name} is rolled out`, async () => {
    const { metadata, spec, status } = await space.world.apps.readNamespacedDeployment({ namespace: space.name, name });
    const wanted = spec?.replicas ?? 0;
    const isSeen = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0);
    const counts = [status?.updatedReplicas, status?.readyReplicas, status?.replicas];
    return isSeen && counts.every((count) => count === wanted) ? true : undefined;
  });
}

/** Asks for another version, without waiting. */
export async function setVersion(space: Space, name: string, version: string): Promise<void> {
  const body = [{ op: 'replace', path: '/spec/template/spec/containers/0/env/0/value', value: version }];
  const options = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch);
  await space.world.apps.patchNamespacedDeployment({ namespace: space.name, name, body }, options);
}

/** Of the pods that are not being removed. */
export async function versionsOf(space: Space, app: string): Promise<string[]> {
  const pods = (await space.pods(app)).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  return Promise.all(pods.map(async ({ metadata }) => (await space.run(metadata?.name ?? '', 'main', 'sh', '-c', 'echo $VERSION')).trim()));
}

async function rollout(world: World): Promise<void> {
  await world.withNamespace('rollout', async (space) => {
    await world.apps.createNamespacedDeployment({ namespace: space.name, body: deployment('web', 2, 'one') });
    await untilRolledOut(space, 'web');
    assert.deepEqual(await versionsOf(space, 'web'), ['one', 'one']);
    await setVersion(space, 'web', 'two');
    await untilRolledOut(space, 'web');
    assert.deepEqual(await versionsOf(space, 'web'), ['two', 'two']);
  });
}

async function job(world: World): Promise<void> {
  await world.withNamespace('job', async (space) => {
    const spec = { restartPolicy: 'Never', containers: [container('main', 'echo done')] };
    const body = { metadata: { name: 'work' }, spec: { completions: 3, parallelism: 2, template: { spec } } };
    await world.batch.createNamespacedJob({ namespace: space.name, body });
    const failing = { restartPolicy: 'Never', containers: [container('main', 'exit 3')] };
    const template = { spec: { backoffLimit: 0, template: { spec: failing } } };
    await world.batch.createNamespacedJob({ namespace: space.name, body: { metadata: { name: 'fails' }, ...template } });
    const ended = (name: string, type: string): Promise<unknown> =>
      until(`job ${name} is ${type}`, async () => {
        const { status } = await world.batch.readNamespacedJob({ namespace: space.name, name });
        return status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
      });
    await ended('work', 'Complete');
    await ended('fails', 'Failed');
    const { status } = await world.batch.readNamespacedJob({ namespace: space.name, name: 'work' });
    assert.equal(status?.succeeded, 3);
  });
}

async function initContainers(world: World): Promise<void> {
  await world.withNamespace('init', async (space) => {
    const volumeMounts = [{ name: 'data', mountPath: '/data' }];
    const first = container('first', 'echo made by init > /data/file', { volumeMounts });
    const sidecar = container('sidecar', `echo made by sidecar > /data/sidecar; ${SLEEP}`, {
      volumeMounts,
      restartPolicy: 'Always',
      startupProbe: { exec: { command: ['test', '-e', '/data/sidecar'] }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 60 },
    });
    const main = container('main', 'cat /data/file /data/sidecar', { volumeMounts });
    const volumes = [{ name: 'data', emptyDir: {} }];
    await space.pod('order', [main], { initContainers: [first, sidecar], volumes, restartPolicy: 'Never' });
    const ended = await space.untilEnded('order');
    assert.equal(ended.status?.phase, 'Succeeded');
    assert.equal(await space.log('order', 'main'), 'made by init\nmade by sidecar\n');
    const terminated = statusOf(ended, 'first').state?.terminated;
    assert.deepEqual([terminated?.exitCode, terminated?.reason], [0, 'Completed']);
  });
}

async function service(world: World): Promise<void> {
  await world.withNamespace('service', async (space) => {
    await world.apps.createNamespacedDeployment({ namespace: space.name, body: deployment('web', 2, 'one') });
    const body = { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] } };
    await world.core.createNamespacedService({ namespace: space.name, body });
    await space.pod('client', [container('main', SLEEP)]);
    await untilRolledOut(space, 'web');
    await space.untilPod('client', 'ready', isReady);
    const names = (await space.pods('web')).map(({ metadata }) => metadata?.name ?? '');
    const seen = new Set<string>();
    await until('each pod behind the service has answered', async () => {
      const { stdout, status } = await space.exec(
        'client',
        'main',
        'wget',
        '-qO-',
        '-T',
        '5',
        '-t',
        '1',
        `http://web.${space.name}.svc.cluster.local/`,
      );
      if (status.status === 'Success') seen.add(stdout.trim());
      return names.every((name) => seen.has(name)) ? true : undefined;
    });
    assert.deepEqual([...seen].sort(), [...names].sort());
  });
}
