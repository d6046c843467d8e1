/** The plugins that a network is usually chained of, the real ones: what a pod asks for is looked at in the kernel. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { readJson } from 'fs-extra/esm';
import { installPlugin } from '../support/cni.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { failureOf, podAddress, podConfig, removePod, runContainer, runPod, shell, untilPage } from '../support/pods.ts';

const test = sharedDaemon();

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';
const BANDWIDTH = { type: 'bandwidth', capabilities: { bandwidth: true } };

/** Chains plugins behind bridge and portmap. */
async function chain(daemon: TestDaemon, ...plugins: readonly object[]): Promise<void> {
  await daemon.useCniPlugins([...daemon.bridgePlugins(), ...plugins]);
}

/** What a command prints, in the pod's network namespace where one is given. */
async function printed(command: readonly string[], pod?: { daemon: TestDaemon; id: string }): Promise<string> {
  const inside = pod === undefined ? [] : ['nsenter', `--net=${join(pod.daemon.runDir, 'ns', pod.id, 'net')}`];
  const [program = '', ...args] = [...inside, ...command];
  return (await execa(program, args)).stdout;
}

/** The node's ends of the pods' links. */
async function portsOf(daemon: TestDaemon): Promise<string[]> {
  const lines = (await printed(['ip', '-o', 'link', 'show', 'master', daemon.bridge])).split('\n');
  return lines.flatMap((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? []);
}

test('bandwidth: the rates of the annotations are in the kernel, in each direction, and gone with the pod', async (daemon) => {
  await chain(daemon, BANDWIDTH);
  await runPod(daemon);
  const before = await portsOf(daemon);
  const pod = await runPod(daemon, { change: { annotations: { [INGRESS]: '10M', [EGRESS]: '3M' } } });
  const [port = ''] = (await portsOf(daemon)).filter((name) => !before.includes(name));

  assert.match(await printed(['tc', 'qdisc', 'show', 'dev', port]), /qdisc tbf .* rate 10Mbit/);
  const devices = [...(await printed(['tc', 'filter', 'show', 'dev', port, 'ingress'])).matchAll(/Redirect to device (\S+?)\)/g)];
  const device = devices[0]?.[1] ?? '';
  assert.match(await printed(['tc', 'qdisc', 'show', 'dev', device]), /qdisc tbf .* rate 3Mbit/);

  await removePod(daemon, pod.id);
  await assert.rejects(printed(['ip', 'link', 'show', 'dev', device]), /does not exist/);
});

for (const [what, annotations, shaped] of [
  ['ingress', { [INGRESS]: '1500k' }, /rate 1500Kbit/],
  ['egress', { [EGRESS]: '1Gi' }, /qdisc ingress/],
] as const) {
  test(`bandwidth: ${what} alone is fine`, async (daemon) => {
    await chain(daemon, BANDWIDTH);
    await runPod(daemon, { change: { annotations } });
    const [port = ''] = await portsOf(daemon);
    assert.match(await printed(['tc', 'qdisc', 'show', 'dev', port]), shaped);
  });
}

test('bandwidth: the limit is felt from the first megabytes on', async (daemon) => {
  await chain(daemon, BANDWIDTH);
  const pod = await runPod(daemon, { change: { annotations: { [EGRESS]: '40M' } } });
  await runContainer(daemon, pod, shell('mkdir -p /srv; dd if=/dev/zero of=/srv/page bs=1M count=20 2>/dev/null; httpd -f -h /srv'));
  const address = await podAddress(daemon, pod.id);
  await untilPage(`http://${address}/nothing`);
  const begin = Date.now();
  const bytes = await (await fetch(`http://${address}/page`)).arrayBuffer();
  // 160 Mbit, of which 40 pass at once: 3 s.
  assert.equal(bytes.byteLength, 20 * 2 ** 20);
  assert.ok(Date.now() - begin > 2000, `20 MiB came in ${Date.now() - begin} ms through 40 Mbit/s`);
});

for (const [what, rate, says] of [
  ['is no quantity', 'much', /annotation kubernetes\.io\/ingress-bandwidth is "much", must be a quantity of bits per second such as 10M/],
  ['is less than 1k', '10', /annotation kubernetes\.io\/ingress-bandwidth is "10", must be from 1k to 1P/],
] as const) {
  test(`bandwidth: a rate that ${what} is refused, not left out`, async (daemon) => {
    const config = podConfig(daemon, { change: { annotations: { [INGRESS]: rate } } });
    const { code, message } = await failureOf(daemon.runtime.runPodSandbox({ config }));
    assert.equal(code, 'INVALID_ARGUMENT');
    assert.match(message, says);
  });
}

test('a plugin is told of the pod what it declares: annotations, DNS, cgroup; and nothing else', async (daemon) => {
  await installPlugin(daemon.cniBinDir, 'asks', 'writes-what-it-gets', ['ADD', 'DEL']);
  const told = async (): Promise<unknown> =>
    ((await readJson(join(daemon.cniBinDir, 'asks.config'))) as { runtimeConfig?: unknown }).runtimeConfig;
  await chain(daemon, { type: 'asks', capabilities: { 'io.kubernetes.cri.pod-annotations': true, dns: true, cgroupPath: true } });
  const annotations = { 'example.org/network': '{"a": 1}', [INGRESS]: '10M' };
  const { id, config } = await runPod(daemon, { change: { annotations } });
  const all = { dns: config.dnsConfig, cgroupPath: config.linux?.cgroupParent, 'io.kubernetes.cri.pod-annotations': annotations };
  assert.deepEqual(await told(), all);
  await removePod(daemon, id);
  assert.deepEqual(await told(), all, 'at DEL');

  await chain(daemon, { type: 'asks', capabilities: { dns: false } });
  await runPod(daemon, { change: { annotations } });
  assert.equal(await told(), undefined);
});

test('tuning: sysctls of the network configuration are in the pod, under those of the pod itself', async (daemon) => {
  await chain(daemon, { type: 'tuning', sysctl: { 'net.core.somaxconn': '321', 'net.ipv4.conf.eth0.arp_filter': '1' } });
  const { id } = await runPod(daemon);
  const pod = { daemon, id };
  assert.equal(await printed(['cat', '/proc/sys/net/core/somaxconn'], pod), '321');
  assert.equal(await printed(['cat', '/proc/sys/net/ipv4/conf/eth0/arp_filter'], pod), '1');
});

test("sbr: the pod's own address has a routing table of its own", async (daemon) => {
  await chain(daemon, { type: 'sbr' });
  const { id } = await runPod(daemon);
  const address = await podAddress(daemon, id);
  assert.match(await printed(['ip', 'rule', 'show'], { daemon, id }), new RegExp(`from ${address} lookup 100`));
});

test('firewall: forwarding from and to the pod is allowed while it is there', async (daemon) => {
  await chain(daemon, { type: 'firewall', backend: 'iptables' });
  const { id } = await runPod(daemon);
  const address = await podAddress(daemon, id);
  const rules = async (): Promise<string[]> =>
    (await printed(['iptables-save', '-t', 'filter'])).split('\n').filter((line) => line.includes(`${address}/32`));
  assert.equal((await rules()).length, 2);
  await removePod(daemon, id);
  assert.deepEqual(await rules(), []);
});

test('vrf: the interface is in the VRF of the network; where the kernel has none, the pod fails in its words and leaves nothing', async (daemon) => {
  const add = ['unshare', '--net', 'ip', 'link', 'add', 'vrf-test', 'type', 'vrf', 'table', '100'];
  const hasVrf = await printed(add).then(
    () => true,
    () => false,
  );
  await chain(daemon, { type: 'vrf', vrfname: 'blue' });
  if (hasVrf) {
    const { id } = await runPod(daemon);
    assert.match(await printed(['ip', '-o', 'link', 'show', 'dev', 'eth0'], { daemon, id }), / master blue /);
    return;
  }
  const before = await inventoryOf(daemon);
  const { message } = await failureOf(daemon.runtime.runPodSandbox({ config: podConfig(daemon) }));
  assert.match(message, /plugin vrf, ADD: .*not supported/);
  await assertNothingNew(daemon, before);
});

test('portmap without its capability in the configuration: the pod starts with one warning, without the mapping', async (daemon) => {
  await daemon.useCniPlugins([...daemon.bridgePlugins().slice(0, 1), { type: 'portmap', snat: true }]);
  const { id } = await runPod(daemon, { change: { portMappings: [{ protocol: 0, containerPort: 80, hostPort: 61_080 }] } });
  const log = await readFile(daemon.logFile, 'utf8');
  const warnings = log.split('\n').filter((line) => line.includes('WARN') && line.includes(id));
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.match(warnings[0] ?? '', /no plugin has the portMappings capability, so nothing is told of host port 61080/);
  assert.doesNotMatch(await printed(['iptables-save', '-t', 'nat']), /--dport 61080/);
});
