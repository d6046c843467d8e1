/** What a request may not ask is refused in words that name the field, before anything is made. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { ContainerConfig, Init, Mount, PodSandboxConfig } from '../../api/cri/runtime.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, failureOf, podConfig, runPod, shell } from '../support/pods.ts';
import { traceOf } from '../support/trace.ts';

const test = sharedDaemon();

type Refusal<T> = readonly [field: RegExp, change: Init<T>, code?: string];

const RANGE = { hostId: 100_000, containerId: 0, length: 65_536 };
const withUser = (change: object, more: object = {}): Init<PodSandboxConfig> => {
  const usernsOptions = { mode: NamespaceMode.POD, uids: [RANGE], gids: [RANGE], ...change };
  return { linux: { securityContext: { namespaceOptions: { usernsOptions, ...more } } } };
};

const PODS: readonly Refusal<PodSandboxConfig>[] = [
  [/2 uid mappings, must have 1/, withUser({ uids: [RANGE, { ...RANGE, containerId: 65_536 }] })],
  [/0 gid mappings, must have 1/, withUser({ gids: [] })],
  [/uid mapping .* must begin at container id 0/, withUser({ uids: [{ ...RANGE, containerId: 1 }] })],
  [/gid mapping .* has length 0/, withUser({ gids: [{ ...RANGE, length: 0 }] })],
  [/uid mapping .* goes from host_id 4294967000 to 4295032535/, withUser({ uids: [{ ...RANGE, hostId: 4_294_967_000 }] })],
  [/user namespace mode is 1/, withUser({ mode: NamespaceMode.CONTAINER })],
  [/user namespace mode is 3/, withUser({ mode: NamespaceMode.TARGET })],
  [/mode is NODE, so it must have no uid or gid mappings/, withUser({ mode: NamespaceMode.NODE })],
  [/the node's pid namespace/, withUser({}, { pid: NamespaceMode.NODE })],
  [/log_directory/, { logDirectory: 'relative/logs' }],
  [/config\.log_directory contains a NUL byte/, { logDirectory: '/a\0b' }],
  [/config\.metadata\.name contains a NUL byte/, { metadata: { name: 'a\0', uid: 'u', namespace: 'n', attempt: 0 } }],
  [/metadata\.uid/, { metadata: { name: 'a', uid: 'u'.repeat(2000), namespace: 'n', attempt: 0 } }],
  [/cgroup_parent/, { linux: { cgroupParent: '/pods/../../..' } }],
  [/cgroup_parent contains a NUL byte/, { linux: { cgroupParent: '/pods\0' } }],
  [/cgroup_parent has 300 bytes/, { linux: { cgroupParent: `/pods/${'p'.repeat(300)}` } }],
  [/dns_config\.searches has "a b"/, { dnsConfig: { servers: [], searches: ['a b'], options: [] } }],
  [/K8S_POD_NAME for CNI plugins is "a;IP=10\.0\.0\.1"/, { metadata: { name: 'a;IP=10.0.0.1', uid: 'u', namespace: 'n', attempt: 0 } }],
  [/port_mappings\[0\]\.host_port is 70000/, { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 70_000, hostIp: '' }] }],
  [/sysctls: "kernel\.panic"/, { linux: { sysctls: { 'kernel.panic': '1' } } }],
  [/egress-bandwidth is "much"/, { annotations: { 'kubernetes.io/egress-bandwidth': 'much' } }],
  [/labels: "long" has 4098 bytes/, { labels: { long: 'x'.repeat(4094) } }],
  [/config\.labels\.long has 5000 bytes/, { labels: { long: 'x'.repeat(5000) } }],
  [/hostname has 66 bytes/, { hostname: 'ü'.repeat(33) }],
  [/hostname is "a b"/, { hostname: 'a b' }],
  [/supplemental_groups/, { linux: { securityContext: { supplementalGroups: [-1n] } } }],
  [/seccomp\.profile_type is 9/, { linux: { securityContext: { seccomp: { profileType: 9 } } } }],
  [/apparmor\.profile_type is 9/, { linux: { securityContext: { apparmor: { profileType: 9 } } } }],
  [/namespace_options\.network is 1/, { linux: { securityContext: { namespaceOptions: { network: NamespaceMode.CONTAINER } } } }],
  [/run_as_group is given without run_as_user/, { linux: { securityContext: { runAsGroup: { value: 1n } } } }],
  [/run_as_user/, { linux: { securityContext: { runAsUser: { value: -1n } } } }],
  [/run_as_group/, { linux: { securityContext: { runAsUser: { value: 0n }, runAsGroup: { value: 2n ** 32n } } } }],
];

test('a pod sandbox: each bad field is named, and nothing is made', async (daemon) => {
  const before = await traceOf(daemon);
  for (const [field, change, code = 'INVALID_ARGUMENT'] of PODS) {
    const failure = await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon, { change }), runtimeHandler: '' }));
    assert.equal(failure.code, code, failure.message);
    assert.match(failure.message, field);
    assert.deepEqual(await traceOf(daemon), before, `after ${failure.message}`);
  }
});

const security = (securityContext: object): Init<ContainerConfig> => ({ linux: { securityContext } });
const resources = (change: object): Init<ContainerConfig> => ({ linux: { resources: change } });
const mountOf = (change: Init<Mount>): Init<ContainerConfig> => ({ mounts: [{ hostPath: '/tmp', containerPath: '/data', ...change }] });
const mapping = { hostId: 100_000, containerId: 0, length: 65_536 };

const CONTAINERS: readonly Refusal<ContainerConfig>[] = [
  [/vendor\.com\/gpu=0, vendor\.com\/gpu=1/, { cdiDevices: [{ name: 'vendor.com/gpu=0' }, { name: 'vendor.com/gpu=1' }] }, 'NOT_FOUND'],
  [/vendor\.com\/gpu=all/, { annotations: { 'cdi.k8s.io/plugin': 'vendor.com/gpu=all' } }, 'NOT_FOUND'],
  [/CDI_devices\[0\]\.name has "gpu0"/, { cdiDevices: [{ name: 'gpu0' }] }],
  [/annotation cdi\.k8s\.io\/plugin has ""/, { annotations: { 'cdi.k8s.io/plugin': '' } }],
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
  [/labels: "long" has 4098 bytes/, { labels: { long: 'x'.repeat(4094) } }],
  [/config\.labels\.long has 5000 bytes/, { labels: { long: 'x'.repeat(5000) } }],
  [/image no-such:1 is not present/, { image: { image: 'no-such:1' } }, 'NOT_FOUND'],
  [/nothing to run/, { command: [''] }],
  [/envs has the key "A=B"/, { envs: [{ key: 'A=B', value: Buffer.from('x') }] }],
  [/envs: the value of "A" holds a NUL byte/, { envs: [{ key: 'A', value: Buffer.from('\0') }] }],
  [/it is privileged, but its pod sandbox/, security({ privileged: true })],
  [/run_as_user and run_as_username are both given/, security({ runAsUser: { value: 1n }, runAsUsername: 'root' })],
  [/run_as_group is given without run_as_user/, security({ runAsGroup: { value: 1n } })],
  [/user 99999999999 must be from 0/, security({ runAsUsername: '99999999999' })],
  [/add_capabilities: "NO_SUCH" is no capability/, security({ capabilities: { addCapabilities: ['NO_SUCH'] } })],
  [/drop_capabilities: "NO_SUCH" is no capability/, security({ capabilities: { dropCapabilities: ['NO_SUCH'] } })],
  [/seccomp\.profile_type is 9/, security({ seccomp: { profileType: 9 } })],
  [/seccomp\.localhost_ref is "p\.json", must be absolute/, security({ seccomp: { profileType: 2, localhostRef: 'p.json' } })],
  [/seccomp_profile_path is "else"/, security({ seccompProfilePath: 'else' })],
  [/apparmor\.profile_type is 9/, security({ apparmor: { profileType: 9 } })],
  [/apparmor_profile is "mine"/, security({ apparmorProfile: 'mine' })],
  [/apparmor\.localhost_ref names no AppArmor profile/, security({ apparmor: { profileType: 2 } })],
  [/masked_paths has "proc"/, security({ maskedPaths: ['proc'] })],
  [/readonly_paths has "sys"/, security({ readonlyPaths: ['sys'] })],
  [/the node's PID namespace/, security({ namespaceOptions: { pid: NamespaceMode.NODE } })],
  [/the pod's PID namespace, .* made without one/, security({ namespaceOptions: { pid: NamespaceMode.POD } })],
  [/container no-such: not found/, security({ namespaceOptions: { pid: NamespaceMode.TARGET, targetId: 'no-such' } }), 'NOT_FOUND'],
  [/namespace_options\.network is 9/, security({ namespaceOptions: { network: 9 } })],
  [/namespace_options\.ipc is -1/, security({ namespaceOptions: { ipc: -1 } })],
  [/namespace_options\.pid is 9/, security({ namespaceOptions: { pid: 9 } })],
  [/memory_limit_in_bytes is 1000/, resources({ memoryLimitInBytes: 1000n })],
  [/memory_swap_limit_in_bytes is 600000 without memory_limit_in_bytes/, resources({ memorySwapLimitInBytes: 600_000n })],
  [/memory_swap_limit_in_bytes is 600000 and/, resources({ memoryLimitInBytes: 700_000n, memorySwapLimitInBytes: 600_000n })],
  [/cpu_shares is -1/, resources({ cpuShares: -1n })],
  [/cpuset_cpus is "a"/, resources({ cpusetCpus: 'a' })],
  [/cpuset_mems is "999"/, resources({ cpusetMems: '999' })],
  [/huge pages of 3MB/, resources({ hugepageLimits: [{ pageSize: '3MB', limit: 1n }] }), 'FAILED_PRECONDITION'],
  [/device permissions are "x"/, { devices: [{ hostPath: '/dev/null', containerPath: '/dev/x', permissions: 'x' }] }],
  [/device at "\/": container_path/, { devices: [{ hostPath: '/dev/null', containerPath: '/' }] }],
  [/host_path must be below \/dev/, { devices: [{ hostPath: '/etc/passwd', containerPath: '/dev/x' }] }],
  [/mount at "": container_path/, mountOf({ containerPath: '' })],
  [/mount at "\/": container_path/, mountOf({ containerPath: '/' })],
  [/host_path "tmp", must be absolute/, mountOf({ hostPath: 'tmp' })],
  [/recursive_read_only is set without readonly/, mountOf({ recursiveReadOnly: true })],
  [/recursive_read_only is set with a propagation/, mountOf({ recursiveReadOnly: true, readonly: true, propagation: 1 })],
  [/mount at "\/proc\/1": container_path is in \/proc/, mountOf({ containerPath: '/proc/../proc/1' })],
  [/mount at "\/proc": container_path is in \/proc/, mountOf({ containerPath: '/proc' })],
  [/propagation is 9/, mountOf({ propagation: 9 })],
  [/mount_options has "size=1"/, mountOf({ mountOptions: ['size=1'] })],
  [/^ImageVolumeMountFailed: .*of image no-such:1 and not readonly/, mountOf({ hostPath: '', image: { image: 'no-such:1' } })],
  [/^ImageVolumeMountFailed: .*image_sub_path "\.\.\/x"/, mountOf({ hostPath: '', image: { image: 'no-such:1' }, readonly: true, imageSubPath: '../x' })],
  [/^ImageVolumeMountFailed: .*not present/, mountOf({ hostPath: '', image: { image: 'no-such:1' }, readonly: true }), 'NOT_FOUND'],
]; // prettier-ignore

test('a container: each bad field is named, and nothing is made', async (daemon) => {
  const pod = await runPod(daemon);
  const before = await traceOf(daemon);
  for (const [field, change, code = 'INVALID_ARGUMENT'] of CONTAINERS) {
    const config = await containerConfig(pod, shell('true'), { change });
    const call = daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
    const failure = await failureOf(call).catch((error: unknown) => assert.fail(`${field}: ${String(error)}`));
    assert.equal(failure.code, code, failure.message);
    assert.match(failure.message, field);
    assert.deepEqual(await traceOf(daemon), before, `after ${failure.message}`);
  }
  assert.deepEqual(await readdir(join(daemon.root, 'containers')), []);
});
