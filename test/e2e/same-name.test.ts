/** A name and attempt that are in use are no answer to a request that asks for something else. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson } from 'fs-extra/esm';
import { useSlowBridge } from '../support/cni.ts';
import { e2eTest, sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, failureOf, podConfig, runPod, shell, until } from '../support/pods.ts';

const test = sharedDaemon();

const codeOf = async (call: Promise<unknown>): Promise<string> => (await failureOf(call)).code;

test('RunPodSandbox and CreateContainer with a name that is in use and another configuration are refused, also after a restart', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, shell('sleep 1000'));
  const create = async (change: object): Promise<string> =>
    (await daemon.runtime.createContainer({ podSandboxId: pod.id, config: { ...config, ...change }, sandboxConfig: pod.config }))
      .containerId;
  const run = async (change: object): Promise<string> =>
    (await daemon.runtime.runPodSandbox({ config: { ...pod.config, ...change } })).podSandboxId;
  const id = await create({});
  for (const restarted of [false, true]) {
    if (restarted) await daemon.restart();
    assert.equal(await codeOf(run({ hostname: 'another' })), 'ALREADY_EXISTS');
    assert.equal(await run({}), pod.id);
    assert.equal(await codeOf(create({ command: ['true'] })), 'ALREADY_EXISTS');
    assert.equal(await create({}), id);
  }
});

e2eTest(
  'a parked sandbox makes way for another configuration, and one under way is not joined by it',
  async (daemon) => {
    await useSlowBridge(daemon);
    const config = podConfig(daemon);
    const other = { ...config, annotations: { ...config.annotations, network: 'attached' } };
    assert.equal(await codeOf(daemon.runtime.runPodSandbox({ config }, { timeoutMs: 300 })), 'DEADLINE_EXCEEDED');
    assert.equal(await codeOf(daemon.runtime.runPodSandbox({ config: other })), 'ALREADY_EXISTS');

    const id = await until('the other configuration has the name', async () =>
    daemon.runtime.runPodSandbox({ config: other }).then(({ podSandboxId }) => podSandboxId, () => undefined)); // prettier-ignore
    const { items } = await daemon.runtime.listPodSandbox({});
    assert.deepEqual(items.map((item) => [item.id, item.annotations['network']]), [[id, 'attached']]); // prettier-ignore
  },
  {},
);

test('a request that is refused does not take away the parked container of its name: the retry gets it', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, shell('sleep 1000'));
  const create = async (change: object, timeoutMs?: number): Promise<string> => {
    const request = { podSandboxId: pod.id, config: { ...config, ...change }, sandboxConfig: pod.config };
    return (await daemon.runtime.createContainer(request, timeoutMs === undefined ? {} : { timeoutMs })).containerId;
  };
  const records = join(daemon.root, 'containers');
  const states = async (): Promise<string[]> =>
    Promise.all(
      (await readdir(records)).map(async (id) => {
        const state: unknown = await readJson(join(records, id, 'state.json')).catch(() => undefined);
        return `${id} ${(state as { data: { is: string } } | undefined)?.data.is ?? 'Creating'}`;
      }),
    );
  assert.equal(await codeOf(create({}, 30)), 'DEADLINE_EXCEEDED');
  await until('the container is parked', async () => (await states())[0]?.endsWith(' Parked'));
  const parked = await states();

  assert.equal(await codeOf(create({ image: { image: 'localhost/not/here:1' } })), 'NOT_FOUND');
  assert.equal(await codeOf(create({ mounts: [{ hostPath: 'relative', containerPath: '/m' }] })), 'INVALID_ARGUMENT');
  assert.deepEqual(await states(), parked);
  assert.equal(`${await create({})} Parked`, parked[0]);
});
