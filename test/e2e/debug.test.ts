/** `podwright debug`: what a running daemon does, and where one is that hangs. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StacksReport } from '../../src/admin/debug-reports.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { e2eTest } from '../support/e2e-test.ts';
import { podConfig, removePod, runPod, until } from '../support/pods.ts';

interface Profile {
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string; readonly url: string } }[];
}

/** What a command that must fail said. */
async function refusalOf(work: Promise<string>): Promise<string> {
  return work.then(
    (stdout) => assert.fail(`it was not refused: ${stdout}`),
    (error: unknown) => String((error as { stderr?: unknown }).stderr),
  );
}

async function modeOf(file: string): Promise<number> {
  return (await stat(file)).mode & 0o777;
}

/** Asks for lists until the work is done. */
async function listMeanwhile(daemon: TestDaemon, work: Promise<unknown>): Promise<void> {
  const finished = { is: false };
  const end = (): void => void (finished.is = true);
  work.then(end, end);
  while (!finished.is) await daemon.runtime.listContainers({});
}

e2eTest(
  'a profile of a working daemon has its functions and its time, and calls go on; one at a time, a minute at most',
  async (daemon) => {
    const file = join(daemon.directory, 'out.cpuprofile');
    const profile = daemon.cli('debug', 'profile', '--seconds', '4', '-o', file);
    const busy = listMeanwhile(daemon, profile);
    await until('the profile has begun', async () => (await readFile(daemon.logFile, 'utf8')).includes('debug profile: begun'));
    const second = await refusalOf(daemon.cli('debug', 'profile', '--seconds', '1', '-o', join(daemon.directory, 'second')));
    const beside = JSON.parse(await daemon.cli('debug', 'stacks', '--json')) as StacksReport;
    assert.equal(beside.answered, true);
    assert.match(second, /debug profile, heap: one is under way since .*, must have ended before the next/);
    assert.equal(await profile, `${file}\n`);
    await busy;

    assert.equal(await modeOf(file), 0o600);
    const { startTime, endTime, samples, nodes } = JSON.parse(await readFile(file, 'utf8')) as Profile;
    const seconds = (endTime - startTime) / 1e6;
    assert.ok(seconds >= 3.9 && seconds < 8, `it is of ${seconds} s`);
    assert.ok(samples.length > 100, `it has ${samples.length} samples`);
    const ours = nodes.filter(({ callFrame: { url, functionName } }) => /podwright\.js$|\/src\//.test(url) && functionName !== '');
    assert.ok(ours.length > 10, `it has ${ours.length} calls of functions of ours`);

    for (const seconds of ['61', '0', '-1', 'soon', ''])
      assert.match(
        await refusalOf(daemon.cli('debug', 'profile', `--seconds=${seconds}`, '-o', file)),
        /seconds is ".*", must be a number above 0, at most 60/,
      );
    await writeFile(join(daemon.directory, 'gone'), '');
    const nowhere = await refusalOf(daemon.cli('debug', 'profile', '--seconds', '0.1', '-o', join(daemon.directory, 'gone/out')));
    assert.match(nowhere, /ENOTDIR/);
    assert.deepEqual((await readdir(daemon.directory)).filter((name) => name.endsWith('.part')), []); // prettier-ignore
  },
);

e2eTest(
  'a snapshot of the heap is whole, and the log names it where the loop stood still for it',
  async (daemon, context) => {
    const file = join(daemon.directory, 'out.heapsnapshot');
    await daemon.cli('debug', 'heap', '-o', file);
    assert.equal(await modeOf(file), 0o600);
    const snapshot = JSON.parse(await readFile(file, 'utf8')) as { snapshot: { node_count: number }; nodes: number[]; strings: string[] };
    assert.ok(snapshot.snapshot.node_count > 10_000);
    assert.ok(snapshot.strings.includes('ObjectStore'), 'a class of ours is not in it');
    const told = await until(
      'the standstill is named',
      async () => /^.*what="heap snapshot".*$/m.exec(await readFile(daemon.logFile, 'utf8'))?.[0],
    );
    context.diagnostic(`${(await stat(file)).size} bytes; ${/durationMs=\d+/.exec(told)?.[0]}`);
    await runPod(daemon);
  },
  { isHeldUp: true },
);

e2eTest(
  'stacks tell of work under way, its program and what that waits for; of a daemon that hangs the kernel tells',
  async (daemon) => {
    const plugin =
      '#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] && exec sleep 20\n[ "$CNI_COMMAND" != VERSION ] || echo \'{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}\'\n';
    await writeFile(join(daemon.cniBinDir, 'slow'), plugin, { mode: 0o755 });
    await daemon.useCniPlugins([{ type: 'slow' }]);
    const config = podConfig(daemon, { name: 'waiting' });
    const running = daemon.runtime.runPodSandbox({ config, runtimeHandler: '' }, { timeoutMs: 3_000 }).catch(() => undefined);
    const report = await until('the plugin runs', async () => {
      const found = JSON.parse(await daemon.cli('debug', 'stacks', '--json')) as StacksReport;
      return found.children.some(({ name }) => name === 'sleep') ? found : undefined;
    });
    assert.deepEqual([report.pid, report.answered], [daemon.pid, true]);
    assert.match(report.children.find(({ name }) => name === 'sleep')?.waitsFor ?? '', /^sleep \(process \d+, .*nanosleep/);
    assert.ok(report.threads.some(({ id }) => id === daemon.pid) && report.threads.length > 4, 'its threads are not all there');
    assert.ok(Object.keys(report.resources).length > 0);
    const text = await daemon.cli('debug', 'stacks');
    assert.match(text, new RegExp(`^podwright, process ${daemon.pid}, at 2[^\\n]*\\n\\n(under way|the event loop)`));

    process.kill(daemon.pid, 'SIGSTOP');
    try {
      const silent = await daemon.cli('debug', 'stacks');
      assert.match(silent, new RegExp(`^podwright, process ${daemon.pid}, .*: it does not answer, so this is what the kernel tells\n`));
      assert.match(silent, new RegExp(`^ +${daemon.pid} +\\S+ +T `, 'm'));
    } finally {
      process.kill(daemon.pid, 'SIGCONT');
    }
    await daemon.writeCniConf(daemon.bridgePlugins());
    await running;
    const { items } = await daemon.runtime.listPodSandbox({});
    for (const { id } of items) await removePod(daemon, id);
    await until('nothing is under way', async () => !(await daemon.cli('status')).includes('run pod sandbox'), 60_000);
  },
  { isHeldUp: true },
);
