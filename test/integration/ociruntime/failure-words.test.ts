/** Whose words a caller gets where a runtime or conmon fails. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { statOfProcess } from '../../../src/linux/proc-stat.ts';
import { createMonitored, type MonitoredContainer } from '../../../src/ociruntime/monitor.ts';
import { MonitoredBundle } from '../../../src/ociruntime/monitored-bundle.ts';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** runc's own lines where a cgroup cannot be set up, with the warning at either end. */
const WARNING = 'time="2026-11-25T17:49:47Z" level=warning msg="unable to get oom kill count" error="no such file or directory"';
const ERROR = 'time="2026-11-25T17:49:47Z" level=error msg="runc create failed: unable to apply cgroup configuration: out of range"';
const FAILS = `cat >&2 <<'END'\n${WARNING}\n${ERROR}\n${WARNING}\nEND\nexit 1`;
const WORDS = 'runc create failed: unable to apply cgroup configuration: out of range';

async function program(directory: string, name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

async function setUp(t: TestContext, { runtime: runtimeScript = 'exit 0', conmon = undefined as string | undefined }) {
  const directory = await scratchDirectory(t);
  await mkdir(join(directory, 'exits'));
  const path = await program(directory, 'runtime', runtimeScript);
  const runtime = new OciRuntime({ name: 'runc', path, root: join(directory, 'root'), systemdCgroup: false, environment: {} });
  const conmonPath = conmon === undefined ? '/usr/bin/conmon' : await program(directory, 'conmon', conmon);
  const create = async (placeMonitor: (pid: number) => Promise<void>, isPlacedFirst = false): Promise<MonitoredContainer> => {
    const options = { conmonPath, exitDirectory: join(directory, 'exits'), logSizeMaxBytes: -1 };
    const request = {
      containerId: 'c1',
      name: 'test',
      bundle: new MonitoredBundle(directory, directory),
      logPath: join(directory, 'log'),
      terminal: false,
      stdin: false,
      stdinOnce: false,
      placeMonitor,
      timeoutMs: 20_000,
    };
    return createMonitored(options, runtime, request, { isPlacedFirst });
  };
  return { runtime, create };
}

test("a runtime's error is told, and not the warning before or after it", async (t) => {
  const { runtime, create } = await setUp(t, { runtime: FAILS });
  await assert.rejects(runtime.start('c1'), { kind: 'Internal', message: `runc start c1: exit 1: ${WORDS}` });
  await assert.rejects(
    create(async () => Promise.resolve()),
    { kind: 'Internal', message: `create container c1: ${WORDS}` },
  );
});

test('a runtime that could not freeze is asked again, and not for ever', async (t) => {
  const fails = (times: number): string =>
    `echo >>"$0.calls"; [ $(wc -l <"$0.calls") -gt ${times} ] || { echo unable to freeze >&2; exit 1; }`;
  const { signal } = new AbortController();
  await (await setUp(t, { runtime: fails(4) })).runtime.pause('c1', signal);
  const { runtime } = await setUp(t, { runtime: fails(5) });
  await assert.rejects(runtime.pause('c1', signal), { kind: 'Internal', message: 'runc pause c1: exit 1: unable to freeze' });
  const other = await setUp(t, { runtime: fails(1).replace('unable to freeze', 'container not running') });
  await assert.rejects(other.runtime.pause('c1', signal), { kind: 'Internal', message: 'runc pause c1: exit 1: container not running' });
});

test('a monitor that ends before it is put into its cgroup is told of in its own words', async (t) => {
  const { create } = await setUp(t, { conmon: 'sleep 0.3; echo "[conmon:e]: Failed to open the log: Read-only file system" >&2\nexit 7' });
  const procs =
    ['/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/memory/cgroup.procs'].find((file) => existsSync(file)) ?? assert.fail('no cgroup');
  const place = async (pid: number): Promise<void> => {
    const end = performance.now() + 20_000;
    for (let stat = await statOfProcess(pid); stat !== undefined && stat.state !== 'Z'; stat = await statOfProcess(pid))
      assert.ok(performance.now() < end, `the monitor ${pid} has not ended`);
    await writeFile(procs, String(pid));
    assert.fail('the kernel took the pid of a process that has ended');
  };
  for (const isPlacedFirst of [true, false])
    await assert.rejects(create(place, isPlacedFirst), {
      kind: 'Internal',
      message: 'create container c1: conmon ended with 7 before it answered: [conmon:e]: Failed to open the log: Read-only file system',
    });
});

test('a runtime that refuses before its monitor is in its place is told in its own words', async (t) => {
  const { create } = await setUp(t, { runtime: FAILS });
  const place = async (pid: number): Promise<void> => {
    const end = performance.now() + 20_000;
    for (let stat = await statOfProcess(pid); stat !== undefined && stat.state !== 'Z'; stat = await statOfProcess(pid))
      assert.ok(performance.now() < end, `the monitor ${pid} has not ended`);
    throw new Error('ESRCH: no such process');
  };
  await assert.rejects(create(place), { kind: 'Internal', message: `create container c1: ${WORDS}` });
});
