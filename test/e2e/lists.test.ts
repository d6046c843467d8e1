/** Lists and their streams say the same, and ids may be given by a prefix that is unique. */
import assert from 'node:assert/strict';
import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, createContainer, execOutput, failureOf, podConfig, runContainer, runPod, waitForState } from '../support/pods.ts';

const test = sharedDaemon({ images: ['busybox', 'user'] });

const SLEEP = ['sleep', '3600'];
const PREFIX = 14;

interface Kind {
  readonly list: (daemon: TestDaemon, filter: object) => Promise<readonly object[]>;
  readonly stream: (daemon: TestDaemon, filter: object) => AsyncIterable<readonly object[]>;
}

async function* mapped<T, U>(messages: AsyncIterable<T>, items: (message: T) => U): AsyncIterable<U> {
  for await (const message of messages) yield items(message);
}

const KINDS: Readonly<Record<string, Kind>> = {
  sandboxes: {
    list: async ({ runtime }, filter) => (await runtime.listPodSandbox({ filter })).items,
    stream: ({ runtime }, filter) => mapped(runtime.streamPodSandboxes({ filter }), (message) => message.podSandboxes),
  },
  containers: {
    list: async ({ runtime }, filter) => (await runtime.listContainers({ filter })).containers,
    stream: ({ runtime }, filter) => mapped(runtime.streamContainers({ filter }), (message) => message.containers),
  },
  images: {
    list: async ({ images }, filter) => (await images.listImages({ filter })).images,
    stream: ({ images }, filter) => mapped(images.streamImages({ filter }), (message) => message.images),
  },
};

/** What a list and its stream both give. */
async function both(daemon: TestDaemon, kind: keyof typeof KINDS, filter: object): Promise<number> {
  const { list, stream } = KINDS[kind] ?? assert.fail(kind);
  const streamed: object[] = [];
  for await (const items of stream(daemon, filter)) {
    assert.ok(items.length > 0, 'a message of a stream has one item at least');
    streamed.push(...items);
  }
  const listed = await list(daemon, filter);
  const text = (items: readonly object[]): string[] => items.map((item) => JSON.stringify(item, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).sort(); // prettier-ignore
  assert.deepEqual(text(streamed), text(listed));
  return listed.length;
}

test('streams give what lists give, filtered alike, and end; an empty one has no message', async (daemon) => {
  for (const kind of ['sandboxes', 'containers']) assert.equal(await both(daemon, kind, {}), 0);
  const [one, two] = [await runPod(daemon), await runPod(daemon)];
  await createContainer(daemon, one, SLEEP, { name: 'created' });
  const running = await runContainer(daemon, two, SLEEP, { name: 'running' });
  await daemon.runtime.stopPodSandbox({ podSandboxId: one.id });

  assert.equal(await both(daemon, 'sandboxes', {}), 2);
  assert.equal(await both(daemon, 'sandboxes', { id: two.id.slice(0, PREFIX) }), 1);
  assert.equal(await both(daemon, 'sandboxes', { state: { state: PodSandboxState.SANDBOX_READY } }), 1);
  assert.equal(await both(daemon, 'sandboxes', { labelSelector: { 'io.kubernetes.pod.uid': 'nobody' } }), 0);
  assert.equal(await both(daemon, 'containers', {}), 2);
  assert.equal(await both(daemon, 'containers', { podSandboxId: two.id.slice(0, PREFIX) }), 1);
  assert.equal(await both(daemon, 'containers', { id: running, state: { state: ContainerState.CONTAINER_CREATED } }), 0);
  assert.equal(await both(daemon, 'containers', { labelSelector: { 'io.kubernetes.container.name': 'running' } }), 1);
  assert.equal(await both(daemon, 'images', {}), 2);
  const [image] = (await daemon.images.listImages({})).images;
  for (const name of [image?.id ?? '', image?.id.slice(7, 7 + PREFIX) ?? '', image?.repoTags[0] ?? '']) {
    assert.equal(await both(daemon, 'images', { image: { image: name } }), 1, name);
  }
});

test('filters are joined by "and": each must hold', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP, { name: 'one' });
  const labels = { 'io.kubernetes.container.name': 'one', 'io.kubernetes.pod.uid': pod.config.metadata?.uid ?? '' };
  const whole = { id: id.slice(0, PREFIX), podSandboxId: pod.id.slice(0, PREFIX), state: { state: ContainerState.CONTAINER_RUNNING }, labelSelector: labels }; // prettier-ignore
  assert.equal(await both(daemon, 'containers', whole), 1);

  for (const wrong of [
    { id: 'f'.repeat(PREFIX) },
    { podSandboxId: 'f'.repeat(PREFIX) },
    { state: { state: ContainerState.CONTAINER_EXITED } },
    { labelSelector: { ...labels, more: 'yes' } },
  ]) {
    assert.equal(await both(daemon, 'containers', { ...whole, ...wrong }), 0, JSON.stringify(wrong));
  }
});

test('every call that names one container or sandbox takes a unique prefix of its id', async (daemon) => {
  const { runtime } = daemon;
  const config = podConfig(daemon);
  const { podSandboxId } = await runtime.runPodSandbox({ config });
  const pod = podSandboxId.slice(0, PREFIX);
  const id = await createContainer(daemon, { id: pod, config }, SLEEP);
  const container = id.slice(0, PREFIX);
  assert.equal((await runtime.podSandboxStatus({ podSandboxId: pod })).status?.id, podSandboxId);
  assert.equal((await runtime.containerStatus({ containerId: container })).status?.id, id);

  await runtime.startContainer({ containerId: container });
  assert.equal(await execOutput(daemon, container, ['echo', 'prefix']), 'prefix');
  await runtime.updateContainerResources({ containerId: container, linux: { memoryLimitInBytes: 64n << 20n } });
  await runtime.reopenContainerLog({ containerId: container });
  assert.equal((await runtime.containerStats({ containerId: container })).stats?.attributes?.id, id);
  assert.equal((await runtime.podSandboxStats({ podSandboxId: pod })).stats?.attributes?.id, podSandboxId);
  await runtime.stopContainer({ containerId: container, timeout: 0n });
  await waitForState(daemon, id, ContainerState.CONTAINER_EXITED);
  await runtime.removeContainer({ containerId: container });
  assert.equal((await failureOf(containerStatus(daemon, id))).code, 'NOT_FOUND');
  await runtime.stopPodSandbox({ podSandboxId: pod });
  await runtime.removePodSandbox({ podSandboxId: pod });
  assert.equal(await both(daemon, 'sandboxes', {}), 0);
});

test('a prefix of two ids, and an empty one, name none: nothing is stopped or removed', async (daemon) => {
  const pod = await runPod(daemon);
  const ids: string[] = [];
  let twice: string | undefined;
  // Of seventeen ids two begin with the same digit at the latest.
  while (twice === undefined) {
    const id = await createContainer(daemon, pod, SLEEP, { name: `c${ids.length}` });
    twice = ids.some((other) => other.startsWith(id.slice(0, 1))) ? id.slice(0, 1) : undefined;
    ids.push(id);
  }
  for (const containerId of [twice, '']) {
    const codes = [
      await failureOf(daemon.runtime.containerStatus({ containerId })),
      await failureOf(daemon.runtime.startContainer({ containerId })),
      await failureOf(daemon.runtime.removeContainer({ containerId })),
      await failureOf(daemon.runtime.stopContainer({ containerId, timeout: 0n })),
    ].map(({ code }) => code);
    assert.deepEqual(codes, Array.from({ length: 4 }, () => 'INVALID_ARGUMENT'), `"${containerId}"`); // prettier-ignore
  }
  assert.equal(await both(daemon, 'containers', { state: { state: ContainerState.CONTAINER_CREATED } }), ids.length);
});
