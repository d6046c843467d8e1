import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { execa } from 'execa';
import { readJson } from 'fs-extra/esm';
import { installPlugin, makeCniLab, removeFirewallRules } from '../../support/cni.ts';
import { collectingLog, networksOf, podIn, soon, withoutNamespace } from '../../support/networks.ts';
import type { Networks } from '../../../src/cni/networks.ts';
import type { CniLab } from '../../support/cni.ts';

let lab: CniLab;
let networks: Networks;

beforeEach(async () => {
  lab = await makeCniLab();
  await lab.configure();
  networks = networksOf(lab);
  await networks.start();
});
afterEach(async () => {
  await networks.close();
  const left = [...(await lab.leftovers()), ...(await networks.attachments())];
  const records = await Promise.all(['attachments', 'pending'].map((name) => readdir(join(lab.cacheDir, name))));
  await lab.remove();
  assert.deepEqual([left, records], [[], [[], []]]);
});

async function inNamespace(path: string, ...command: string[]): Promise<string> {
  return (await execa('nsenter', [`--net=${path}`, ...command])).stdout;
}

test('attach gives the pod addresses of both families and makes it reachable; detach takes all back', async () => {
  const pod = podIn(lab);
  const { ips, results } = await networks.attach(pod, soon());

  assert.equal(ips.length, 2);
  const shown = await inNamespace(pod.netnsPath, 'ip', '-o', 'address', 'show', 'dev', 'eth0');
  for (const ip of ips) assert.ok(shown.includes(` ${ip}/`), `${ip} is not in: ${shown}`);
  // Nobody listens, and it says so: it can be reached.
  await assert.rejects(once(connect(1, ips[0]), 'connect', { signal: AbortSignal.timeout(5000) }), { code: 'ECONNREFUSED' });
  assert.deepEqual(Object.keys(results), [lab.network]);
  assert.deepEqual(networks.attachment(pod.containerId)?.ips, ips);
  assert.deepEqual(await networks.attachments(), [pod.containerId]);
  await networks.check(pod.containerId, soon());

  await networks.detach(pod, soon());
  await networks.detach(pod, soon());
  assert.equal(await inNamespace(pod.netnsPath, 'ip', '-o', 'link', 'show', 'type', 'veth'), '');
});

test('a host port leads to the pod', async () => {
  const pod = podIn(lab);
  const hostPort = 20_000 + Math.floor(Math.random() * 10_000);
  await networks.attach({ ...pod, capabilityArgs: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] } }, soon());

  const { stdout } = await execa('iptables-save', ['-t', 'nat']);
  assert.match(stdout, new RegExp(`--dport ${hostPort} -j DNAT --to-destination [0-9.]+:80`));
  await networks.detach(pod, soon());
});

test('where no plugin has the capability, a host port is left out with one warning', async () => {
  await lab.configure([lab.bridgePlugin]);
  await networks.close();
  const { log, lines } = collectingLog();
  networks = networksOf(lab, { log });
  await networks.start();
  const pod = podIn(lab);
  await networks.attach({ ...pod, capabilityArgs: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } }, soon());
  assert.deepEqual(lines, [
    `cni network "${lab.network}": no plugin has the portMappings capability, so nothing is told of host port 8080`,
  ]);
  await networks.detach(pod, soon());
});

test("each plugin is told the pod, its own capabilities' arguments and the result before it; DEL gets the last result", async () => {
  await installPlugin(lab.binDir, 'tells', 'writes-what-it-gets', ['ADD', 'DEL']);
  await lab.configure([lab.bridgePlugin, { type: 'tells', capabilities: { portMappings: false, dns: true } }]);
  await networks.close();
  networks = networksOf(lab);
  await networks.start();
  const pod = { ...podIn(lab), capabilityArgs: { dns: { servers: ['192.0.2.53'] }, bandwidth: { ingressRate: 1 } } };
  const { results } = await networks.attach(pod, soon());
  const told = async (): Promise<Record<string, unknown>> => (await readJson(join(lab.binDir, 'tells.config'))) as Record<string, unknown>;

  const atAdd = await told();
  assert.deepEqual(atAdd['runtimeConfig'], { dns: { servers: ['192.0.2.53'] } });
  assert.deepEqual([atAdd['name'], atAdd['cniVersion']], [lab.network, '1.0.0']);
  assert.deepEqual(atAdd['prevResult'], results[lab.network]);
  const environment = await readFile(join(lab.binDir, 'tells.environment'), 'utf8');
  const { name, namespace, uid } = pod.pod;
  assert.ok(
    environment.includes(
      `CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId};K8S_POD_UID=${uid}\n`,
    ),
    environment,
  );
  assert.ok(environment.includes(`CNI_NETNS=${pod.netnsPath}\n`));

  await networks.detach(withoutNamespace(lab, pod), soon());
  const atDel = await told();
  assert.deepEqual(atDel['prevResult'], results[lab.network]);
  assert.deepEqual(atDel['runtimeConfig'], { dns: { servers: ['192.0.2.53'] } });
  assert.match(await readFile(join(lab.binDir, 'tells.environment'), 'utf8'), /^CNI_NETNS=$/m);
  await removeFirewallRules(pod.containerId);
});

test('detach uses the configuration of the attach, changed or gone since', async () => {
  const changed = podIn(lab);
  const gone = podIn(lab);
  await networks.attach(changed, soon());
  await networks.attach(gone, soon());
  await lab.configure([{ type: 'does-not-exist' }]);
  await networks.close();
  networks = networksOf(lab);
  await networks.start();
  await networks.detach(changed, soon());
  await rm(join(lab.confDir, '10-test.conflist'));
  await networks.detach(gone, soon());
});

test('detach works with the namespace gone, also where its path is still named', async () => {
  const [untold, told] = [podIn(lab), podIn(lab)];
  for (const pod of [untold, told]) await networks.attach(pod, soon());
  await networks.detach(withoutNamespace(lab, untold), soon());
  withoutNamespace(lab, told);
  await networks.detach(told, soon());
  // The bridge plugin finds its masquerade rules by the addresses in the namespace, so with that gone it leaves them.
  for (const { containerId } of [untold, told]) await removeFirewallRules(containerId);
});

test('a container is attached once', async () => {
  const pod = podIn(lab);
  await networks.attach(pod, soon());
  await assert.rejects(networks.attach(pod, soon()), { kind: 'AlreadyExists' });
  await networks.detach(pod, soon());
});

test('ten attaches at once give ten addresses; ids that are no file names are refused', async () => {
  const pods = Array.from({ length: 10 }, () => podIn(lab));
  const attachments = await Promise.all(pods.map((pod) => networks.attach(pod, soon())));
  assert.equal(new Set(attachments.map(({ ips }) => ips[0])).size, 10);
  await Promise.all(pods.map((pod) => networks.detach(pod, soon())));
  await assert.rejects(networks.attach({ ...podIn(lab), containerId: '../x' }, soon()), { kind: 'InvalidArgument' });
});

for (const cniVersion of ['0.2.0', '0.3.1', '0.4.0', '1.0.0']) {
  test(`a network of version ${cniVersion} is attached, checked and detached`, async () => {
    await lab.configure([lab.bridgePlugin], { cniVersion });
    await networks.close();
    networks = networksOf(lab);
    await networks.start();
    const pod = podIn(lab);
    const { ips } = await networks.attach(pod, soon());
    assert.equal(ips.length, 2);
    await networks.check(pod.containerId, soon());
    await networks.detach(pod, soon());
  });
}

test('check says what the plugin finds wrong', async () => {
  const pod = podIn(lab);
  await networks.attach(pod, soon());
  await inNamespace(pod.netnsPath, 'ip', 'address', 'flush', 'dev', 'eth0');
  await assert.rejects(networks.check(pod.containerId, soon()), /^DaemonError: cni network "cni-t-.*", plugin bridge, CHECK: /);
  await assert.rejects(networks.check('never-attached', soon()), { kind: 'NotFound' });
  await networks.detach(pod, soon());
  await removeFirewallRules(pod.containerId);
});

test('a record that cannot be read is set aside, and its container is detached by the current configuration', async () => {
  const [broken, fine] = [podIn(lab), podIn(lab)];
  await networks.attach(broken, soon());
  await networks.attach(fine, soon());
  await writeFile(join(lab.cacheDir, 'attachments', `${broken.containerId}.json`), '{"version": 1');
  await networks.close();
  const { log, lines } = collectingLog();
  networks = networksOf(lab, { log });
  await networks.start();

  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /cannot be used and is set aside as .*\.json\.corrupt: must be JSON: /);
  assert.deepEqual((await networks.attachments()).sort(), [broken.containerId, fine.containerId].sort());
  assert.ok(networks.attachment(fine.containerId));
  await networks.detach(broken, soon());
  await networks.detach(fine, soon());
});
