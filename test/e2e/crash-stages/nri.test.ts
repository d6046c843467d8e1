/** What is made while an NRI plugin is asked and told, killed at every mark: what the plugin is told afterwards is what there is. */
// long: 120 s
import assert from 'node:assert/strict';
import { crashTest, goneOrFinished, limit, SLEEP } from '../../support/crash-test.ts';
import type { Operation } from '../../support/crash-test.ts';
import type { TestDaemon } from '../../support/daemon.ts';
import { noNriPlugin, NriPlugin } from '../../support/nri-plugin.ts';
import type { NriRule } from '../../support/nri-plugin.ts';
import { containerConfig, podConfig, runPod, until } from '../../support/pods.ts';
import type { Pod } from '../../support/pods.ts';

/** The plugin of a daemon, by its socket; it comes again after each crash. */
const plugins = new Map<string, NriPlugin>();
const beside =
  (rulesFor: (daemon: TestDaemon) => readonly NriRule[] = () => []) =>
  (daemon: TestDaemon): (() => Promise<void>) => {
    const { nriSocket } = daemon;
    const plugin = NriPlugin.launch(nriSocket, { reconnect: true, rules: rulesFor(daemon) });
    plugins.set(nriSocket, plugin);
    return async () => plugin.stop();
  };

/** Waits until the plugin is there. @returns what it was told of at last. */
async function withPlugin({ nriSocket }: TestDaemon): Promise<{ readonly pods: string[]; readonly containers: string[] }> {
  const last = await until('the plugin is synchronized', async () => {
    const plugin = plugins.get(nriSocket) ?? assert.fail('no plugin');
    const sync = (await plugin.events('Synchronize')).at(-1);
    return plugin.connections > plugin.closes && sync?.answeredAt !== undefined && sync.request;
  });
  return { pods: (last.pods ?? []).map(({ id }) => id), containers: (last.containers ?? []).map(({ id }) => id) };
}

const createRequest = async (daemon: TestDaemon, pod: Pod): Promise<string> => {
  const config = await containerConfig(pod, SLEEP);
  return (await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, limit)).containerId;
};

const creation = (name: string): Operation<Pod> => ({
  name,
  mustPass: ['container.recorded', 'container.hooked', 'container.created'],
  prepare: async (daemon) => {
    await withPlugin(daemon);
    return runPod(daemon);
  },
  request: createRequest,
  afterCrash: async (daemon, pod, before) => {
    const told = await withPlugin(daemon);
    const ids = (await daemon.runtime.listContainers({})).containers.map(({ id }) => id);
    assert.deepEqual(told, { pods: [pod.id], containers: ids });
    await goneOrFinished(daemon, ids, async () => createRequest(daemon, pod), before);
  },
});

crashTest(creation('CreateContainer with a plugin'), { skip: noNriPlugin, beside: beside() });
crashTest(creation('CreateContainer in a cgroup that a plugin has chosen'), {
  skip: noNriPlugin,
  beside: beside(({ cgroup }) => [{ call: 'CreateContainer', answer: { adjust: { linux: { cgroupsPath: `${cgroup}/chosen` } } } }]),
});

const runRequest = async (daemon: TestDaemon, config: Pod['config']): Promise<string> =>
  (await daemon.runtime.runPodSandbox({ config }, limit)).podSandboxId;

crashTest<Pod['config']>(
  {
    name: 'RunPodSandbox with a plugin',
    mustPass: ['sandbox.recorded', 'sandbox.hooked', 'sandbox.ready'],
    prepare: async (daemon) => {
      await withPlugin(daemon);
      return podConfig(daemon);
    },
    request: runRequest,
    afterCrash: async (daemon, config, before) => {
      const told = await withPlugin(daemon);
      const ids = (await daemon.runtime.listPodSandbox({})).items.map(({ id }) => id);
      assert.deepEqual(told, { pods: ids, containers: [] });
      await goneOrFinished(daemon, ids, async () => runRequest(daemon, config), before);
    },
  },
  { skip: noNriPlugin, beside: beside() },
);
