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
  const namespaces = { network: NamespaceMode.NODE, pid: NamespaceMode.POD };
  const pod = await runPod(daemon, { change: { hostname: 'of-its-own' }, namespaces });
  const id = await runContainer(daemon, pod, SLEEP);
  assert.equal(await execOutput(daemon, id, ['hostname']), hostname());
  assert.equal(await execOutput(daemon, id, ['cat', '/etc/hostname']), hostname());
  assert.match(await execOutput(daemon, id, ['env']), new RegExp(`^HOSTNAME=${hostname()}$`, 'm'));
});

test("sysctls of the pod's interface are set when the interface is there, over those of the network", async (daemon) => {
  await daemon.useCniPlugins([...daemon.bridgePlugins(), { type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.arp_notify': '0' } }]);
  const sysctls = {
    'net.ipv4.conf.eth0.arp_filter': '1',
    'net/ipv4/conf/eth0/arp_notify': '1',
    'net.ipv4.neigh.eth0.gc_stale_time': '61',
    'net.ipv4.conf.all.log_martians': '1',
    'net.core.somaxconn': '77',
  };
  const pod = await runPod(daemon, { change: { linux: { ...podConfig(daemon).linux, sysctls } } });
  const id = await runContainer(daemon, pod, SLEEP);
  for (const [name, value] of Object.entries(sysctls)) {
    assert.equal(await execOutput(daemon, id, ['cat', `/proc/sys/${name.replaceAll('.', '/')}`]), value, name);
  }
});

for (const [name, value, says] of [
  ['net.core.nothing', '1', /set sysctl net\.core\.nothing=1 in the namespaces of the pod: the kernel has no sysctl of this name there/],
  ['net.ipv4.conf.eth9.arp_filter', '1', /net\.ipv4\.conf\.eth9\.arp_filter=1 .* has no sysctl of this name/],
  ['net.ipv4.conf', '1', /that is a group of sysctls, must be one/],
  ['net.ipv4.ip_forward', 'yes', /net\.ipv4\.ip_forward=yes .* does not take this value/],
  ['net.ipv4.conf.eth0.arp_filter', 'yes', /arp_filter=yes .* does not take this value/],
  ['net.ipv4.tcp_available_congestion_control', 'cubic', /lets nobody write it there/],
] as const) {
  test(`sysctl ${name}=${value} is refused in words that name it, and nothing is left`, async (daemon) => {
    const before = await inventoryOf(daemon);
    const config = podConfig(daemon);
    const call = daemon.runtime.runPodSandbox({ config: { ...config, linux: { ...config.linux, sysctls: { [name]: value } } } });
    const { code, message } = await failureOf(call);
    assert.equal(code, 'INVALID_ARGUMENT', message);
    assert.match(message, says);
    await assertNothingNew(daemon, before);
  });
}
