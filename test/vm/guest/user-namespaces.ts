/** A pod with a user namespace on cgroup v2 alone: crun is the runtime of Debian 13 that can. */
import assert from 'node:assert/strict';
import { lstat } from 'node:fs/promises';
import { containerConfig, execSync, podConfig, shell } from '../../support/pods.ts';
import { MAPPING, withUsers } from '../../support/user-namespaces.ts';
import type { GuestNode } from './node.ts';
import { PATIENCE_MS } from './node.ts';

const SCRIPT = `
  set -e
  echo again > /dev/stdout
  tr -s ' ' < /proc/self/uid_map
  stat -c %u:%g /etc/passwd /etc/hostname /dev/shm
  cat /proc/self/cgroup
  cat /sys/fs/cgroup/pids.max
  cat /proc/sys/net/core/somaxconn
  touch /own /dev/shm/own`;

/** Runs one and looks at it from inside and outside; the caller has made the cgroup, and removes the pod by the id that `made` is told. */
export async function checkUserNamespace(node: GuestNode, image: string, podCgroup: string, made: (id: string) => void): Promise<void> {
  const { runtimeHandlers, features } = await node.runtime.status({ verbose: false });
  const can = runtimeHandlers.filter((handler) => handler.features?.userNamespaces).map(({ name }) => name);
  assert.deepEqual([can, features?.userNamespacesHostNetwork], [['crun'], true]); // Debian 13's runc is 1.1
  const base = podConfig(node, { name: 'mapped', ...withUsers() });
  const config = { ...base, linux: { ...base.linux, cgroupParent: podCgroup, sysctls: { 'net.core.somaxconn': '321' } } };
  const { podSandboxId } = await node.runtime.runPodSandbox({ config, runtimeHandler: 'crun' });
  made(podSandboxId);
  const pod = { id: podSandboxId, config };
  const request = await containerConfig(pod, ['sleep', '1000'], { name: 'main', image });
  const { containerId } = await node.runtime.createContainer({ podSandboxId, config: request, sandboxConfig: config });
  await node.runtime.startContainer({ containerId });
  const { exitCode, stdout, stderr } = await execSync(node, containerId, shell(SCRIPT), PATIENCE_MS / 1000);
  assert.equal(exitCode, 0, Buffer.from(stderr).toString());
  const lines = Buffer.from(stdout).toString().trimEnd().split('\n').map((line) => line.trim()); // prettier-ignore
  const map = `0 ${MAPPING.hostId} ${MAPPING.length}`;
  assert.deepEqual(lines.slice(0, 6), ['again', map, '0:0', '0:0', '0:0', '0::/']);
  assert.equal(lines.at(-1), '321');
  const { uid, gid } = await lstat(`${node.root}/storage/rootfs/${containerId}/diff/own`);
  assert.deepEqual([uid, gid], [MAPPING.hostId, MAPPING.hostId]);
}
