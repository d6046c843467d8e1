import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { readJson, remove } from 'fs-extra/esm';
import { installPlugin, makeCniLab, REAL_PLUGINS, realVersions } from '../../support/cni.ts';
import { collectingLog, networksOf, podIn, soon } from '../../support/networks.ts';
import type { Networks } from '../../../src/cni/networks.ts';
import type { NetworksOptions } from '../../../src/cni/networks-options.ts';
import type { NetworkStatus } from '../../../src/cni/network-status.ts';
import type { CniLab } from '../../support/cni.ts';

let lab: CniLab;
let networks: Networks;

async function start(more: Partial<NetworksOptions> = {}): Promise<void> {
  networks = networksOf(lab, more);
  await networks.start();
}

async function notReady(): Promise<string> {
  const { ready, reason, message } = await networks.status();
  assert.deepEqual([ready, reason], [false, 'NetworkPluginNotReady']);
  return message;
}

const FINE: NetworkStatus = { ready: true, reason: '', message: '', skipped: [] };

beforeEach(async () => {
  lab = await makeCniLab();
});
afterEach(async () => {
  await networks.close();
  await lab.remove();
});

test('without a configuration the network is not ready; one that comes is seen by the next status', async () => {
  await remove(lab.confDir);
  await start({ rescanMs: 600_000 });
  assert.equal(await notReady(), `no network configuration in ${lab.confDir}`);
  await assert.rejects(networks.attach(podIn(lab), soon()), {
    kind: 'Unavailable',
    message: new RegExp(`^attach [0-9a-f]{64} to the network: no network configuration in ${lab.confDir}$`),
  });

  await mkdir(lab.confDir);
  await lab.configure();
  assert.deepEqual(await networks.status(), FINE);
});

test('a file that cannot be used is told, also while another one is in use', async () => {
  const file = join(lab.confDir, '00-bad.conflist');
  await writeFile(file, '{"name": "bad"}');
  await start({ rescanMs: 600_000 });
  assert.equal(
    await notReady(),
    `no network configuration in ${lab.confDir}; ${file} is skipped: "plugins" is empty, must have at least one plugin`,
  );
  await lab.configure();
  assert.deepEqual(await networks.status(), { ...FINE, skipped: [{ file, error: '"plugins" is empty, must have at least one plugin' }] });
});

test('a missing plugin binary, of a plugin or of its IPAM, is told', async () => {
  await lab.configure([lab.bridgePlugin, { type: 'not-installed' }]);
  await start();
  assert.equal(await notReady(), `cni network "${lab.network}": plugin binary not-installed not found in ${lab.binDir}`);
  await networks.close();
  await lab.configure([{ type: 'bridge', ipam: { type: 'no-ipam' } }]);
  await start();
  assert.equal(await notReady(), `cni network "${lab.network}": plugin binary no-ipam not found in ${lab.binDir}`);
});

test('a plugin that is too old for the network is told', async () => {
  await installPlugin(lab.binDir, 'fixture', 'is-old', ['VERSION']);
  await lab.configure([lab.bridgePlugin, { type: 'fixture' }]);
  await start();
  const words = `cni network "${lab.network}", plugin fixture: it supports versions 0.1.0, 0.2.0, the network asks for 1.0.0`;
  assert.equal(await notReady(), words);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  assert.equal(await notReady(), words);
});

test('STATUS is asked from version 1.1.0 on, and not again for every call', async () => {
  await installPlugin(lab.binDir, 'fixture', 'fails', ['STATUS']);
  await lab.configure([{ type: 'fixture' }], { cniVersion: '1.1.0' });
  await start();
  const words = `cni network "${lab.network}", plugin fixture, STATUS: no address left (the pool is full)`;
  assert.deepEqual([await notReady(), await notReady(), await notReady()], [words, words, words]);
  assert.equal((await readFile(join(lab.binDir, 'fixture.calls'), 'utf8')).trim(), 'STATUS');

  await installPlugin(lab.binDir, 'fixture', 'passes');
  await new Promise((resolve) => setTimeout(resolve, 2100));
  assert.deepEqual(await networks.status(), FINE);
});

test('with a grace period a network that was ready is called so until it has failed for that long, and one that was not is not', async () => {
  await installPlugin(lab.binDir, 'fixture', 'fails', ['STATUS']);
  await lab.configure([{ type: 'fixture' }], { cniVersion: '1.1.0' });
  const { log, lines } = collectingLog();
  await start({ statusGraceMs: 3000, log });
  assert.match(await notReady(), /no address left/);
  assert.deepEqual(lines, []);

  // Another network object, which is asked at once.
  const change = async (does: 'fails' | 'passes', turn: number): Promise<void> => {
    await installPlugin(lab.binDir, 'fixture', does, ['STATUS']);
    await lab.configure([{ type: 'fixture', turn }], { cniVersion: '1.1.0' });
    while (networks.describe().network?.plugins[0]?.document['turn'] !== turn) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await change('passes', 1);
  assert.deepEqual(await networks.status(), FINE);
  await change('fails', 2);
  const failing = performance.now();
  assert.deepEqual(await networks.status(), FINE);
  assert.match(lines.join('\n'), /^the network is not ready, which is said after 3 s: .*no address left/);
  while ((await networks.status()).ready) await new Promise((resolve) => setTimeout(resolve, 50));
  const ms = performance.now() - failing;
  assert.ok(ms >= 2990 && ms < 8000, `${ms} ms`);
  assert.match(await notReady(), /no address left/);
  assert.equal(lines.length, 1);
  await change('passes', 3);
  assert.deepEqual(await networks.status(), FINE);
});

test('STATUS is not asked before version 1.1.0', async () => {
  await installPlugin(lab.binDir, 'fixture', 'fails', ['STATUS']);
  await lab.configure([{ type: 'fixture' }], { cniVersion: '1.0.0' });
  await start();
  assert.deepEqual(await networks.status(), FINE);
});

test('a plugin whose STATUS hangs holds up a call for 2 s at most', async () => {
  await installPlugin(lab.binDir, 'fixture', 'hangs', ['STATUS']);
  await lab.configure([{ type: 'fixture' }], { cniVersion: '1.1.0' });
  await start({ queryTimeoutMs: 3000 });
  const started = performance.now();
  assert.equal(await notReady(), `cni network "${lab.network}": its plugins have not answered yet`);
  assert.ok(performance.now() - started < 2500);
  assert.match(await notReady(), /plugin fixture, STATUS: no answer after 3 s, killed/);
});

test('GC tells the plugins which attachments are valid', async () => {
  await installPlugin(lab.binDir, 'fixture', 'writes-what-it-gets', ['GC']);
  await lab.configure([{ type: 'fixture' }], { cniVersions: ['1.0.0', '1.1.0'] });
  await start();
  const pod = podIn(lab);
  await networks.attach(pod, soon());
  assert.equal(await networks.collectGarbage(['1'.repeat(64), pod.containerId], soon()), true);
  const config = (await readJson(join(lab.binDir, 'fixture.config'))) as Record<string, unknown>;
  assert.deepEqual(
    config['cni.dev/valid-attachments'],
    [pod.containerId, '1'.repeat(64)].map((containerID) => ({ containerID, ifname: 'eth0' })),
  );
  assert.equal(config['cniVersion'], '1.1.0');
  assert.match(await readFile(join(lab.binDir, 'fixture.environment'), 'utf8'), /^CNI_COMMAND=GC$/m);
  await networks.detach(pod, soon());
});

test("GC is asked of a handler's network too, and its status is not the node's", async () => {
  const confDir = join(lab.dir, 'apart.d');
  await mkdir(confDir);
  await lab.configure([{ type: 'node' }], { cniVersion: '1.1.0' });
  await writeFile(join(confDir, '1.conflist'), JSON.stringify({ cniVersion: '1.1.0', name: 'apart', plugins: [{ type: 'apart' }] }));
  await installPlugin(lab.binDir, 'node', 'passes', []);
  await installPlugin(lab.binDir, 'apart', 'writes-what-it-gets', ['GC']);
  await start({ handlerConfDirs: new Map([['kata', confDir]]) });
  const pod = { ...podIn(lab), handler: 'kata' };
  await networks.attach(pod, soon());
  assert.equal(await networks.collectGarbage([], soon()), true);
  const config = (await readJson(join(lab.binDir, 'apart.config'))) as Record<string, unknown>;
  assert.deepEqual(config['cni.dev/valid-attachments'], [{ containerID: pod.containerId, ifname: 'eth0' }]);
  assert.equal(networks.describe().handlers['kata']?.network?.name, 'apart');
  await networks.detach(pod, soon());

  await remove(confDir);
  await networks.close();
  await start({ handlerConfDirs: new Map([['kata', confDir]]) });
  assert.deepEqual(await networks.status(), FINE);
  await assert.rejects(networks.attach({ ...podIn(lab), handler: 'kata' }, soon()), {
    message: new RegExp(`no network configuration in ${confDir}$`),
  });
});

test('GC is not asked where the configuration or its version says no', async () => {
  for (const more of [{ cniVersion: '1.0.0' }, { cniVersion: '1.1.0', disableGC: true }]) {
    await installPlugin(lab.binDir, 'fixture', 'fails', ['GC']);
    await lab.configure([{ type: 'fixture' }], more);
    await start();
    assert.equal(await networks.collectGarbage([], soon()), false);
    await networks.close();
  }
});

test('the real plugins of spec 1.1.0 answer STATUS and GC, and GC leaves what is attached alone', async (t) => {
  networks = networksOf(lab);
  if (!(await realVersions('bridge')).includes('1.1.0')) {
    t.skip(`the bridge plugin in ${REAL_PLUGINS} has no CNI 1.1.0 (CNI_PLUGIN_DIR names another directory)`);
    return;
  }
  await lab.configure(undefined, { cniVersion: '1.1.0' });
  await networks.start();
  assert.deepEqual(await networks.status(), FINE);
  const pod = podIn(lab);
  await networks.attach(pod, soon());
  const before = await lab.leftovers();
  assert.equal(await networks.collectGarbage([], soon()), true);
  assert.deepEqual(await lab.leftovers(), before);
  await networks.check(pod.containerId, soon());
  await networks.detach(pod, soon());
  assert.deepEqual(await lab.leftovers(), []);
});
