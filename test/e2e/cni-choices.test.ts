/** Which of several networks pods join, and which of a pod's addresses is the first; of real plugins. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { remove, writeJson } from 'fs-extra/esm';
import { sharedDaemon } from '../support/e2e-test.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { execOutput, runContainer, runPod, until } from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
const test = sharedDaemon({ config: '[cni]\ndefault_network = "chosen"\nip_preference = "ipv6"\n' });

const networkCondition = async (daemon: TestDaemon): Promise<{ status: boolean; message: string }> => {
  const { status } = await daemon.runtime.status({ verbose: false });
  return status?.conditions.find(({ type }) => type === 'NetworkReady') ?? assert.fail('no condition NetworkReady');
};

test('of several networks pods join the one that default_network names, with the preferred address first', async (daemon) => {
  const before = await networkCondition(daemon);
  assert.equal(before.status, false);
  assert.match(before.message, new RegExp(`no network configuration with the name "chosen" in \\S+, it has "${daemon.network}"`));

  const dataDir = join(daemon.directory, 'addresses');
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet: '10.63.8.0/24' }], [{ subnet: 'fd00:63:8::/64' }]] };
  const file = join(daemon.cniConfDir, '90-later.conflist');
  await writeJson(file, { cniVersion: '1.0.0', name: 'chosen', plugins: [{ type: 'ptp', ipam }] });
  await until('the network is ready', async () => (await networkCondition(daemon)).status);
  const pod = await runPod(daemon);
  const { status } = await daemon.runtime.podSandboxStatus({ podSandboxId: pod.id });
  const { ip = '', additionalIps = [] } = status?.network ?? {};
  assert.match(ip, /^fd00:63:8::/);
  assert.equal(additionalIps.length, 1);
  assert.match(additionalIps[0]?.ip ?? '', /^10\.63\.8\./);

  const id = await runContainer(daemon, pod, SLEEP);
  const shown = await execOutput(daemon, id, ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
  assert.ok(shown.includes(ip) && shown.includes(additionalIps[0]?.ip ?? '-'), shown);
  await daemon.runtime.removePodSandbox({ podSandboxId: pod.id });
  assert.deepEqual(
    (await readdir(join(dataDir, 'chosen'))).filter((name) => /^(10\.|fd00)/.test(name)),
    [],
  );
  await remove(file);
});
