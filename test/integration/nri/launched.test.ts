/** Plugins that the daemon starts itself, from its plugin directory. */
import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { ensureDir, outputFile, pathExists, readJson, writeJson } from 'fs-extra/esm';
import { settledWithin } from '../../../src/base/deadline.ts';
import { identify } from '../../../src/linux/process.ts';
import { spawn } from '../../../src/linux/spawn.ts';
import { NriLab } from '../../support/nri-lab.ts';
import { LaunchedNriPlugin, noNriPlugin } from '../../support/nri-plugin.ts';
import { until } from '../../support/pods.ts';
import type { NriSettings } from '../../../src/nri/settings.ts';

function launchTest(name: string, work: (lab: NriLab) => Promise<void>, settings: Partial<NriSettings> = {}): void {
  test(name, { skip: noNriPlugin }, async () => {
    const lab = await NriLab.prepare(settings);
    try {
      await work(lab);
    } catch (error) {
      for (const line of lab.lines) process.stdout.write(`# ${JSON.stringify(line)}\n`);
      throw error;
    } finally {
      await lab.end();
    }
  });
}

async function program(lab: NriLab, fileName: string, text: string, mode = 0o755): Promise<void> {
  const path = join(lab.pluginDir, fileName);
  await outputFile(path, text);
  await chmod(path, mode);
}

async function isThere(pid: number): Promise<boolean> {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ');
  return !/\) [ZX] /.test(state) && state !== ' Z ';
}

launchTest('plugins of the directory are started with their configuration, and ready when the start is over', async (lab) => {
  lab.settings = { ...lab.settings };
  const at = { pluginDir: lab.pluginDir, configDir: lab.configDir };
  const second = await LaunchedNriPlugin.install('20-second', at, { events: ['RunPodSandbox'] });
  // One that takes its time to hear that the daemon ends: the other, which has ended by then, must not be started again.
  const slow = { call: 'Shutdown', sleepMs: 300 } as const;
  await LaunchedNriPlugin.install('10-first', at, { events: ['StopPodSandbox'], rules: [slow] });
  await lab.start();
  const ready = lab.reports('ready');
  assert.deepEqual(
    ready.map(({ name, kind, events }) => [name, kind, ...events]),
    [
      ['10-first', 'launched', 'StopPodSandbox'],
      ['20-second', 'launched', 'RunPodSandbox'],
    ],
  );
  // Its configuration came with Configure, before it could tell of that.
  assert.deepEqual((await second.events('Synchronize')).length, 1);

  await lab.plugins.close();
  for (const report of ready) await until('it has ended', async () => !(await isThere(report.pid!)));
  assert.deepEqual(lab.warnings, []);
});

launchTest('a plugin has its connection at descriptor 3, three variables, and nothing else of ours', async (lab) => {
  const seen = join(lab.directory, 'seen');
  const listing = 'for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink $fd)"; done';
  await program(
    lab,
    '30-curious',
    `#!/bin/sh\n(tr '\\0' '\\n' < /proc/$$/environ; ${listing}) > ${seen}.new\nmv ${seen}.new ${seen}\nsleep 60\n`,
  );
  const started = lab.start();
  await until('it has looked', async () => pathExists(seen));
  const lines = (await readFile(seen, 'utf8')).trim().split('\n');
  assert.deepEqual(lines.filter((line) => line.includes('=')).sort(), [
    'NRI_PLUGIN_IDX=30',
    'NRI_PLUGIN_NAME=curious',
    'NRI_PLUGIN_SOCKET=3',
  ]);
  // The shell has its script at 10 or above.
  const files = lines.filter((line) => /^\d /.test(line)).map((line) => line.replace(/:.*/, ''));
  assert.deepEqual(files, ['0 /dev/null', '1 pipe', '2 pipe', '3 socket']);
  await lab.plugins.close();
  await started;
});

launchTest('a plugin is as dear to the OOM killer as the daemon, and in its cgroup', async (lab) => {
  const seen = join(lab.directory, 'seen');
  const own = '/proc/self/oom_score_adj';
  const before = await readFile(own, 'utf8');
  await program(lab, '30-curious', `#!/bin/sh\ncat ${own} /proc/self/cgroup > ${seen}.new\nmv ${seen}.new ${seen}\nsleep 60\n`);
  await writeFile(own, '321');
  try {
    const started = lab.start();
    await until('it has looked', async () => pathExists(seen));
    assert.equal(await readFile(seen, 'utf8'), `321\n${await readFile('/proc/self/cgroup', 'utf8')}`);
    await lab.plugins.close();
    await started;
  } finally {
    await writeFile(own, before);
  }
});

launchTest('what is no plugin is named and left alone', async (lab) => {
  await program(lab, 'README', 'text');
  await program(lab, '1-short', '#!/bin/sh\n');
  await program(lab, '10-not-executable', '#!/bin/sh\n', 0o644);
  await program(lab, '11-wasm', '\0asm\x01\0\0\0 and more');
  await ensureDir(join(lab.pluginDir, '12-directory'));
  await lab.start();
  const path = (fileName: string): string => join(lab.pluginDir, fileName);
  assert.deepEqual(lab.warnings, [
    `a file of the NRI plugin directory is left alone: ${path('1-short')}: its name is not INDEX-NAME with an index of two digits`,
    `a file of the NRI plugin directory is left alone: ${path('10-not-executable')}: it is not executable`,
    `a file of the NRI plugin directory is left alone: ${path('11-wasm')}: it is a WebAssembly module, which podwright does not run; must be a program`,
    `a file of the NRI plugin directory is left alone: ${path('12-directory')}: it is no regular file`,
    `a file of the NRI plugin directory is left alone: ${path('README')}: it is not executable`.replace(
      'it is not executable',
      'its name is not INDEX-NAME with an index of two digits',
    ),
  ]);
  assert.deepEqual(lab.plugins.describe().plugins, []);
});

launchTest('a plugin that cannot be started, or does not stay, is tried again after pauses that grow', async (lab) => {
  await program(lab, '10-format', 'neither a script nor a program');
  await program(lab, '20-fails', '#!/bin/sh\necho no licence >&2\nexit 3\n');
  const started = performance.now();
  await lab.start();
  assert.ok(performance.now() - started < 2000, 'the start does not wait for the next try');
  const tries = (plugin: string): number[] =>
    lab.lines.flatMap(({ message, fields }) => (/started again/.test(message) && fields.plugin === plugin ? [fields.pauseMs ?? 0] : []));
  await until('each has been tried twice', async () => Promise.resolve(tries('10-format').length >= 2 && tries('20-fails').length >= 2));
  assert.deepEqual(tries('20-fails').slice(0, 2), [1000, 2000]);
  const reasons = Object.fromEntries(lab.reports('down').map(({ name, lastError }) => [name, lastError]));
  assert.match(reasons['10-format'] ?? '', /ENOEXEC/);
  assert.match(reasons['20-fails'] ?? '', /it has left; exit code 3/);
  assert.ok(
    lab.lines.some(
      ({ message, fields }) => message === 'an NRI plugin says' && fields.plugin === '20-fails' && fields.output === 'no licence',
    ),
  );
  assert.equal(lab.plugins.active, false);
});

launchTest('a plugin that is killed comes back', async (lab) => {
  await LaunchedNriPlugin.install('10-phoenix', { pluginDir: lab.pluginDir, configDir: lab.configDir });
  await lab.start();
  const { pid: before = 0 } = lab.reports('ready')[0]!;
  process.kill(before, 'SIGKILL');
  await until('it is down', async () => Promise.resolve(lab.reports('down').length === 1));
  assert.match(lab.reports('down')[0]!.lastError ?? '', /ended by signal 9/);
  await lab.untilReady(1);
  assert.notEqual(lab.reports('ready')[0]!.pid, before);
  assert.deepEqual(lab.reports('down'), []);
});

launchTest(
  'a plugin that does not register is ended, and holds the start up for the time of a registration',
  async (lab) => {
    await program(lab, '10-mute', `#!/bin/sh\ntrap '' TERM\necho $$ > ${join(lab.directory, 'pid')}\nwhile :; do sleep 60; done\n`);
    const started = performance.now();
    await lab.start();
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 350 && tookMs < 1500, `${tookMs} ms`);
    const pid = Number(await readFile(join(lab.directory, 'pid'), 'utf8'));
    await until('it is dropped', async () => Promise.resolve(lab.warnings.some((line) => /dropped: 10-mute: registration/.test(line))));
    await until('it is killed, though it does not heed SIGTERM', async () => !(await isThere(pid)));
    await until('that is told', async () => Promise.resolve(lab.reports('down').length === 1));
    assert.match(lab.reports('down')[0]!.lastError ?? '', /not finished after 0\.4 s; ended by signal 9/);
  },
  { registrationTimeoutMs: 400 },
);

launchTest('a plugin that a killed daemon has left is ended by the next start, and nothing else is', async (lab) => {
  const orphan = spawn('sleep', { args: ['60'] });
  const other = spawn('sleep', { args: ['60'] });
  try {
    // As the file of a daemon that was killed: one process is its plugin, of the other the pid alone is.
    const [mine, another] = await Promise.all([orphan, other].map(async ({ pid }) => identify(pid)));
    await writeJson(lab.processesFile, [mine, { ...another, startTime: '1' }]);
    await lab.start();
    assert.deepEqual(await orphan.exit, { signal: 9 });
    assert.deepEqual([await isThere(other.pid), await pathExists(lab.processesFile)], [true, false]);
    assert.deepEqual(lab.warnings, []);
  } finally {
    process.kill(other.pid, 'SIGKILL');
    await other.exit;
  }
});

launchTest('the file of processes names those that run, and one that cannot be read is no reason not to start', async (lab) => {
  await writeFile(lab.processesFile, 'no JSON');
  await LaunchedNriPlugin.install('10-noted', { pluginDir: lab.pluginDir, configDir: lab.configDir });
  await lab.start();
  assert.match(lab.warnings.join(), /the list of launched NRI plugins: .*nri\.json/);
  const { pid = 0 } = lab.reports('ready')[0]!;
  const noted = async (): Promise<boolean> => ((await readJson(lab.processesFile).catch(() => [])) as { pid: number }[])[0]?.pid === pid;
  await until('it is noted', noted);
  await lab.plugins.close();
  assert.equal(await pathExists(lab.processesFile), false);
});

launchTest('a plugin whose configuration cannot be read is not started', async (lab) => {
  await LaunchedNriPlugin.install('10-conf', { pluginDir: lab.pluginDir, configDir: lab.configDir });
  await writeFile(join(lab.configDir, '20-other.conf'), 'text');
  await program(lab, '20-dir', '#!/bin/sh\nexit 0\n');
  await ensureDir(join(lab.configDir, 'dir.conf'));
  await lab.start();
  assert.match(
    lab
      .reports('down')
      .map(({ name, lastError }) => `${name} ${lastError ?? ''}`)
      .join(),
    /20-dir configuration of NRI plugin 20-dir: EISDIR/,
  );
  assert.deepEqual(
    lab.reports('ready').map(({ name }) => name),
    ['10-conf'],
  );
});

launchTest('a configuration that is a pipe, or endless, holds up neither the others nor the end of the daemon', async (lab) => {
  await program(lab, '10-pipe', '#!/bin/sh\nexit 0\n');
  await program(lab, '11-large', '#!/bin/sh\nexit 0\n');
  await ensureDir(lab.configDir);
  const pipe = join(lab.configDir, 'pipe.conf');
  await promisify(execFile)('mkfifo', [pipe]);
  await writeFile(join(lab.configDir, 'large.conf'), 'x'.repeat(1024 * 1024 + 1));
  await lab.start();
  const down = lab.reports('down').map(({ name, lastError }) => `${name} ${lastError ?? ''}`);
  const hasEnded = await settledWithin(lab.plugins.close(), 3000);
  // Whoever waits at the other end goes on.
  const freed = await settledWithin(writeFile(pipe, ''), 100);
  assert.ok(hasEnded, 'the plugins are ended');
  assert.equal(freed, false, 'nobody reads the pipe');
  await promisify(execFile)('sh', ['-c', `exec 3<>${pipe}; sleep 0.1`]);
  assert.equal(down.length, 2);
  assert.match(down[0]!, /configuration of NRI plugin 10-pipe: .*pipe\.conf/);
  assert.match(down[1]!, /configuration of NRI plugin 11-large: .*1048576 bytes/);
});

launchTest('what a plugin leaves behind ends with it, and it is started again', async (lab) => {
  const pids = join(lab.directory, 'pids');
  await program(lab, '10-forks', `#!/bin/sh\nsleep 300 &\necho $! >> ${pids}\nexit 4\n`);
  const started = lab.start();
  await until('it is down', async () => Promise.resolve(lab.reports('down').length === 1));
  await started;
  const [pid = 0] = (await readFile(pids, 'utf8')).trim().split('\n').map(Number);
  assert.equal(await isThere(pid), false, 'its child has ended');
  assert.match(lab.reports('down')[0]!.lastError ?? '', /exit code 4/);
});

launchTest('a plugin that never stops writing does not fill the log', async (lab) => {
  await program(lab, '10-chatty', '#!/bin/sh\necho first >&2\nexec yes this is one line of many\n');
  const started = lab.start();
  await until('it has said something', async () => Promise.resolve(lab.lines.some(({ message }) => /says/.test(message))));
  const before = lab.lines.length;
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const perSecond = ((lab.lines.length - before) * 1000) / (performance.now() - from);
  await lab.plugins.close();
  await started;
  assert.ok(perSecond < 300, `${perSecond.toFixed(0)} lines a second`);
  assert.ok(lab.warnings.some((line) => /lines of an NRI plugin are left out: 10-chatty/.test(line)));
});
