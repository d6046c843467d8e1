/** Fields of a pod's request that only show in its network, its files and its names. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { NamespaceMode } from '../../api/cri/enums.ts';
import type { Init, PortMapping } from '../../api/cri/runtime.ts';
import { assertNothingNew, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { execOutput, failureOf, podConfig, runContainer, runPod } from '../support/pods.ts';

const test = sharedDaemon();
const SLEEP = ['sleep', '3600'];

const BAD_PORTS: readonly (readonly [Init<PortMapping>, RegExp])[] = [
  [{ hostPort: 61_081, containerPort: 0 }, /port_mappings\[0\]\.container_port is 0, must be from 1 to 65535/],
  [{ hostPort: 61_081, containerPort: -1 }, /port_mappings\[0\]\.container_port is -1/],
  [{ hostPort: 70_000, containerPort: 80 }, /port_mappings\[0\]\.host_port is 70000/],
  [{ hostPort: 61_081, containerPort: 80, protocol: 7 }, /port_mappings\[0\]\.protocol is 7, must be TCP \(0\), UDP \(1\) or SCTP \(2\)/],
  [{ hostPort: 61_081, containerPort: 80, hostIp: 'not-an-ip' }, /port_mappings\[0\]\.host_ip is "not-an-ip", must be an IP address/],
];

test('ports, protocols and addresses that are none are refused by their field, before anything is made', async (daemon) => {
  const before = await inventoryOf(daemon);
  for (const [mapping, says] of BAD_PORTS) {
    const config = podConfig(daemon, { change: { portMappings: [mapping] } });
    const { code, message } = await failureOf(daemon.runtime.runPodSandbox({ config }));
    assert.equal(code, 'INVALID_ARGUMENT', message);
    assert.match(message, says);
  }
  await assertNothingNew(daemon, before);
  assert.doesNotMatch(await readFile(daemon.logFile, 'utf8'), /, ADD:/, 'a plugin was asked');
});

test("a DNS configuration with nothing in it gives the node's resolv.conf", async (daemon) => {
  const pod = await runPod(daemon, { change: { dnsConfig: {} }, namespaces: { network: NamespaceMode.NODE } });
  const seen = await execOutput(daemon, await runContainer(daemon, pod, SLEEP), ['cat', '/etc/resolv.conf']);
  assert.equal(seen, (await readFile('/etc/resolv.conf', 'utf8')).trimEnd());
  assert.notEqual(seen, '');
});

test("a pod on the node's network has the node's name everywhere, whatever name it asks for", async (daemon) => {
  const pod = await runPod(daemon, { change: { hostname: 'of-its-own' }, namespaces: { network: NamespaceMode.NODE } });
  const id = await runContainer(daemon, pod, SLEEP);
  assert.equal(await execOutput(daemon, id, ['hostname']), hostname());
  assert.equal(await execOutput(daemon, id, ['cat', '/etc/hostname']), hostname());
  assert.match(await execOutput(daemon, id, ['env']), new RegExp(`^HOSTNAME=${hostname()}$`, 'm'));
});
