// long: 18 s
import assert from 'node:assert/strict';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findProcessesByEnvironment } from '../../../src/linux/process.ts';
import { installPlugin, makeCniLab } from '../../support/cni.ts';
import { until } from '../../support/pods.ts';
import { collectingLog, networksOf, podIn, soon, withoutNamespace } from '../../support/networks.ts';
import type { Networks } from '../../../src/cni/networks.ts';
import type { Behaviour, CniLab } from '../../support/cni.ts';

let lab: CniLab;
let networks: Networks;
let lines: string[];

/** A chain of the real bridge and portmap with the fixture plugin at `place`, and networks over it with a time for each plugin. */
async function chainWithFixtureAt(place: number, does: Behaviour, at: readonly string[], timeoutMs = 1500): Promise<void> {
  await installPlugin(lab.binDir, 'fixture', does, at);
  const plugins: object[] = [lab.bridgePlugin, { type: 'portmap', capabilities: { portMappings: true } }];
  plugins.splice(place, 0, { type: 'fixture' });
  await lab.configure(plugins);
  const collected = collectingLog();
  lines = collected.lines;
  networks = networksOf(lab, { log: collected.log, addTimeoutMs: timeoutMs, delTimeoutMs: timeoutMs });
  await networks.start();
}

async function callsOf(plugin: string): Promise<string[]> {
  return (await readFile(join(lab.binDir, `${plugin}.calls`), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
}

/** Waits until the fixture plugin has been called with this verb. */
async function called(verb: string): Promise<void> {
  const log = join(lab.binDir, 'fixture.calls');
  await until(`the plugin is called with ${verb}`, async () => (await readFile(log, 'utf8').catch(() => '')).includes(verb), 30_000);
}

beforeEach(async () => {
  lab = await makeCniLab();
});
afterEach(async () => {
  await networks.close();
  const left = [
    ...(await lab.leftovers()),
    ...(await networks.attachments()),
    ...networks.pendingDetaches().map(({ containerId }) => containerId),
  ];
  const records = await Promise.all(['attachments', 'pending'].map((name) => readdir(join(lab.cacheDir, name))));
  await lab.remove();
  assert.deepEqual([left, records], [[], [[], []]]);
});

/** What a plugin started is killed with it, and then needs a processor to end. */
async function untilNoProcessOf(containerId: string): Promise<void> {
  await until(
    'what the plugin started has ended',
    async () => (await findProcessesByEnvironment('CNI_CONTAINERID', containerId)).length === 0,
  );
}

const FAILURES: [Behaviour, string][] = [
  ['fails', 'no address left (the pool is full)'],
  ['fails-plainly', 'exit code 3: cannot reach the agent | giving up'],
  ['hangs', 'no answer after 1.5 s, killed; it said: waiting for the agent'],
  ['answers-garbage', 'answered what is not JSON: all is well'],
  ['answers-too-much', 'answered more than 1048576 bytes, must be less'],
  ['answers-nothing', 'answered nothing, must answer a JSON object'],
  ['answers-a-list', 'the answer: must be an object, is an empty list'],
  ['crashes', 'ended by signal 11 without a word'],
];

for (const [does, words] of FAILURES) {
  test(`ADD: a plugin that ${does} fails its pod in its words, leaves nothing, and others go on`, async () => {
    await chainWithFixtureAt(2, does, ['ADD']);
    const failing = podIn(lab);
    const started = performance.now();
    await assert.rejects(networks.attach(failing, soon()), { message: `cni network "${lab.network}", plugin fixture, ADD: ${words}` });
    assert.ok(performance.now() - started < 4500, `took ${performance.now() - started} ms`);
    assert.deepEqual(await networks.attachments(), []);
    await untilNoProcessOf(failing.containerId);

    await installPlugin(lab.binDir, 'fixture', 'passes');
    const { ips } = await networks.attach(failing, soon());
    assert.equal(ips.length, 2);
    await networks.detach(failing, soon());
    assert.deepEqual(lines, []);
  });
}

for (const [does, words] of FAILURES.filter(([name]) => !name.startsWith('answers'))) {
  test(`DEL: a plugin that ${does} fails the detach in its words, and the next one ends it`, async () => {
    await chainWithFixtureAt(1, does, ['DEL']);
    const pod = podIn(lab);
    const other = podIn(lab);
    await networks.attach(pod, soon());
    const message = `cni network "${lab.network}", plugin fixture, DEL: ${words}`;
    const started = performance.now();
    const failed = assert.rejects(networks.detach(pod, soon()), { message });
    await networks.attach(other, soon());
    await failed;
    assert.ok(performance.now() - started < 4500);
    await assert.rejects(networks.detach(pod, soon()), { message }, 'it is tried again each time');
    assert.deepEqual((await networks.attachments()).sort(), [pod.containerId, other.containerId].sort());
    await untilNoProcessOf(pod.containerId);

    await installPlugin(lab.binDir, 'fixture', 'passes');
    await networks.detach(pod, soon());
    await networks.detach(other, soon());
  });
}

test("while one pod's ADD hangs, another's goes through", async () => {
  await chainWithFixtureAt(1, 'hangs', ['ADD'], 60_000);
  const work = new AbortController();
  const hanging = assert.rejects(networks.attach(podIn(lab), work.signal), { kind: 'Canceled' });
  await called('ADD');
  await installPlugin(lab.binDir, 'fixture', 'passes');
  const pod = podIn(lab);
  await networks.attach(pod, AbortSignal.timeout(50_000));
  await networks.detach(pod, soon());
  work.abort();
  await hanging;
});

test('a chain whose first plugin fails runs no other plugin', async () => {
  await chainWithFixtureAt(0, 'fails', ['ADD']);
  await assert.rejects(networks.attach(podIn(lab), soon()), /plugin fixture, ADD: no address left/);
  assert.deepEqual(await callsOf('fixture'), ['ADD', 'DEL']);
});

test('a plugin that fails once is asked again by the next attach', async () => {
  await chainWithFixtureAt(2, 'fails-once', ['ADD']);
  const pod = podIn(lab);
  await assert.rejects(networks.attach(pod, soon()), { kind: 'Unavailable', message: /the agent is starting$/ });
  await networks.attach(pod, soon());
  await networks.detach(pod, soon());
  assert.deepEqual(await callsOf('fixture'), ['ADD', 'DEL', 'ADD', 'DEL']);
});

test('an abort ends the attach at once and leaves nothing', async () => {
  await chainWithFixtureAt(2, 'hangs', ['ADD'], 60_000);
  const work = new AbortController();
  const attached = assert.rejects(networks.attach(podIn(lab), work.signal), { kind: 'Canceled' });
  // Not before: a plugin that is killed in its work may refuse its DEL.
  await called('ADD');
  const aborted = performance.now();
  work.abort();
  await attached;
  assert.ok(performance.now() - aborted < 30_000);
});

test('a result without an address fails the attach', async () => {
  await chainWithFixtureAt(2, 'answers-no-address', ['ADD']);
  await assert.rejects(networks.attach(podIn(lab), soon()), {
    message: `cni network "${lab.network}", ADD: the result has no address for eth0, must have one`,
  });
});

test('a missing plugin is said before anything is done', async () => {
  await chainWithFixtureAt(2, 'passes', ['ADD']);
  await rm(join(lab.binDir, 'fixture'));
  await assert.rejects(networks.attach(podIn(lab), soon()), {
    kind: 'Unavailable',
    message: `cni network "${lab.network}": plugin binary fixture not found in ${lab.binDir}`,
  });
});

test('where ADD fails and its DEL too, the others still free what they hold, and the record waits for the next detach', async () => {
  await chainWithFixtureAt(2, 'fails', ['ADD', 'DEL']);
  const pod = podIn(lab);
  await assert.rejects(networks.attach(pod, soon()), /plugin fixture, ADD: no address left/);
  assert.deepEqual(await lab.leftovers(), []);
  assert.deepEqual(await networks.attachments(), [pod.containerId]);
  assert.equal(networks.attachment(pod.containerId), undefined);
  assert.match(lines[0] ?? '', /^take back a failed attach: cni network .*, plugin fixture, DEL: no address left/);
  await assert.rejects(networks.detach(pod, soon()), /plugin fixture, DEL: no address left/);

  await installPlugin(lab.binDir, 'fixture', 'passes');
  await networks.detach(pod, soon());
});

test('a queued detach is tried until it works, by later daemons too', async () => {
  await lab.configure([{ ...lab.bridgePlugin, ipMasq: false }, { type: 'fixture' }]);
  await installPlugin(lab.binDir, 'fixture', 'fails', ['DEL']);
  networks = networksOf(lab);
  await networks.start();
  const pod = podIn(lab);
  await networks.attach(pod, soon());
  await networks.detachLater(withoutNamespace(lab, pod));
  assert.deepEqual(await networks.attachments(), []);
  await waitUntil(() => (networks.pendingDetaches()[0]?.attempts ?? 0) >= 2);
  const [pending] = networks.pendingDetaches();
  assert.deepEqual([pending?.containerId, pending?.pod, pending?.network], [pod.containerId, pod.pod, lab.network]);
  assert.match(pending?.lastError ?? '', /plugin fixture, DEL: no address left/);
  await assert.rejects(networks.attach(pod, soon()), { kind: 'AlreadyExists' });
  await networks.detach(pod, soon());
  await networks.close();

  await rm(join(lab.confDir, '10-test.conflist'));
  networks = networksOf(lab);
  await networks.start();
  await waitUntil(() => (networks.pendingDetaches()[0]?.attempts ?? 0) >= 1);
  await installPlugin(lab.binDir, 'fixture', 'passes');
  await waitUntil(() => networks.pendingDetaches().length === 0);
});

async function waitUntil(condition: () => boolean): Promise<void> {
  const started = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - started < 5000, 'not so after 5 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
