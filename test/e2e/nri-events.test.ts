/** What NRI plugins hear of pods and containers: every step once, in its order, whatever becomes of it. */
// long: 120 s
import assert from 'node:assert/strict';
import { ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { noNriPlugin, NriPlugin } from '../support/nri-plugin.ts';
import type { NriScript } from '../support/nri-plugin.ts';
import {
  containerConfig,
  containerStatus,
  createContainer,
  failureOf,
  podConfig,
  removePod,
  runContainer,
  runPod,
  shell,
  until,
  waitForExit,
} from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
/** All that happens to pods and containers; what plugins want done to containers is asked of validators. */
const EVENTS = [
  ...(['RunPodSandbox', 'UpdatePodSandbox', 'PostUpdatePodSandbox', 'StopPodSandbox', 'RemovePodSandbox'] as const),
  ...(['CreateContainer', 'PostCreateContainer', 'StartContainer', 'PostStartContainer'] as const),
  ...(['UpdateContainer', 'PostUpdateContainer', 'StopContainer', 'RemoveContainer'] as const),
];
const options = { skip: noNriPlugin };
const onSharedDaemon = sharedDaemon(options);

/** A test with one plugin. */
function eventsTest(name: string, body: (daemon: TestDaemon, plugin: NriPlugin) => Promise<void>, script: NriScript = {}): void {
  onSharedDaemon(name, async (daemon) => {
    const plugin = await NriPlugin.start(daemon.nriSocket, { events: EVENTS, ...script });
    try {
      await body(daemon, plugin);
    } finally {
      await plugin.stop();
    }
  });
}

const nameOf = (pod: Pod): string => pod.config.metadata?.name ?? '';
/** The story of one container, in which the last steps are its end and its removal. */
const CREATED = (name: string): string[] => [`CreateContainer ${name}`, `PostCreateContainer ${name}`];
const STARTED = (name: string): string[] => [`StartContainer ${name}`, `PostStartContainer ${name}`];
const NOT_MADE = (name: string): string[] => [`CreateContainer ${name}`, `StopContainer ${name}`, `RemoveContainer ${name}`];

eventsTest('a pod with a container that ends by itself and one that is stopped, from the beginning to the end', async (daemon, plugin) => {
  const pod = await runPod(daemon);
  const a = await runContainer(daemon, pod, shell('exit 3'), { name: 'a' });
  const [end] = await plugin.until('StopContainer');
  assert.deepStrictEqual(
    [end?.request.container?.state, end?.request.container?.['exitCode'], end?.request.container?.['statusReason']],
    ['CONTAINER_STOPPED', 3, 'Error'],
  );
  assert.equal((await containerStatus(daemon, a)).state, ContainerState.CONTAINER_EXITED);

  const b = await runContainer(daemon, pod, SLEEP, { name: 'b' });
  await daemon.runtime.stopContainer({ containerId: b, timeout: 0n });
  await daemon.runtime.stopContainer({ containerId: b, timeout: 0n });
  for (const containerId of [a, b, a]) await daemon.runtime.removeContainer({ containerId });
  for (let time = 0; time < 2; time += 1) await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
  for (let time = 0; time < 2; time += 1) await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });

  const name = nameOf(pod);
  assert.deepStrictEqual(await plugin.story(name), [
    `RunPodSandbox ${name}`,
    ...[...CREATED('a'), ...STARTED('a'), 'StopContainer a'],
    ...[...CREATED('b'), ...STARTED('b'), 'StopContainer b'],
    ...['RemoveContainer a', 'RemoveContainer b'],
    ...[`StopPodSandbox ${name}`, `RemovePodSandbox ${name}`],
  ]);
});

eventsTest('every message says what its pod and its container are', async (daemon, plugin) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP, { name: 'a' });
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id, verbose: false });
  const [run] = await plugin.until('RunPodSandbox');
  const told = run?.request.pod ?? assert.fail();
  assert.deepStrictEqual(
    [told.id, told['uid'], told['namespace'], told['ips'], told['labels'], told['annotations']],
    [pod.id, pod.config.metadata?.uid, 'e2e', [status?.network?.ip], pod.config.labels, pod.config.annotations],
  );
  const [create] = await plugin.until('CreateContainer');
  const container = create?.request.container ?? assert.fail();
  assert.deepStrictEqual([container.id, container.podSandboxId, container['args']], [id, pod.id, SLEEP]);
  assert.equal(container.state, undefined, 'one that is not made has no state');
  const [start] = await plugin.until('StartContainer');
  assert.equal(start?.request.container?.state, 'CONTAINER_CREATED');
  const [started] = await plugin.until('PostStartContainer');
  assert.equal(started?.request.container?.state, 'CONTAINER_RUNNING');
  assert.ok(Number(started.request.container['pid']) > 0);
});

eventsTest('a running container that is removed by force, and a running pod that is removed', async (daemon, plugin) => {
  const pod = await runPod(daemon);
  const a = await runContainer(daemon, pod, SLEEP, { name: 'a' });
  await runContainer(daemon, pod, SLEEP, { name: 'b' });
  await createContainer(daemon, pod, SLEEP, { name: 'c' });
  await daemon.runtime.removeContainer({ containerId: a });
  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });

  const name = nameOf(pod);
  const story = await plugin.story(name);
  assert.deepStrictEqual(story.slice(11, 13), ['StopContainer a', 'RemoveContainer a']);
  // Containers of a pod end beside each other.
  assert.deepStrictEqual(story.slice(13, 15).sort(), ['StopContainer b', 'StopContainer c']);
  assert.equal(story[15], `StopPodSandbox ${name}`);
  assert.deepStrictEqual(story.slice(16, 18).sort(), ['RemoveContainer b', 'RemoveContainer c']);
  assert.deepStrictEqual(story.slice(18), [`RemovePodSandbox ${name}`]);
});

eventsTest(
  'a pod that a plugin refuses leaves nothing, and is told to be gone; while it is asked nobody sees the pod',
  async (daemon, plugin) => {
    const config = podConfig(daemon, { name: 'refused' });
    const running = failureOf(daemon.runtime.runPodSandbox({ config }));
    await plugin.until('RunPodSandbox');
    assert.deepStrictEqual((await daemon.runtime.listPodSandbox({})).items, []);
    assert.match((await running).message, /10-test.*not on this node/);
    assert.deepStrictEqual((await daemon.runtime.listPodSandbox({})).items, []);
    assert.deepStrictEqual(await plugin.story('refused'), ['RunPodSandbox refused', 'StopPodSandbox refused', 'RemovePodSandbox refused']);
    // Its name is free.
    await plugin.setRules([]);
    await daemon.runtime.runPodSandbox({ config });
  },
  { rules: [{ call: 'RunPodSandbox', pod: 'refused', sleepMs: 500, error: 'not on this node' }] },
);

eventsTest(
  'containers that cannot be made or are refused leave nothing, and are told to be gone',
  async (daemon, plugin) => {
    const pod = await runPod(daemon);
    await failureOf(createContainer(daemon, pod, ['/no/such/program'], { name: 'bad' }));
    const creating = failureOf(createContainer(daemon, pod, SLEEP, { name: 'refused' }));
    await plugin.until('CreateContainer', 2);
    assert.deepStrictEqual((await daemon.runtime.listContainers({})).containers, []);
    assert.match((await creating).message, /10-test.*not here/);
    assert.deepStrictEqual((await daemon.runtime.listContainers({})).containers, []);
    assert.deepStrictEqual((await plugin.story(nameOf(pod))).slice(1), [...NOT_MADE('bad'), ...NOT_MADE('refused')]);
  },
  { rules: [{ call: 'CreateContainer', container: 'refused', sleepMs: 500, error: 'not here' }] },
);

eventsTest(
  'a container whose start a plugin refuses has ended, with its words',
  async (daemon, plugin) => {
    const pod = await runPod(daemon);
    const containerId = await createContainer(daemon, pod, SLEEP, { name: 'a' });
    assert.match((await failureOf(daemon.runtime.startContainer({ containerId }))).message, /10-test.*not now/);
    const { state, exitCode, message } = await containerStatus(daemon, containerId);
    assert.deepStrictEqual([state, exitCode], [ContainerState.CONTAINER_EXITED, 128]);
    assert.match(message, /not now/);
    await daemon.runtime.removeContainer({ containerId });
    const story = await plugin.story(nameOf(pod));
    assert.deepStrictEqual(story.slice(1), [...CREATED('a'), 'StartContainer a', 'StopContainer a', 'RemoveContainer a']);
  },
  { rules: [{ call: 'StartContainer', error: 'not now' }] },
);

eventsTest(
  'a creation that the stop of its pod ends while a plugin is asked is told to be gone before the pod is',
  async (daemon, plugin) => {
    const pod = await runPod(daemon);
    const creating = failureOf(createContainer(daemon, pod, SLEEP, { name: 'a' }));
    await plugin.until('CreateContainer');
    await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
    assert.match((await creating).message, /is being stopped/);
    const name = nameOf(pod);
    assert.deepStrictEqual((await plugin.story(name)).slice(1), [...NOT_MADE('a'), `StopPodSandbox ${name}`]);
  },
  { rules: [{ call: 'CreateContainer', sleepMs: 1000 }] },
);

eventsTest('new limits are told before and after; what would be refused anyway is not', async (daemon, plugin) => {
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, SLEEP, { name: 'a' });
  await daemon.runtime.updateContainerResources({ containerId, linux: { cpuShares: 512n } });
  await failureOf(daemon.runtime.updateContainerResources({ containerId, linux: { memoryLimitInBytes: 1n } }));
  await daemon.runtime.updatePodSandboxResources({ podSandboxId: pod.id, resources: { cpuShares: 77n }, overhead: { cpuShares: 66n } });
  await daemon.runtime.stopContainer({ containerId, timeout: 0n });
  await failureOf(daemon.runtime.updateContainerResources({ containerId, linux: { cpuShares: 513n } }));

  const name = nameOf(pod);
  assert.deepStrictEqual((await plugin.story(name)).slice(5), [
    ...['UpdateContainer a', 'PostUpdateContainer a'],
    ...[`UpdatePodSandbox ${name}`, `PostUpdatePodSandbox ${name}`],
    'StopContainer a',
  ]);
  const [update] = await plugin.events('UpdateContainer');
  assert.match(JSON.stringify(update?.request['linuxResources']), /"shares":{"value":"512"}/);
  const [updated] = await plugin.events('PostUpdatePodSandbox');
  for (const shares of [66, 77])
    assert.match(JSON.stringify(updated?.request.pod?.['linux']), new RegExp(`"shares":{"value":"${shares}"}`));
});

const sharesFor = (container: string, shares: number): object => ({
  update: [{ containerId: `@${container}`, linux: { resources: { cpu: { shares: { value: shares } } } } }],
});

eventsTest(
  'two updates at once that each change the other container too both end, and both changes are there',
  async (daemon, plugin) => {
    const pod = await runPod(daemon);
    const ids = await Promise.all(['a', 'b'].map(async (name) => runContainer(daemon, pod, SLEEP, { name })));
    const limit = { timeoutMs: 15_000 };
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        ids.map(async (containerId) =>
          daemon.runtime.updateContainerResources({ containerId, linux: { cpuQuota: 50_000n + BigInt(round) } }, limit),
        ),
      );
    }
    const [a, b] = await Promise.all(ids.map(async (id) => (await containerStatus(daemon, id)).resources?.linux));
    assert.deepStrictEqual([a?.cpuShares, a?.cpuQuota, b?.cpuShares, b?.cpuQuota], [302n, 50_004n, 301n, 50_004n]);
    assert.equal((await plugin.events('PostUpdateContainer')).length, 10);
  },
  {
    rules: [
      { call: 'UpdateContainer', container: 'a', answer: sharesFor('b', 301) },
      { call: 'UpdateContainer', container: 'b', answer: sharesFor('a', 302) },
    ],
  },
);

eventsTest(
  'what a plugin wants at the end of a container is done before StopContainer answers',
  async (daemon) => {
    const pod = await runPod(daemon);
    const [a = '', b = ''] = await Promise.all(['a', 'b'].map(async (name) => runContainer(daemon, pod, SLEEP, { name })));
    await daemon.runtime.stopContainer({ containerId: a, timeout: 0n });
    assert.equal((await containerStatus(daemon, b)).resources?.linux?.cpuShares, 303n);
  },
  { rules: [{ call: 'StopContainer', container: 'a', answer: sharesFor('b', 303) }] },
);

eventsTest('a container that a plugin evicts is stopped at once, and its end told once', async (daemon, plugin) => {
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, SLEEP, { name: 'a' });
  assert.deepStrictEqual(await plugin.updateContainers({ evict: [{ containerId, reason: 'too loud' }] }), []);
  assert.equal((await waitForExit(daemon, containerId)).exitCode, 137);
  await plugin.until('StopContainer');
  await daemon.runtime.stopContainer({ containerId, timeout: 0n });
  assert.equal((await plugin.events('StopContainer')).length, 1);
  assert.match(await daemon.logTail(200), /a plugin evicts a container.*too loud|too loud.*a plugin evicts a container/);
});

onSharedDaemon('plugins that join in the middle miss nothing and see nothing twice', async (daemon) => {
  const pods = [...Array(8).keys()].map(async (number) => {
    const pod = await runPod(daemon, { name: `joined-${number}` });
    await runContainer(daemon, pod, SLEEP, { name: `c${number}` });
    return pod;
  });
  const plugins: NriPlugin[] = [];
  try {
    for (let index = 10; index < 16; index += 1) plugins.push(await NriPlugin.start(daemon.nriSocket, { idx: String(index) }));
    await Promise.all(pods);
    const all = [...Array(8).keys()];
    for (const plugin of plugins) {
      const { pods: podsThere, containers: containersThere } = await plugin.synchronized();
      const ran = (await plugin.events('RunPodSandbox')).map(({ request }) => request.pod?.name);
      const created = (await plugin.events('PostCreateContainer')).map(({ request }) => request.container?.name);
      assert.deepStrictEqual(
        [...podsThere.map(({ name }) => name), ...ran].sort(),
        all.map((number) => `joined-${number}`),
      );
      assert.deepStrictEqual(
        [...containersThere.map(({ name }) => name), ...created].sort(),
        all.map((number) => `c${number}`),
      );
    }
  } finally {
    for (const plugin of plugins) await plugin.stop();
  }
});

for (const how of ['SIGTERM', 'SIGKILL'] as const) {
  e2eTest(
    `after a restart (${how}) plugins know what runs; what ended meanwhile they hear of once, as removed`,
    async (daemon) => {
      const plugin = await NriPlugin.start(daemon.nriSocket, { events: EVENTS, reconnect: true });
      try {
        const pod = await runPod(daemon);
        const a = await runContainer(daemon, pod, SLEEP, { name: 'a' });
        const b = await runContainer(daemon, pod, shell('while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 4'), { name: 'b' });
        await daemon.runtime.execSync({ containerId: b, cmd: ['sh', '-c', '(sleep 1; touch /tmp/end) >/dev/null 2>&1 &'], timeout: 10n });
        await daemon.stop(how);
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        await daemon.start();
        assert.equal((await waitForExit(daemon, b)).exitCode, 4);
        const syncs = await plugin.until('Synchronize', 2);
        const { pods, containers } = syncs.at(-1)?.request ?? assert.fail();
        assert.deepStrictEqual([pods?.map(({ id }) => id), containers?.map(({ id }) => id)], [[pod.id], [a]]);

        const before = (await plugin.story()).length;
        await daemon.runtime.removeContainer({ containerId: b });
        await removePod(daemon, pod.id);
        const name = nameOf(pod);
        const story = (await plugin.story()).slice(before);
        assert.deepStrictEqual(story, [
          ...['RemoveContainer b', 'StopContainer a', `StopPodSandbox ${name}`],
          ...['RemoveContainer a', `RemovePodSandbox ${name}`],
        ]);
      } finally {
        await plugin.stop();
      }
    },
    options,
  );
}

e2eTest(
  'a container that is being made when the daemon is asked to end is made as its plugin wants it, before plugins are let go',
  async (daemon) => {
    const adjust = { env: [{ key: 'FROM', value: 'plugin' }] };
    const rules = [{ call: 'CreateContainer', sleepMs: 1_500, answer: { adjust } }] as const;
    const plugin = await NriPlugin.start(daemon.nriSocket, { events: EVENTS, rules });
    try {
      const pod = await runPod(daemon);
      const config = await containerConfig(pod, SLEEP, { name: 'a' });
      const creating = daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, { timeoutMs: 300 });
      await failureOf(creating);
      await daemon.stop();
      const [create] = await plugin.events('CreateContainer');
      const [told] = await plugin.events('PostCreateContainer');
      const [shutdown] = await plugin.events('Shutdown');
      assert.ok(told !== undefined && create?.answeredAt !== undefined, 'it hears that the container is made');
      assert.ok((told.request.container?.['env'] as string[]).includes('FROM=plugin'));
      assert.ok(shutdown !== undefined && shutdown.at > told.at);
      await daemon.start();
    } finally {
      await plugin.stop();
    }
  },
  options,
);

eventsTest('a parked pod and container, which nobody came back for, are told to have ended', async (daemon, plugin) => {
  const pod = await runPod(daemon);
  await plugin.setRules([{ call: 'CreateContainer', sleepMs: 800 }]);
  const config = await containerConfig(pod, SLEEP, { name: 'a' });
  await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, { timeoutMs: 300 }));
  await plugin.until('PostCreateContainer');
  await until('the container is parked', async () => (await daemon.runtime.listContainers({})).containers.length === 0);
  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  assert.equal((await daemon.runtime.listPodSandbox({ filter: { state: { state: PodSandboxState.SANDBOX_READY } } })).items.length, 0);
  const name = nameOf(pod);
  assert.deepStrictEqual((await plugin.story(name)).slice(1), [
    ...CREATED('a'),
    ...['StopContainer a', `StopPodSandbox ${name}`, 'RemoveContainer a', `RemovePodSandbox ${name}`],
  ]);
});
