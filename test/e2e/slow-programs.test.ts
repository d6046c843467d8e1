// long: 40 s
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, e2eTest, inventoryOf } from '../support/e2e-test.ts';
import { FaultyRuntime } from '../support/faulty-runtime.ts';
import { HungMount, noFuse } from '../support/hung-mount.ts';
import { readMetrics, valueOf } from '../support/metrics.ts';
import { containerConfig, createContainer, execSync, failureOf, removePod, runContainer, runPod, until } from '../support/pods.ts';
import { installPlugin } from '../support/cni.ts';

const SLEEP = ['sleep', '3600'];
const config = '[log]\nformat = "json"\nslow_program = "2s"\n';

interface Line {
  readonly message: string;
  readonly level: string;
  readonly pid?: number;
  readonly durationMs?: number;
  readonly containerId?: string;
  readonly requestId?: string;
  readonly processes?: readonly string[];
}

/** The lines about programs that take long, of those that are meant: on a busy machine others may take long too. */
async function slowLines(daemon: TestDaemon, about: RegExp): Promise<Line[]> {
  const text = await readFile(daemon.logFile, 'utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return lines
    .map((line) => JSON.parse(line) as Line)
    .filter(({ message }) => message.includes('has not ended after') && about.test(message));
}

async function slowLine(daemon: TestDaemon, about: RegExp): Promise<Line> {
  return until('the slow program is told', async () => (await slowLines(daemon, about))[0]);
}

e2eTest(
  'a CNI plugin that waits for a lock is told once, with the file, who holds it, and what its processes do',
  async (daemon) => {
    const lock = join(daemon.directory, 'ipam.lock');
    await writeFile(lock, '');
    await writeFile(join(daemon.cniBinDir, 'locked'), `#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] || exit 0\nflock ${lock} true\nexit 1\n`, {
      mode: 0o755,
    });
    const lockedPlugin = /plugin locked, ADD/;
    const holder = spawn('flock', ['--no-fork', lock, 'sleep', '60'], { stdio: 'ignore' });
    try {
      await daemon.useCniPlugins([{ type: 'locked' }]);
      await until('the lock is taken', async () => (await readFile('/proc/locks', 'utf8')).includes(`WRITE ${holder.pid} `));
      const refused = failureOf(runPod(daemon));
      const { message, level, durationMs, requestId, processes = [] } = await slowLine(daemon, lockedPlugin);
      assert.match(message, new RegExp(`^cni network "${daemon.network}", plugin locked, ADD has not ended after \\d{1,2}\\.\\d s: flock \\(process \\d+, sleeping\\) waits in flock for a lock on ${lock}, held by process ${holder.pid} \\(sleep\\)$`)); // prettier-ignore
      assert.ok(
        level === 'warn' && requestId !== undefined && (durationMs ?? 0) >= 2_000,
        JSON.stringify({ level, requestId, durationMs }),
      );
      assert.match(processes.join('\n'), /^(locked|sh)\(\d+\) S wait4: do_wait < .*\nflock\(\d+\) S flock: \w+ < /);
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal((await slowLines(daemon, lockedPlugin)).length, 1, 'it was told again');
      holder.kill('SIGKILL');
      await refused;
    } finally {
      holder.kill('SIGKILL');
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    }
  },
  { config },
);

e2eTest(
  'a CNI plugin whose child sleeps, and commands in containers whose time is over, are told; commands in time are not',
  async (daemon) => {
    const pod = await runPod(daemon);
    const id = await runContainer(daemon, pod, SLEEP);
    const command = ['sleep', '77'];
    for (let times = 0; times < 3; times += 1) assert.equal((await failureOf(execSync(daemon, id, command, 1))).code, 'DEADLINE_EXCEEDED');
    await execSync(daemon, id, ['sleep', '3'], 10);
    const lines = await slowLines(daemon, /^exec "/);
    assert.equal(lines[0]?.level, 'info');
    assert.equal(lines.length, 1, 'one line for three probes, none for a command that is given the time it takes');
    assert.match(lines[0].message, new RegExp(`^exec "sleep" in container ${id} has not ended after 1\\.\\d s: sleep \\(process \\d+, sleeping\\) waits in clock_nanosleep for time to pass`)); // prettier-ignore

    await installPlugin(daemon.cniBinDir, 'slow', 'hangs', ['ADD']);
    await daemon.useCniPlugins([...daemon.bridgePlugins(), { type: 'slow' }]);
    const refused = failureOf(runPod(daemon, { name: 'slow' }));
    const { message, processes = [] } = await slowLine(daemon, /plugin slow, ADD/);
    assert.match(message, /sleep \(process \d+, sleeping\) waits in clock_nanosleep for time to pass: it sleeps$/);
    const pid = /^sleep\((\d+)\)/.exec(processes.at(-1) ?? '')?.[1];
    process.kill(Number(pid ?? assert.fail('no process sleeps')), 'SIGKILL');
    await refused.catch(() => undefined);
    await daemon.writeCniConf(daemon.bridgePlugins());
    const metrics = await readMetrics(daemon);
    for (const program of ['exec', 'slow']) assert.equal(valueOf(metrics, `podwright_slow_programs_total{program="${program}"}`), 1);
  },
  { config },
);

test('a runtime that hangs is told at create, under its monitor, and at start', { timeout: 120_000 }, async () => {
  const runtime = await FaultyRuntime.install();
  const daemon = await TestDaemon.start({ args: runtime.args, config });
  try {
    const before = await inventoryOf(daemon);
    const pod = await runPod(daemon);
    const id = await createContainer(daemon, pod, SLEEP, { name: 'start' });
    await runtime.set('start', 'hangs');
    const started = failureOf(daemon.runtime.startContainer({ containerId: id }));
    const atStart = await slowLine(daemon, new RegExp(`start ${id} has not ended`));
    assert.match(atStart.message, /: sleep \(process \d+, sleeping\) waits in clock_nanosleep/);
    process.kill(atStart.pid ?? assert.fail('the line has no pid'), 'SIGKILL');
    await started;
    await runtime.set('create', 'hangs');
    const created = failureOf(createContainer(daemon, pod, SLEEP, { name: 'create' }));
    const atCreate = await slowLine(daemon, /^create container \w{64}: runc under conmon has not ended/);
    assert.match(atCreate.processes?.join('\n') ?? '', /^conmon\(\d+\) [^\n]*\nsleep\(\d+\) S clock_nanosleep/);
    await runtime.set('create', 'passes');
    await removePod(daemon, pod.id);
    await created;
    await assertNothingNew(daemon, before);
  } catch (error) {
    process.stdout.write(await daemon.logTail());
    throw error;
  } finally {
    await daemon.destroy();
    await runtime.remove();
  }
});

test('a program that hangs on a FUSE volume is told with that', { skip: noFuse, timeout: 120_000 }, async () => {
  const daemon = await TestDaemon.start({ config });
  const hostPath = join(daemon.directory, 'hung');
  const fuse = new HungMount(hostPath);
  try {
    await fuse.start();
    const pod = await runPod(daemon);
    const mounts = [{ containerPath: '/volume', hostPath: join(hostPath, 'sub'), readonly: false, propagation: 0 }];
    const change = { name: 'hung', change: { mounts } };
    const request = { podSandboxId: pod.id, config: await containerConfig(pod, SLEEP, change), sandboxConfig: pod.config };
    const refused = failureOf(daemon.runtime.createContainer(request, { timeoutMs: 60_000 }));
    const { message, processes = [] } = await slowLine(daemon, /^realpath .*hung\/sub/);
    assert.match(message, /\(process \d+, in the kernel, not to be interrupted\) waits in \w+ for the answer of a FUSE file system/);
    assert.match(processes.join('\n'), / D \w+: (\w+ < )*(__)?fuse_/);
    // Where the mount is gone, the missing directory is made, and the call goes well.
    await fuse.kill();
    await refused;
    await fuse.release();
    await removePod(daemon, pod.id);
  } catch (error) {
    process.stdout.write(await daemon.logTail());
    throw error;
  } finally {
    await fuse.release();
    await daemon.destroy();
  }
});
