/** What a request may not ask is refused in words that name the field, before anything is made. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { ContainerConfig, Init, PodSandboxConfig } from '../../api/cri/runtime.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, failureOf, podConfig, runPod, shell } from '../support/pods.ts';

const test = sharedDaemon();

/** When the daemon's disk was last touched: records, and what runs. */
async function lastTouched(daemon: TestDaemon): Promise<Readonly<Record<string, number>>> {
  const directories = ['sandboxes', 'containers']
    .map((name) => join(daemon.root, name))
    .concat(join(daemon.runDir, 'bundles'), join(daemon.runDir, 'ns'));
  const times = directories.map(async (path) => [path, await stat(path).then(({ mtimeMs }) => mtimeMs, () => 0)] as const); // prettier-ignore
  return Object.fromEntries(await Promise.all(times));
}

test('Status advertises no user namespaces, and RunPodSandbox refuses them', async (daemon) => {
  const { runtimeHandlers } = await daemon.runtime.status({ verbose: false });
  assert.deepEqual(runtimeHandlers.map(({ features }) => features?.userNamespaces), runtimeHandlers.map(() => false)); // prettier-ignore
  const mapping = { hostId: 100_000, containerId: 0, length: 65_536 };
  const namespaceOptions = { usernsOptions: { mode: NamespaceMode.POD, uids: [mapping], gids: [mapping] } };
  const config = podConfig(daemon, { change: { linux: { securityContext: { namespaceOptions } } } });
  const failure = await failureOf(daemon.runtime.runPodSandbox({ config, runtimeHandler: '' }));
  assert.deepEqual([failure.code, /user namespaces/.test(failure.message)], ['FAILED_PRECONDITION', true], failure.message);
});

type Refusal<T> = readonly [field: RegExp, change: Init<T>, code?: string];

const PODS: readonly Refusal<PodSandboxConfig>[] = [
  [/log_directory/, { logDirectory: 'relative/logs' }],
  [/config\.log_directory contains a NUL byte/, { logDirectory: '/a\0b' }],
  [/config\.metadata\.name contains a NUL byte/, { metadata: { name: 'a\0', uid: 'u', namespace: 'n', attempt: 0 } }],
  [/metadata\.uid/, { metadata: { name: 'a', uid: 'u'.repeat(2000), namespace: 'n', attempt: 0 } }],
  [/cgroup_parent/, { linux: { cgroupParent: '/pods/../../..' } }],
  [/cgroup_parent contains a NUL byte/, { linux: { cgroupParent: '/pods\0' } }],
  [/run_as_user/, { linux: { securityContext: { runAsUser: { value: -1n } } } }],
  [/run_as_group/, { linux: { securityContext: { runAsUser: { value: 0n }, runAsGroup: { value: 2n ** 32n } } } }],
];

test('a pod sandbox: each bad field is named, and nothing is made', async (daemon) => {
  const before = await lastTouched(daemon);
  for (const [field, change, code = 'INVALID_ARGUMENT'] of PODS) {
    const failure = await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon, { change }), runtimeHandler: '' }));
    assert.equal(failure.code, code, failure.message);
    assert.match(failure.message, field);
  }
  assert.deepEqual(await lastTouched(daemon), before);
});

const security = (securityContext: object): Init<ContainerConfig> => ({ linux: { securityContext } });
const resources = (change: object): Init<ContainerConfig> => ({ linux: { resources: change } });
const mapping = { hostId: 100_000, containerId: 0, length: 65_536 };

const CONTAINERS: readonly Refusal<ContainerConfig>[] = [
  [/vendor\.com\/gpu=0, vendor\.com\/gpu=1/, { cdiDevices: [{ name: 'vendor.com/gpu=0' }, { name: 'vendor.com/gpu=1' }] }, 'FAILED_PRECONDITION'],
  [/vendor\.com\/gpu=all/, { annotations: { 'cdi.k8s.io/plugin': 'vendor.com/gpu=all' } }, 'FAILED_PRECONDITION'],
  [/run_as_user/, security({ runAsUser: { value: 2n ** 32n } })],
  [/run_as_group/, security({ runAsUser: { value: 1n }, runAsGroup: { value: 2n ** 32n } })],
  [/supplemental_groups/, security({ supplementalGroups: [-5n] })],
  [/user namespace/, security({ namespaceOptions: { pid: NamespaceMode.CONTAINER, usernsOptions: { mode: NamespaceMode.POD, uids: [mapping], gids: [mapping] } } })],
  [/cpu_period/, resources({ cpuPeriod: 5n })],
  [/cpu_period/, resources({ cpuPeriod: 2_000_000n })],
  [/cpu_quota/, resources({ cpuQuota: 7n, cpuPeriod: 100_000n })],
  [/oom_score_adj/, resources({ oomScoreAdj: 1001n })],
  [/log_path is "\.\.\/x"/, { logPath: '../x' }],
  [/log_path is "\/"/, { logPath: '/' }],
  [/config\.log_path contains a NUL byte/, { logPath: 'a\0b' }],
  [/config\.command\[1\] contains a NUL byte/, { command: ['sh', 'a\0b'] }],
]; // prettier-ignore

test('a container: each bad field is named, and nothing is made', async (daemon) => {
  const pod = await runPod(daemon);
  const before = await lastTouched(daemon);
  for (const [field, change, code = 'INVALID_ARGUMENT'] of CONTAINERS) {
    const config = await containerConfig(pod, shell('true'), { change });
    const failure = await failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }));
    assert.equal(failure.code, code, failure.message);
    assert.match(failure.message, field);
  }
  assert.deepEqual(await lastTouched(daemon), before);
  assert.deepEqual(await readdir(join(daemon.root, 'containers')), []);
});
