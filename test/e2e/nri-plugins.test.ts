/** Plugins that the daemon starts itself, what is told of plugins, and what a reload and a killed daemon do to them. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { remove } from 'fs-extra/esm';
import type { StatusReport } from '../../src/admin/reports.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { readMetrics } from '../support/metrics.ts';
import { LaunchedNriPlugin, NriPlugin, noNriPlugin } from '../support/nri-plugin.ts';
import { createContainer, removePod, runPod, until } from '../support/pods.ts';

const directory = noNriPlugin === false ? await mkdtemp(join(tmpdir(), 'pw-nri-plugins-')) : '';
after(async () => remove(directory));
const at = { pluginDir: join(directory, 'plugins'), configDir: join(directory, 'conf.d') };
const CONFIG = `[nri]\nplugin_dir = "${at.pluginDir}"\nplugin_config_dir = "${at.configDir}"\n`;

const launched =
  noNriPlugin === false ? await LaunchedNriPlugin.install('20-own', at, { events: ['RunPodSandbox', 'RemovePodSandbox'] }) : undefined;
const test = sharedDaemon({ skip: noNriPlugin, config: CONFIG });

type Plugins = NonNullable<StatusReport['nri']>['plugins'];

async function pluginsOf(daemon: TestDaemon): Promise<Plugins> {
  const { nri } = JSON.parse(await daemon.cli('status', '--json')) as StatusReport;
  return nri?.plugins ?? [];
}

const alive = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return !/\) [ZX]/.test(stat);
};

test('a launched plugin hears of the first pod; podwright status and the metrics tell of it and of others', async (daemon) => {
  const other = await NriPlugin.start(daemon.nriSocket, {
    name: 'late',
    idx: '10',
    events: ['CreateContainer'],
    rules: [{ call: 'CreateContainer', error: 'not today' }],
  });
  try {
    const pod = await runPod(daemon, { name: 'first' });
    assert.deepEqual((await launched!.story('first')).slice(0, 1), ['RunPodSandbox first']);
    await assert.rejects(createContainer(daemon, pod, ['true']), /NRI plugin 10-late: CreateContainer: not today/);
    const plugins = await pluginsOf(daemon);
    assert.deepEqual(
      plugins.map(({ name, kind, state, events, failures }) => ({ name, kind, state, events, failures })),
      [
        { name: '10-late', kind: 'external', state: 'ready', events: ['CreateContainer'], failures: 1 },
        { name: '20-own', kind: 'launched', state: 'ready', events: ['RunPodSandbox', 'RemovePodSandbox'], failures: 0 },
      ],
    );
    assert.equal(plugins[0]!.pid, other.pid);
    const text = await daemon.cli('status');
    assert.match(text, /NRI plugins:\n +10-late +external +ready since .* 1 failed .*CreateContainer\n +20-own +launched/);
    assert.match(text, /last errors of NRI plugins:\n +10-late +CreateContainer: not today/);
    const metrics = await readMetrics(daemon);
    assert.match(metrics, /^podwright_nri_plugins 2$/m);
    assert.match(metrics, /^podwright_nri_plugin_failures_total\{plugin="10-late",call="CreateContainer"\} 1$/m);
    assert.match(metrics, /^podwright_nri_plugin_call_duration_seconds_count\{plugin="20-own",call="RunPodSandbox"\} [1-9]/m);
    await removePod(daemon, pod.id);
  } finally {
    await other.stop();
  }
  await until('that one is gone', async () => (await pluginsOf(daemon)).some(({ name, state }) => name === '10-late' && state === 'gone'));
});

test('a reload puts new timeouts in force for plugins that are there', async (daemon) => {
  const rules = [{ call: 'RunPodSandbox', times: 1, sleepMs: 4000 }] as const;
  const slow = await NriPlugin.start(daemon.nriSocket, { name: 'slow', idx: '30', events: ['RunPodSandbox'], rules });
  try {
    await writeFile(join(daemon.directory, 'podwright.toml'), `${CONFIG}request_timeout = "20s"\n`);
    process.kill(daemon.pid, 'SIGHUP');
    await until('it is read', async () => /configuration read again.*request_timeout/.test(await readFile(daemon.logFile, 'utf8')));
    await runPod(daemon, { name: 'patient' });
    assert.equal(slow.closes, 0);
    assert.ok((await pluginsOf(daemon)).some(({ name, state, longestMs }) => name === '30-slow' && state === 'ready' && longestMs >= 3900));
  } finally {
    await writeFile(join(daemon.directory, 'podwright.toml'), CONFIG);
    process.kill(daemon.pid, 'SIGHUP');
    await slow.stop();
  }
});

test('plugins that were launched end with the daemon, also where it is killed, and each start has its own', async (daemon) => {
  const pidOf = async (): Promise<number> => {
    const own = await until('it is ready', async () =>
      (await pluginsOf(daemon)).find(({ name, state }) => name === '20-own' && state === 'ready'),
    );
    return own.pid!;
  };
  const first = await pidOf();
  await daemon.kill9();
  await until('it has ended', async () => !(await alive(first)));
  await daemon.start();
  const second = await pidOf();
  assert.notEqual(second, first);
  await daemon.stop();
  assert.equal(await alive(second), false, 'the daemon waits for it');
  // Without its file there is none at the next start.
  await remove(join(at.pluginDir, '20-own'));
  await daemon.start();
  assert.deepEqual(await pluginsOf(daemon), []);
});
