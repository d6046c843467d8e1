/** A plugin that refuses its configuration refuses it at DEL too: that must come to an end, and be no reason to forget what is there. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { isPinned } from '../../../src/linux/namespaces.ts';
import type { Networks } from '../../../src/cni/networks.ts';
import { installPlugin, makeCniLab } from '../../support/cni.ts';
import type { CniLab } from '../../support/cni.ts';
import { collectingLog, networksOf, podIn, soon } from '../../support/networks.ts';

let lab: CniLab;
let networks: Networks;
let lines: string[];
let released: string[];

async function chain(plugin: object, retryMs = 1): Promise<void> {
  await lab.configure([lab.bridgePlugin, plugin]);
  const collected = collectingLog();
  lines = collected.lines;
  networks = networksOf(lab, { log: collected.log, retryMs, keptNamespaces: 3, releaseNamespace: async (id) => void released.push(id) });
  await networks.start();
}

beforeEach(async () => {
  lab = await makeCniLab();
  released = [];
});
afterEach(async () => {
  await networks.close();
  const left = [...(await lab.leftovers()), ...(await networks.attachments())];
  const records = await Promise.all(['attachments', 'pending'].map((name) => readdir(join(lab.cacheDir, name))));
  await lab.remove();
  assert.deepEqual([left, records], [[], [[], []]]);
});

async function untilReleased(): Promise<void> {
  for (let tries = 0; networks.pendingDetaches().length > 0; tries += 1) {
    assert.ok(tries < 1000, `still there: ${JSON.stringify(networks.pendingDetaches())}`);
    await pause(20);
  }
}

test('arguments that a plugin refuses: its DEL is not asked for again, and nothing is left', async () => {
  await chain({ type: 'portmap', capabilities: { portMappings: true } });
  const capabilityArgs = { portMappings: [{ hostPort: 18_126, containerPort: 0, protocol: 'tcp' as const }] };
  await assert.rejects(
    networks.attach({ ...podIn(lab), capabilityArgs }, soon()),
    /plugin portmap, ADD: .*Invalid container port number: 0/,
  );
  assert.deepEqual([await networks.attachments(), lines], [[], []]);
});

test('a configuration that a plugin refuses: its DEL is given up after some tries, with a line in the log, by later daemons too', async () => {
  await chain({ type: 'bandwidth', ingressRate: 1000 });
  const pod = podIn(lab);
  await assert.rejects(networks.attach(pod, soon()), /plugin bandwidth, ADD: if rate is set, burst must also be set/);
  assert.deepEqual(await networks.attachments(), [pod.containerId]);
  await networks.detachLater(pod);
  assert.equal(networks.needsNamespace(pod.containerId), true);
  await networks.close();
  networks = networksOf(lab, { log: { ...collectingLog().log, error: (line: string) => void lines.push(line) }, retryMs: 1, releaseNamespace: async (id) => void released.push(id) }); // prettier-ignore
  await networks.start();

  await untilReleased();
  assert.equal(networks.needsNamespace(pod.containerId), false);
  assert.deepEqual(released, [pod.containerId]);
  const words =
    'plugin bandwidth, DEL: if rate is set, burst must also be set; it refused the ADD in the same words and is not asked again';
  assert.equal(lines.at(-1), `cni network "${lab.network}", ${words}`);
});

test('a plugin that says the same because its agent is away is asked again until it works', async () => {
  await chain({ type: 'fixture', capabilities: { dns: true } });
  await installPlugin(lab.binDir, 'fixture', 'fails', ['ADD', 'DEL']);
  const pod = { ...podIn(lab), capabilityArgs: { dns: { servers: ['192.0.2.53'] } } };
  await assert.rejects(networks.attach(pod, soon()), /plugin fixture, ADD: no address left/);
  await networks.detachLater(pod);
  for (let tries = 0; (networks.pendingDetaches()[0]?.attempts ?? 0) < 3; tries += 1) {
    assert.ok(tries < 4000, `three tries have not failed: ${JSON.stringify(networks.pendingDetaches())}\n${lines.join('\n')}`);
    await pause(5);
  }
  assert.equal(networks.needsNamespace(pod.containerId), true);
  await installPlugin(lab.binDir, 'fixture', 'passes');
  await untilReleased();
  assert.deepEqual(released, [pod.containerId]);
  assert.equal(isPinned(pod.netnsPath), true, 'its owner takes it away');
});

test('a plugin that is down for long has so many namespaces kept and no more; the others are released without theirs', async () => {
  await chain({ type: 'fixture' }, 1000);
  await installPlugin(lab.binDir, 'fixture', 'fails', ['ADD', 'DEL']);
  const pods = Array.from({ length: 8 }, () => podIn(lab));
  for (const pod of pods) {
    await assert.rejects(networks.attach(pod, soon()), /plugin fixture, ADD: no address left/);
    await networks.detachLater(pod);
  }
  const kept = pods.filter(({ containerId }) => networks.needsNamespace(containerId));
  assert.equal(kept.length, 3);
  assert.equal(lines.filter((line) => line === '3 namespaces are kept for queued detaches already; this one is not').length, 5);
  await installPlugin(lab.binDir, 'fixture', 'passes');
  await untilReleased();
  assert.deepEqual(released.sort(), kept.map(({ containerId }) => containerId).sort());
});
