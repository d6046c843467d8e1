/** Single pods: probes and hooks, resources, images, namespaces, runtimes. */
import assert from 'node:assert/strict';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import type { V1Pod } from '@kubernetes/client-node';
import { Skipped } from '../support/outcomes.ts';
import { CLUSTER_IMAGES } from './images.ts';
import { container, HTTPD, SLEEP, findStatus, statusOf, until } from './world.ts';
import type { Case, World } from './world.ts';

export const CONTAINER_CASES: readonly Case[] = [
  { name: 'a liveness probe that fails restarts the container', run: liveness },
  { name: 'a readiness probe decides', run: readiness },
  { name: 'preStop runs before the end', run: preStop },
  { name: 'more memory than allowed is OOMKilled', run: outOfMemory },
  { name: 'CPU and memory are resized in place', run: resize },
  { name: 'images that are not there are named; policies are kept', run: imagePulls },
  { name: 'hostPort and hostNetwork', run: hostPorts },
  { name: 'RuntimeClass decides the runtime', run: runtimeClass },
  { name: 'a pod with a user namespace', run: userNamespace },
];

async function liveness(world: World): Promise<void> {
  await world.withNamespace('liveness', async (space) => {
    const livenessProbe = { exec: { command: ['test', '-e', '/tmp/alive'] }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1 };
    const startupProbe = { ...livenessProbe, failureThreshold: 100 };
    await space.pod('dies', [container('main', `touch /tmp/alive; ${SLEEP}`, { livenessProbe, startupProbe })]);
    await space.untilReady('dies');
    await space.run('dies', 'main', 'rm', '/tmp/alive');
    const again = await space.untilPod('dies', 'restarted', (pod) => statusOf(pod).restartCount === 1 && statusOf(pod).ready);
    assert.equal(statusOf(again).lastState?.terminated?.exitCode, 0, 'the container ends by itself on TERM');
    assert.match(await space.events('dies'), /Unhealthy.*Liveness probe failed/);
  });
}

async function readiness(world: World): Promise<void> {
  await world.withNamespace('readiness', async (space) => {
    const readinessProbe = { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1 };
    await space.pod('web', [container('main', HTTPD, { readinessProbe })]);
    await space.untilPod('web', 'running', (pod) => findStatus(pod)?.state?.running !== undefined);
    assert.equal(statusOf(await space.read('web')).ready, false);
    await space.run('web', 'main', 'touch', '/tmp/www/ready');
    await space.untilReady('web');
    await space.run('web', 'main', 'rm', '/tmp/www/ready');
    const after = await space.untilPod('web', 'not ready', (pod) => !statusOf(pod).ready);
    assert.equal(statusOf(after).restartCount, 0);
  });
}

async function preStop(world: World): Promise<void> {
  await world.withNamespace('pre-stop', async (space) => {
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
    const lifecycle = { preStop: { exec: { command: ['sh', '-c', 'echo preStop >> /shared/order'] } } };
    // The sidecar outlives the container and tells what it left.
    const main = container('main', 'trap "echo TERM >> /shared/order; exit 0" TERM; while :; do sleep 0.2; done', {
      lifecycle,
      volumeMounts,
    });
    const sidecar = container('sidecar', 'trap "cat /shared/order > /dev/termination-log; exit 0" TERM; while :; do sleep 0.2; done', {
      restartPolicy: 'Always',
      volumeMounts,
    });
    const finalizers = ['podwright.test/look'];
    const spec = {
      containers: [main],
      initContainers: [sidecar],
      volumes: [{ name: 'shared', emptyDir: {} }],
      terminationGracePeriodSeconds: 60,
    };
    await world.core.createNamespacedPod({ namespace: space.name, body: { metadata: { name: 'ends', finalizers }, spec } });
    await space.untilReady('ends');
    await space.delete('ends');
    const ended = await space.untilPod('ends', 'ended', (pod) => statusOf(pod, 'sidecar').state?.terminated !== undefined);
    const without = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch);
    const body = [{ op: 'remove', path: '/metadata/finalizers' }];
    await world.core.patchNamespacedPod({ namespace: space.name, name: 'ends', body }, without);
    assert.equal(statusOf(ended, 'sidecar').state?.terminated?.message, 'preStop\nTERM\n');
  });
}

async function outOfMemory(world: World): Promise<void> {
  await world.withNamespace('oom', async (space) => {
    const main = container('main', 'sleep 1; exec tail /dev/zero', { resources: { limits: { memory: '20Mi' } } });
    await space.pod('eats', [main], { restartPolicy: 'Never' });
    const terminated = statusOf(await space.untilEnded('eats')).state?.terminated;
    assert.deepEqual([terminated?.exitCode, terminated?.reason], [137, 'OOMKilled']);
  });
}

async function resize(world: World): Promise<void> {
  await world.withNamespace('resize', async (space) => {
    const resources = { requests: { cpu: '50m', memory: '32Mi' }, limits: { cpu: '100m', memory: '64Mi' } };
    await space.pod('grows', [container('main', SLEEP, { resources })]);
    const before = await space.untilReady('grows');
    const larger = { requests: { cpu: '60m', memory: '40Mi' }, limits: { cpu: '200m', memory: '128Mi' } };
    const body = { spec: { containers: [{ name: 'main', resources: larger }] } };
    const options = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);
    await world.core.patchNamespacedPodResize({ namespace: space.name, name: 'grows', body }, options);
    const isLarger = (pod: V1Pod): boolean => statusOf(pod).resources?.limits?.['memory'] === '128Mi';
    const after = await space.untilPod('grows', 'resized', isLarger);
    assert.equal(statusOf(after).restartCount, 0);
    assert.equal(statusOf(after).containerID, statusOf(before).containerID);
    const read = 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes';
    assert.equal((await space.run('grows', 'main', 'sh', '-c', read)).trim(), String(128 * 1024 * 1024));
  });
}

async function imagePulls(world: World): Promise<void> {
  await world.withNamespace('image-pulls', async (space) => {
    const waiting = async (name: string, reason: string): Promise<string> => {
      const pod = await space.untilPod(name, reason, (one) => findStatus(one)?.state?.waiting?.reason === reason);
      return statusOf(pod).state?.waiting?.message ?? '';
    };
    const image = 'docker.io/library/no-such-image:1';
    await space.pod('missing', [container('main', SLEEP, { image })]);
    await space.pod('never', [container('main', SLEEP, { image, imagePullPolicy: 'Never' })]);
    await space.pod('invalid', [container('main', SLEEP, { image: 'docker.io/library/Not A Name' })]);
    await space.pod('always', [container('main', SLEEP, { imagePullPolicy: 'Always' })]);
    assert.match(await waiting('missing', 'ErrImagePull'), /no-such-image/);
    await waiting('missing', 'ImagePullBackOff');
    await waiting('never', 'ErrImageNeverPull');
    await waiting('invalid', 'InvalidImageName');
    await space.untilReady('always');
    assert.match(await space.events('always'), /Successfully pulled image/);
    const { imageID } = statusOf(await space.read('always'));
    assert.match(imageID, /@sha256:[0-9a-f]{64}$/);
  });
}

async function hostPorts(world: World): Promise<void> {
  await world.withNamespace('host-ports', async (space) => {
    const ports = [{ containerPort: 8080, hostPort: 18_080 }];
    await space.pod('port', [container('main', HTTPD, { ports })]);
    const script = HTTPD.replace('8080', '18081');
    await space.pod('network', [container('main', script, { ports: [{ containerPort: 18_081 }] })], { hostNetwork: true });
    const { status } = await space.untilReady('port');
    const own = await space.untilReady('network');
    const page = async (port: number): Promise<string> => {
      const answer = await until(`http://${status?.hostIP ?? ''}:${port}/ answers`, () =>
        fetch(`http://${status?.hostIP ?? ''}:${port}/`).catch(() => undefined),
      );
      return (await answer.text()).trim();
    };
    assert.equal(await page(18_080), 'port');
    assert.notEqual(await page(18_081), '');
    assert.equal(own.status?.podIP, status?.hostIP);
    assert.notEqual(status?.podIP, status?.hostIP);
  });
}

async function runtimeClass(world: World): Promise<void> {
  const { handlers, daemon } = world.cluster.runtime;
  if (daemon === undefined) throw new Skipped("handlers of a peer's are not known");
  await world.withNamespace('runtime-class', async (space) => {
    for (const handler of handlers) {
      await space.pod(handler, [container('main', SLEEP)], { runtimeClassName: handler });
      const { metadata } = await space.untilReady(handler);
      const labelSelector = { 'io.kubernetes.pod.uid': metadata?.uid ?? '' };
      const { items } = await daemon.runtime.listPodSandbox({ filter: { labelSelector } });
      assert.deepEqual(items.map((sandbox) => sandbox.runtimeHandler), [handler]); // prettier-ignore
      assert.equal((await space.run(handler, 'main', 'echo', 'runs')).trim(), 'runs');
    }
    await assert.rejects(space.pod('none', [container('main', SLEEP)], { runtimeClassName: 'no-such-class' }), /no-such-class/);
  });
  if (handlers.length < 2) throw new Skipped('there is no crun here; runc was tried');
}

async function userNamespace(world: World): Promise<void> {
  const { items } = await world.core.listNode();
  const canMap = items[0]?.status?.runtimeHandlers?.some(({ features }) => features?.userNamespaces === true) === true;
  if (!canMap) throw new Skipped('the runtime says that it has no user namespaces');
  await world.withNamespace('user-namespace', async (space) => {
    const main = container('main', SLEEP, { image: CLUSTER_IMAGES.busybox, volumeMounts: [{ name: 'data', mountPath: '/data' }] });
    await space.pod('mapped', [main], { hostUsers: false, volumes: [{ name: 'data', emptyDir: {} }] });
    await space.untilReady('mapped');
    const [inside, outside, length] = (await space.run('mapped', 'main', 'cat', '/proc/self/uid_map')).trim().split(/\s+/).map(Number);
    assert.deepEqual([inside, length], [0, 65_536]);
    assert.ok((outside ?? 0) >= 65_536, `root of the pod must be nobody on the node, is ${outside ?? 0}`);
    assert.equal((await space.run('mapped', 'main', 'sh', '-c', 'touch /data/file && stat -c %u /data/file')).trim(), '0');
  });
}
