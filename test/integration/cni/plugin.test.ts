import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { readJson, remove } from 'fs-extra/esm';
import { silentLog } from '../../../src/base/log.ts';
import { PluginFinder } from '../../../src/cni/plugin-finder.ts';
import { PluginRunner } from '../../../src/cni/plugin.ts';
import { findProcessesByEnvironment } from '../../../src/linux/process.ts';
import { installPlugin } from '../../support/cni.ts';
import { until } from '../../support/pods.ts';
import { shared } from '../../support/shared.ts';
import type { PluginCall, PluginRun } from '../../../src/cni/plugin.ts';
import type { Behaviour } from '../../support/cni.ts';

let binDir = '';
const directory = shared(async () => mkdtemp(join(tmpdir(), 'plugins-')), remove);
before(async () => {
  binDir = await directory();
});

const CALL: PluginCall = {
  command: 'ADD',
  network: 'x',
  type: 'fixture',
  containerId: 'c-plugin-test',
  netns: '/n',
  ifName: 'eth0',
  args: 'A=1',
};

function runner(observe?: (run: PluginRun) => void): PluginRunner {
  return new PluginRunner(new PluginFinder(['/nonexistent', binDir]), silentLog, observe);
}

async function failureOf(
  does: Behaviour,
  command: PluginCall['command'] = 'ADD',
  timeoutMs = 5000,
): Promise<{ kind: string; message: string }> {
  await installPlugin(binDir, 'fixture', does, ['ADD', 'DEL', 'STATUS']);
  try {
    await runner().call({ ...CALL, command }, {}, { timeoutMs });
  } catch (error) {
    return error as { kind: string; message: string };
  }
  return assert.fail(`${does}: the call succeeded`);
}

test("a failure is told in the words of the plugin's error object", async () => {
  const { kind, message } = await failureOf('fails');
  assert.equal(message, 'cni network "x", plugin fixture, ADD: no address left (the pool is full)');
  assert.equal(kind, 'Internal');
  assert.equal((await failureOf('fails', 'DEL')).message, 'cni network "x", plugin fixture, DEL: no address left (the pool is full)');
});

test('"try again later" is Unavailable, and the next try succeeds', async () => {
  const { kind, message } = await failureOf('fails-once');
  assert.deepEqual([kind, message], ['Unavailable', 'cni network "x", plugin fixture, ADD: the agent is starting']);
  assert.deepEqual(await runner().call(CALL, {}, { timeoutMs: 5000 }), { cniVersion: '1.0.0', ips: [{ address: '10.99.0.9/24' }] });
});

test('plain words on stderr, none at all, a signal and garbage are each said', async () => {
  const words = async (does: Behaviour): Promise<string> =>
    (await failureOf(does)).message.replace('cni network "x", plugin fixture, ADD: ', '');
  assert.equal(await words('fails-plainly'), 'exit code 3: cannot reach the agent | giving up');
  assert.equal(await words('fails-silently'), 'exit code 4 without a word');
  assert.equal(await words('crashes'), 'ended by signal 11 without a word');
  assert.equal(await words('answers-garbage'), 'answered what is not JSON: all is well');
  assert.equal(await words('answers-nothing'), 'answered nothing, must answer a JSON object');
});

/** A child of the plugin that was killed with it may be seen until it has had a processor. */
async function untilAllAreGone(): Promise<void> {
  const areGone = async (): Promise<boolean> => (await findProcessesByEnvironment('CNI_CONTAINERID', 'c-plugin-test')).length === 0;
  await until('the plugin and what it started are gone', areGone, 5000);
}

test('a hanging plugin and what it started are killed at the timeout', async () => {
  const started = performance.now();
  const { kind, message } = await failureOf('hangs', 'DEL', 300);
  assert.ok(performance.now() - started < 1500, `took ${performance.now() - started} ms`);
  assert.equal(kind, 'DeadlineExceeded');
  assert.equal(message, 'cni network "x", plugin fixture, DEL: no answer after 0.3 s, killed; it said: waiting for the agent');
  await untilAllAreGone();
});

test("an abort kills the plugin and gives the abort's reason", async () => {
  await installPlugin(binDir, 'fixture', 'hangs');
  await assert.rejects(runner().call(CALL, {}, { timeoutMs: 60_000, signal: AbortSignal.timeout(200) }), {
    kind: 'Canceled',
    message: /^cni network "x", plugin fixture, ADD: killed: the caller gave up/,
  });
  await untilAllAreGone();
});

test("a child that keeps the plugin's output open does not hold up the answer", async (t) => {
  await installPlugin(binDir, 'fixture', 'leaves-a-child');
  t.after(async () => {
    for (const { pid } of await findProcessesByEnvironment('CNI_CONTAINERID', 'c-plugin-test')) process.kill(pid, 'SIGKILL');
  });
  const started = performance.now();
  assert.ok(await runner().call(CALL, {}, { timeoutMs: 10_000 }));
  assert.ok(performance.now() - started < 2000);
});

test('a missing plugin, one without the execute bit and one without its interpreter are each said', async () => {
  const missing = { ...CALL, type: 'nowhere' };
  await assert.rejects(runner().call(missing, {}, { timeoutMs: 1000 }), {
    kind: 'Unavailable',
    message: `cni network "x", plugin nowhere, ADD: plugin binary nowhere not found in /nonexistent, ${binDir}`,
  });
  await writeFile(join(binDir, 'nowhere'), '#!/nonexistent/sh\n', { mode: 0o644 });
  await assert.rejects(runner().call(missing, {}, { timeoutMs: 1000 }), /plugin binary nowhere not found/);
  await rm(join(binDir, 'nowhere'));
  await writeFile(join(binDir, 'nowhere'), '#!/nonexistent/sh\n', { mode: 0o755 });
  await assert.rejects(runner().call(missing, {}, { timeoutMs: 1000 }), /start .*\/nowhere: the interpreter that it names is missing/);
});

test('a plugin gets its configuration, the CNI variables, the search path, and nothing else of our environment', async () => {
  await installPlugin(binDir, 'fixture', 'writes-what-it-gets');
  await runner().call(CALL, { name: 'x', prevResult: { cniVersion: '1.0.0' } }, { timeoutMs: 5000 });
  const environment = (await readFile(join(binDir, 'fixture.environment'), 'utf8')).trim().split('\n').sort();
  assert.deepEqual(
    environment.filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line)),
    [
      'CNI_ARGS=A=1',
      'CNI_COMMAND=ADD',
      'CNI_CONTAINERID=c-plugin-test',
      'CNI_IFNAME=eth0',
      'CNI_NETNS=/n',
      `CNI_PATH=/nonexistent:${binDir}`,
      'GOGC=400',
      `PATH=${process.env['PATH'] ?? ''}`,
    ],
  );
  assert.deepEqual(await readJson(join(binDir, 'fixture.config')), { name: 'x', prevResult: { cniVersion: '1.0.0' } });
});

test('each run is observed with its time and outcome', async () => {
  const runs: PluginRun[] = [];
  const observed = runner((run) => runs.push(run));
  await installPlugin(binDir, 'fixture', 'fails');
  await observed.call(CALL, {}, { timeoutMs: 5000 }).catch(() => undefined);
  await observed.call({ ...CALL, command: 'DEL' }, {}, { timeoutMs: 5000 });
  assert.deepEqual(
    runs.map(({ network, plugin, command, ok }) => ({ network, plugin, command, ok })),
    [
      { network: 'x', plugin: 'fixture', command: 'ADD', ok: false },
      { network: 'x', plugin: 'fixture', command: 'DEL', ok: true },
    ],
  );
  assert.ok(runs.every(({ seconds }) => seconds > 0 && seconds < 5));
});
