// long: 60 s
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ContainerState, NamespaceMode } from '../../api/cri/enums.ts';
import { callsOf, installPlugin, useFaultyPlugin } from '../support/cni.ts';
import type { Behaviour } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, execSync, failureOf, podConfig, runContainer, runPod, until } from '../support/pods.ts';
import type { Pod } from '../support/pods.ts';

/** The limits under test; a call must fail within its own and a little. */
const LIMIT_MS = 3000;
const SLACK_MS = 4000;
/** What GC is told to leave alone: CNI spec 1.1.0, section 2. */
const VALID = 'cni.dev/valid-attachments';
const test = sharedDaemon({ config: '[timeouts]\ncni_add = "3s"\ncni_del = "3s"\n' });

/** Another pod with a container, which must not notice anything. */
async function bystander(daemon: TestDaemon): Promise<{ pod: Pod; goesOn: () => Promise<void> }> {
  await useFaultyPlugin(daemon, 'passes', []);
  const pod = await runPod(daemon, { name: 'bystander' });
  const id = await runContainer(daemon, pod, ['sleep', '3600']);
  const goesOn = async (): Promise<void> => {
    assert.equal((await execSync(daemon, id, ['true'])).exitCode, 0);
    assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_RUNNING);
    await daemon.runtime.listPodSandbox({}, { timeoutMs: 1000 });
  };
  return { pod, goesOn };
}

const AT_ADD: readonly [does: Behaviour, says: RegExp][] = [
  ['fails', /no address left/],
  ['fails-plainly', /giving up|cannot reach the agent/],
  ['fails-silently', /faulty/],
  ['answers-garbage', /faulty/],
  ['answers-nothing', /faulty/],
  ['answers-no-address', /address/],
  ['crashes', /faulty/],
  ['hangs', /faulty|not finished|timed? ?out/i],
];

for (const [does, says] of AT_ADD) {
  test(`ADD ${does}: RunPodSandbox fails with the plugin's words, nothing is left, and it succeeds when the plugin is well`, async (daemon) => {
    const { goesOn } = await bystander(daemon);
    await useFaultyPlugin(daemon, does, ['ADD']);
    const before = await inventoryOf(daemon);
    const config = podConfig(daemon);
    const begin = Date.now();
    const call = failureOf(daemon.runtime.runPodSandbox({ config }));
    await goesOn();
    const { message } = await call;

    assert.match(message, says);
    assert.ok(Date.now() - begin < LIMIT_MS + SLACK_MS, `failed after ${Date.now() - begin} ms`);
    await assertNothingNew(daemon, before);
    await goesOn();
    await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
    await daemon.runtime.runPodSandbox({ config });
  });
}

test('ADD fails once: the same request again succeeds', async (daemon) => {
  await useFaultyPlugin(daemon, 'fails-once', ['ADD']);
  const config = podConfig(daemon);

  assert.match((await failureOf(daemon.runtime.runPodSandbox({ config }))).message, /the agent is starting/);
  await daemon.runtime.runPodSandbox({ config });
});

test('ADD hangs for one pod: a pod on the node network and, after a change of the configuration, others run meanwhile', async (daemon) => {
  await useFaultyPlugin(daemon, 'hangs', ['ADD']);
  const calls = await callsOf(daemon.cniBinDir, 'faulty', 'ADD');
  const hung = failureOf(runPod(daemon, { name: 'hung' }));
  await runPod(daemon, { name: 'node', namespaces: { network: NamespaceMode.NODE } });
  await until('the plugin hangs', async () => (await callsOf(daemon.cniBinDir, 'faulty', 'ADD')) > calls);
  await useFaultyPlugin(daemon, 'passes', []);
  await runPod(daemon, { name: 'other' });

  await hung;
});

test('ADD and DEL fail: the failure of ADD is heard, and the release is done when the plugin is well', async (daemon) => {
  await useFaultyPlugin(daemon, 'fails', ['ADD', 'DEL']);
  const before = await inventoryOf(daemon);
  const config = podConfig(daemon);
  assert.match((await failureOf(daemon.runtime.runPodSandbox({ config }))).message, /no address left/);

  await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
  await daemon.runtime.runPodSandbox({ config });
  const { items } = await daemon.runtime.listPodSandbox({});
  for (const { id } of items) await daemon.runtime.removePodSandbox({ podSandboxId: id });
  await until('the queued release is done', async () => {
    try {
      await assertNothingNew(daemon, before);
      return true;
    } catch {
      return false;
    }
  }, 60_000); // prettier-ignore
});

const AT_DEL: readonly [does: Behaviour, says: RegExp][] = [
  ['fails', /no address left/],
  ['fails-plainly', /giving up|cannot reach the agent/],
  ['crashes', /faulty/],
  ['hangs', /faulty|not finished|timed? ?out/i],
];

for (const [does, says] of AT_DEL) {
  test(`DEL ${does}: StopPodSandbox fails with the plugin's words, its containers are stopped, and it succeeds later`, async (daemon) => {
    const { goesOn } = await bystander(daemon);
    await useFaultyPlugin(daemon, does, ['DEL']);
    const pod = await runPod(daemon, { name: 'victim' });
    const container = await runContainer(daemon, pod, ['sleep', '3600']);
    await daemon.runtime.stopContainer({ containerId: container, timeout: 0n });
    const begin = Date.now();
    const call = failureOf(daemon.runtime.stopPodSandbox({ podSandboxId: pod.id }));
    await goesOn();
    const { message } = await call;

    assert.match(message, says);
    assert.ok(Date.now() - begin < LIMIT_MS + SLACK_MS, `failed after ${Date.now() - begin} ms`);
    assert.equal((await containerStatus(daemon, container)).state, ContainerState.CONTAINER_EXITED);
    await goesOn();
    await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
    await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
    await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  });
}

test('DEL answers garbage: it is not listened to, the address is free', async (daemon) => {
  await useFaultyPlugin(daemon, 'answers-garbage', ['DEL']);
  const pod = await runPod(daemon);
  await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id });
});

test('DEL hangs for one pod while others are stopped and removed', async (daemon) => {
  await useFaultyPlugin(daemon, 'passes', []);
  const hung = await runPod(daemon, { name: 'hung' });
  const other = await runPod(daemon, { name: 'other' });
  await installPlugin(daemon.cniBinDir, 'faulty', 'hangs', ['DEL']);
  const calls = await callsOf(daemon.cniBinDir, 'faulty', 'DEL');
  const call = failureOf(daemon.runtime.stopPodSandbox({ podSandboxId: hung.id }));
  await until('the plugin hangs', async () => (await callsOf(daemon.cniBinDir, 'faulty', 'DEL')) > calls);
  await installPlugin(daemon.cniBinDir, 'faulty', 'passes', []);
  const begin = Date.now();
  await daemon.runtime.stopPodSandbox({ podSandboxId: other.id });
  await daemon.runtime.removePodSandbox({ podSandboxId: other.id });
  assert.ok(Date.now() - begin < 2000, `took ${Date.now() - begin} ms beside a hung DEL`);
  await call;
});

test('a plugin is told who the pod is', async (daemon) => {
  await useFaultyPlugin(daemon, 'writes-what-it-gets', ['ADD']);
  const pod = await runPod(daemon, { name: 'told', uid: 'uid-1' });
  const environment = await readFile(join(daemon.cniBinDir, 'faulty.environment'), 'utf8');

  const told = /^CNI_ARGS=(.*)$/m.exec(environment)?.[1]?.split(';').sort();
  assert.deepEqual(told, [
    'IgnoreUnknown=1',
    `K8S_POD_INFRA_CONTAINER_ID=${pod.id}`,
    'K8S_POD_NAME=told',
    'K8S_POD_NAMESPACE=e2e',
    'K8S_POD_UID=uid-1',
  ]);
  assert.match(environment, /^CNI_IFNAME=eth0$/m);
  assert.match(environment, new RegExp(`^CNI_CONTAINERID=${pod.id}$`, 'm'));
  assert.match(environment, /^CNI_NETNS=\/.+$/m);
});

test('at its start the daemon has the plugins free what no pod of its has, by GC', async (daemon) => {
  const pod = await runPod(daemon, { name: 'stays' });
  await installPlugin(daemon.cniBinDir, 'faulty', 'writes-what-it-gets', ['GC']);
  await daemon.writeCniConf([{ type: 'faulty' }], '1.1.0');
  await daemon.stop();
  await daemon.start();

  const told = await until('GC was asked', async () => readFile(join(daemon.cniBinDir, 'faulty.config'), 'utf8').catch(() => undefined));
  const { [VALID]: valid } = JSON.parse(told) as { [VALID]: readonly { containerID: string; ifname: string }[] };
  assert.ok(
    valid.some(({ containerID, ifname }) => containerID === pod.id && ifname === 'eth0'),
    told,
  );
  await daemon.writeCniConf(daemon.bridgePlugins());
  await daemon.stop();
  await daemon.start();
});
