// long: 50 s
import assert from 'node:assert/strict';
import { useSlowBridge } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, failureOf, podConfig, runPod, until } from '../support/pods.ts';

const test = sharedDaemon();
const SLEEP = ['sleep', '3600'];

const podIds = async (daemon: TestDaemon): Promise<string[]> => (await daemon.runtime.listPodSandbox({})).items.map((item) => item.id);
const containerIds = async (daemon: TestDaemon): Promise<string[]> =>
  (await daemon.runtime.listContainers({})).containers.map((container) => container.id);

test('the same RunPodSandbox five times at once gives one sandbox', async (daemon) => {
  const config = podConfig(daemon);
  const answers = await Promise.all(Array.from({ length: 5 }, async () => daemon.runtime.runPodSandbox({ config })));

  assert.equal(new Set(answers.map((answer) => answer.podSandboxId)).size, 1);
  assert.deepEqual(await podIds(daemon), [answers[0]?.podSandboxId]);
});

test('the same RunPodSandbox later gives the sandbox that is there', async (daemon) => {
  const pod = await runPod(daemon);
  const { podSandboxId } = await daemon.runtime.runPodSandbox({ config: pod.config });

  assert.equal(podSandboxId, pod.id);
});

test('the same CreateContainer five times at once, and later, gives one container', async (daemon) => {
  const pod = await runPod(daemon);
  const request = { podSandboxId: pod.id, config: await containerConfig(pod, SLEEP), sandboxConfig: pod.config };
  const answers = await Promise.all(Array.from({ length: 5 }, async () => daemon.runtime.createContainer(request)));
  const later = await daemon.runtime.createContainer(request);

  assert.equal(new Set([...answers, later].map((answer) => answer.containerId)).size, 1);
  assert.deepEqual(await containerIds(daemon), [later.containerId]);
});

e2eTest('RunPodSandbox again after its deadline joins the work, and gets the one sandbox', async (daemon) => {
  await useSlowBridge(daemon);
  const config = podConfig(daemon);
  for (let round = 0; round < 3; round += 1) {
    const { code, message } = await failureOf(daemon.runtime.runPodSandbox({ config }, { timeoutMs: 300 }));
    assert.equal(code, 'DEADLINE_EXCEEDED', message);
  }
  assert.deepEqual(await podIds(daemon), [], 'a half-made sandbox is visible');
  const { podSandboxId } = await daemon.runtime.runPodSandbox({ config });

  assert.deepEqual(await podIds(daemon), [podSandboxId]);
});

e2eTest('RunPodSandbox again after the work was finished for nobody gets the parked sandbox at once', async (daemon) => {
  await useSlowBridge(daemon);
  const config = podConfig(daemon);
  await failureOf(daemon.runtime.runPodSandbox({ config }, { timeoutMs: 300 }));
  await new Promise((resolve) => setTimeout(resolve, 4000));
  assert.deepEqual(await podIds(daemon), [], 'a parked sandbox is visible');
  const begin = Date.now();
  const { podSandboxId } = await daemon.runtime.runPodSandbox({ config });

  assert.ok(Date.now() - begin < 1000, `took ${Date.now() - begin} ms: it was made again`);
  assert.deepEqual(await podIds(daemon), [podSandboxId]);
});

e2eTest(
  'a parked sandbox that nobody comes back for is removed with all it had',
  async (daemon) => {
    await useSlowBridge(daemon);
    const before = await inventoryOf(daemon);
    await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon) }, { timeoutMs: 300 }));
    await new Promise((resolve) => setTimeout(resolve, 5000));

    await until('nothing is left', async () => assertNothingNew(daemon, before).then(() => true, () => false), 20_000); // prettier-ignore
  },
  { config: '[timeouts]\npark = "1s"\n' },
);

for (const moment of ['while it is made', 'when it is parked'] as const) {
  e2eTest(`kill -9 ${moment}: the abandoned sandbox is gone after the start, and the request succeeds`, async (daemon) => {
    await useSlowBridge(daemon);
    const before = await inventoryOf(daemon);
    const config = podConfig(daemon);
    await failureOf(daemon.runtime.runPodSandbox({ config }, { timeoutMs: 500 }));
    if (moment === 'when it is parked') await new Promise((resolve) => setTimeout(resolve, 4000));
    await daemon.kill9();
    await daemon.start();
    await assertNothingNew(daemon, before);

    const { podSandboxId } = await daemon.runtime.runPodSandbox({ config });
    assert.deepEqual(await podIds(daemon), [podSandboxId]);
  });
}

test('CreateContainer again after deadlines of all lengths: one container, never a reserved name', async (daemon) => {
  const pod = await runPod(daemon);
  for (const [index, timeoutMs] of [1, 5, 15, 30, 60, 90, 120, 200].entries()) {
    const config = await containerConfig(pod, SLEEP, { name: `c${index}` });
    const request = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
    const first = await daemon.runtime.createContainer(request, { timeoutMs }).catch(async () => undefined);
    const second = await daemon.runtime.createContainer(request);
    if (first !== undefined) assert.equal(second.containerId, first.containerId);
    assert.equal((await containerIds(daemon)).length, index + 1);
  }
});

test('fifty RunPodSandbox calls with short deadlines never say that a name is reserved', async (daemon) => {
  const config = podConfig(daemon);
  let id = '';
  for (let round = 0; round < 50 && id === ''; round += 1) {
    const call = daemon.runtime.runPodSandbox({ config }, { timeoutMs: 5 + round });
    id = await call.then((answer) => answer.podSandboxId, (error: unknown) => {
      assert.match(String(error), /DEADLINE_EXCEEDED/);
      return '';
    }); // prettier-ignore
  }
  if (id === '') id = (await daemon.runtime.runPodSandbox({ config })).podSandboxId;

  assert.deepEqual(await podIds(daemon), [id]);
});

test('stops and removals of the same pod and container at once all succeed', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, SLEEP);
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  await daemon.runtime.startContainer({ containerId });

  await Promise.all([
    ...Array.from({ length: 3 }, async () => daemon.runtime.stopContainer({ containerId, timeout: 1n })),
    ...Array.from({ length: 3 }, async () => daemon.runtime.stopPodSandbox({ podSandboxId: pod.id })),
    ...Array.from({ length: 3 }, async () => daemon.runtime.removeContainer({ containerId })),
    ...Array.from({ length: 3 }, async () => daemon.runtime.removePodSandbox({ podSandboxId: pod.id })),
  ]);
  assert.deepEqual(await podIds(daemon), []);
  assert.deepEqual(await containerIds(daemon), []);
});
