/** What `crictl inspectp` and `crictl inspect` show. */
import assert from 'node:assert/strict';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, podConfig, runPod, shell } from '../support/pods.ts';

const test = sharedDaemon();

async function verbose(
  daemon: TestDaemon,
  podSandboxId: string,
): Promise<{ text: string; runtimeSpec: { linux: { namespaces: { type: string; path?: string }[] } } }> {
  const { info } = await daemon.runtime.podSandboxStatus({ podSandboxId, verbose: true });
  const text = info['info'] ?? '';
  return { text, ...(JSON.parse(text) as { runtimeSpec: { linux: { namespaces: { type: string; path?: string }[] } } }) };
}

test('verbose status has a runtimeSpec with the path of the network namespace, and no marks of ours', async (daemon) => {
  for (const pid of [0, 1]) {
    const pod = await runPod(daemon, { namespaces: { pid } });
    const { text, runtimeSpec } = await verbose(daemon, pod.id);
    assert.doesNotMatch(text, /\$int64|\$bytes/);
    const path = runtimeSpec.linux.namespaces.find(({ type }) => type === 'network')?.path;
    assert.equal(path, `${daemon.runDir}/ns/${pod.id}/net`);
    const config = await containerConfig(pod, shell('sleep 1000'));
    const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    const { info } = await daemon.runtime.containerStatus({ containerId, verbose: true });
    const described = JSON.parse(info['info'] ?? '') as { config: { linux: { resources: { cpuShares: unknown } } } };
    assert.equal(described.config.linux.resources.cpuShares, 102);
    assert.doesNotMatch(info['info'] ?? '', /\$int64|\$bytes/);
  }
});

test('runtime_handler answers what was asked for', async (daemon) => {
  const answers = await Promise.all(['', 'runc'].map(async (runtimeHandler) => {
    const { podSandboxId } = await daemon.runtime.runPodSandbox({ config: podConfig(daemon), runtimeHandler });
    const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId });
    const { items } = await daemon.runtime.listPodSandbox({ filter: { id: podSandboxId } });
    return [status?.runtimeHandler, items[0]?.runtimeHandler];
  })); // prettier-ignore
  assert.deepEqual(answers, [['', ''], ['runc', 'runc']]); // prettier-ignore
});
