import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DaemonError } from '../../../src/base/errors.ts';
import { findProcessesByEnvironment, isAlive } from '../../../src/linux/process.ts';
import { readExit } from '../../../src/ociruntime/exit-directory.ts';
import { prepareMonitor, type MonitoredContainer, type PreparedMonitor } from '../../../src/ociruntime/monitor.ts';
import { MonitoredBundle } from '../../../src/ociruntime/monitored-bundle.ts';
import { OciRuntime } from '../../../src/ociruntime/oci-runtime.ts';
import { OWNER_VARIABLE, type MonitorRequest } from '../../../src/ociruntime/spawn-monitor.ts';
import { killCreators } from '../../../src/ociruntime/sweep.ts';
import { until } from '../../support/pods.ts';
import { makeBundle } from '../../support/runc-container.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const ENVIRONMENT = { PATH: process.env['PATH'] ?? '' };

interface Setting {
  readonly conmonPath?: string;
  /** A script in place of runc. */
  readonly script?: string;
  readonly request?: Partial<MonitorRequest>;
}

/** Creates a container under conmon; at the end of the test nothing of it runs. */
async function setUp(t: TestContext, { conmonPath = '/usr/bin/conmon', script, request }: Setting = {}) {
  const { directory, id, runtimeRoot } = await makeBundle(t, ['sh', '-c', 'exit 3']);
  t.after(async () => killCreators(id));
  let path = '/usr/sbin/runc';
  if (script !== undefined) {
    path = join(directory, 'runtime');
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const exitDirectory = join(directory, 'exits');
  const persistDirectory = join(directory, 'persist');
  await mkdir(exitDirectory);
  await mkdir(persistDirectory);
  const runtime = new OciRuntime({ name: 'runc', path, root: runtimeRoot, systemdCgroup: false, environment: ENVIRONMENT });
  const prepare = (place: Promise<unknown>): PreparedMonitor =>
    prepareMonitor(
      { conmonPath, exitDirectory, logSizeMaxBytes: -1 },
      runtime,
      {
        containerId: id,
        name: 'test',
        bundle: new MonitoredBundle(directory, persistDirectory),
        logPath: join(directory, 'log'),
        terminal: false,
        stdin: false,
        stdinOnce: false,
        placeMonitor: async () => undefined,
        timeoutMs: 20_000,
        ...request,
      },
      place,
    );
  const create = async (isPlacedFirst = false): Promise<MonitoredContainer> => prepare(Promise.resolve()).create({ isPlacedFirst });
  return {
    create,
    prepare,
    directory,
    runtime,
    id,
    persistDirectory,
    creators: async () => findProcessesByEnvironment(OWNER_VARIABLE, id),
  };
}

/** What our open descriptors are of: files, and pipes and sockets by their numbers. */
async function openDescriptors(): Promise<string[]> {
  const targets = (await readdir('/proc/self/fd')).map(async (fd) => readlink(`/proc/self/fd/${fd}`).catch(() => []));
  return (await Promise.all(targets)).flat();
}

/** Fails where a descriptor stays open that was not open before. One is closed when its reader gets to see the end. */
async function assertNoneStaysOpen(before: readonly string[]): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const left = [...before];
    const opened = (await openDescriptors()).filter((each) => {
      const at = left.indexOf(each);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
    if (opened.length === 0) return;
    if (tries === 50) assert.deepStrictEqual(opened, []);
    await sleep(100);
  }
}

/** Fails unless the creation fails so, and leaves neither a process of its own nor a descriptor. */
async function failsCleanly(setting: Awaited<ReturnType<typeof setUp>>, expected: object): Promise<void> {
  const before = await openDescriptors();
  await assert.rejects(setting.create(), expected);
  for (let tries = 0; tries < 50 && (await setting.creators()).length > 0; tries += 1) await sleep(100);
  assert.deepStrictEqual(await setting.creators(), []);
  await assertNoneStaysOpen(before);
}

test('a container is created, starts, and its exit code is there when its monitor has ended', async (t) => {
  const { create, runtime, id, persistDirectory } = await setUp(t);
  const before = await openDescriptors();
  const { process, monitor, monitorExit } = await create();
  assert.deepStrictEqual([await isAlive(process), await isAlive(monitor)], [true, true]);
  await runtime.start(id);
  await monitorExit;
  assert.equal((await readExit(persistDirectory))?.exitCode, 3);
  assert.equal(await isAlive(process), false);
  await assertNoneStaysOpen(before);
  await runtime.delete(id);
});

test("a runtime that refuses is told in the runtime's own words", async (t) => {
  const script = 'echo \'time="x" level=error msg="no \\"such\\" thing"\' >&2; exit 1';
  await failsCleanly(await setUp(t, { script }), { kind: 'Internal', message: /: no "such" thing$/ });
});

test('a monitor that cannot be put in its place is ended with what it has started, or starts nothing', async (t) => {
  const started = join(await scratchDirectory(t), 'started');
  const isStarted = async (): Promise<boolean> =>
    readFile(started).then(
      () => true,
      () => false,
    );
  const script = `: > ${started}; sleep 1000`;
  const waits = async (): Promise<void> => {
    await until('the runtime is started', isStarted);
    throw new Error('no such cgroup');
  };
  const begun = performance.now();
  await failsCleanly(await setUp(t, { script, request: { placeMonitor: waits } }), /no such cgroup/);
  assert.ok(performance.now() - begun < 15_000, 'it did not wait for the runtime, which hangs');

  await rm(started);
  const setting = await setUp(t, { script, request: { placeMonitor: async () => Promise.reject(new Error('no such cgroup')) } });
  await failsCleanly({ ...setting, create: async () => setting.create(true) }, /no such cgroup/);
  assert.equal(await isStarted(), false);
});

test('nothing is done to the cgroup of a monitor any more once its creation has failed, or it is given up', async (t) => {
  const work = new AbortController();
  const begun = Promise.withResolvers<undefined>();
  let isPlaced = false;
  const placeMonitor = async (): Promise<void> => {
    begun.resolve(undefined);
    await sleep(500);
    isPlaced = true;
  };
  const { create } = await setUp(t, { script: 'sleep 1000', request: { signal: work.signal, placeMonitor } });
  const failed = assert.rejects(create(), { message: 'the pod is being stopped' });
  await begun.promise;
  work.abort(new DaemonError('FailedPrecondition', 'the pod is being stopped'));
  await failed;
  assert.equal(isPlaced, true);

  const toldPlace = Promise.withResolvers<undefined>();
  isPlaced = false;
  const { prepare } = await setUp(t, {
    request: {
      placeMonitor: async () => {
        toldPlace.resolve(undefined);
        await placeMonitor();
      },
    },
  });
  const monitor = prepare(Promise.resolve());
  await toldPlace.promise;
  await monitor.discard();
  assert.equal(isPlaced, true);
});

test('a container is there when its monitor is in its place; a runtime that leaves more behind is started only then', async (t) => {
  for (const isPlacedFirst of [false, true]) {
    const { create, directory, runtime, id } = await setUp(t, {
      request: {
        placeMonitor: async () => {
          const isMade = async (): Promise<boolean> => (await readdir(directory)).includes('pidfile');
          if (isPlacedFirst) await sleep(300);
          else await until('the runtime has made the container', isMade);
          assert.equal(await isMade(), !isPlacedFirst);
          await sleep(300);
          isPlaced = true;
        },
      },
    });
    let isPlaced = false;
    const { process: container } = await create(isPlacedFirst);
    assert.deepEqual([isPlaced, await isAlive(container)], [true, true]);
    await runtime.delete(id);
  }
});

test('a runtime that hangs is given up at the timeout, and at once when the work is aborted', async (t) => {
  const script = 'sleep 1000';
  await failsCleanly(await setUp(t, { script, request: { timeoutMs: 500 } }), {
    kind: 'DeadlineExceeded',
    message: /runc under conmon: not finished/,
  });

  const work = new AbortController();
  const setting = await setUp(t, { script, request: { signal: work.signal } });
  setTimeout(() => {
    work.abort(new DaemonError('FailedPrecondition', 'the pod is being stopped'));
  }, 300);
  const begun = performance.now();
  await failsCleanly(setting, { kind: 'FailedPrecondition', message: 'the pod is being stopped' });
  assert.ok(performance.now() - begun < 15_000);
});

test('a monitor that ends before it answers is told with its exit', async (t) => {
  await failsCleanly(await setUp(t, { conmonPath: '/bin/false' }), { kind: 'Internal', message: /conmon ended with 1 before it answered/ });
});

test('a monitor that is not there is told with its path', async (t) => {
  const setting = await setUp(t, { conmonPath: '/no/such/conmon' });
  await failsCleanly(setting, { kind: 'Internal', message: /cannot run \/no\/such\/conmon: ENOENT/ });
});

test('a monitor waits for its place, and for the word; given up before, it ends without having started anything', async (t) => {
  const { prepare, creators, directory } = await setUp(t, { script: 'echo started >>"$PWD/ran"' });
  const before = await openDescriptors();
  const place = Promise.withResolvers<undefined>();
  const monitor = prepare(place.promise);
  await sleep(200);
  assert.deepEqual(await creators(), []);

  place.resolve(undefined);
  await until('it is there', async () => (await creators()).length === 1);
  await sleep(200);
  await monitor.discard();
  await until('it has gone', async () => (await creators()).length === 0);
  await sleep(200);
  assert.ok(!(await readdir(directory)).includes('ran'));
  await assertNoneStaysOpen(before);
});

test('a monitor whose place cannot be made is not started, and says so only where it is wanted', async (t) => {
  const { prepare, creators } = await setUp(t);
  const place = Promise.reject(new Error('no place'));
  await prepare(place).discard();
  await assert.rejects(prepare(place).create({ isPlacedFirst: false }), { message: 'no place' });
  assert.deepEqual(await creators(), []);
});

test('a monitor that could not be put in its place before it was told to create says so then, and harms nobody meanwhile', async (t) => {
  for (const isPlacedFirst of [false, true]) {
    const { prepare, creators } = await setUp(t, { request: { placeMonitor: async () => Promise.reject(new Error('no such cgroup')) } });
    const monitor = prepare(Promise.resolve());
    await until('it is there', async () => (await creators()).length === 1);
    await sleep(200); // a rejection that nobody handles ends the process
    await assert.rejects(monitor.create({ isPlacedFirst }), /no such cgroup/);
    await until('it has gone', async () => (await creators()).length === 0);
  }
});

test('a monitor that is killed while it waits fails the creation in words', async (t) => {
  const { prepare, creators, id } = await setUp(t);
  const before = await openDescriptors();
  const monitor = prepare(Promise.resolve());
  await until('it is there', async () => (await creators()).length === 1);
  await sleep(200);
  for (const { pid } of await creators()) process.kill(pid, 'SIGKILL');
  await assert.rejects(monitor.create({ isPlacedFirst: false }), {
    message: `create container ${id}: conmon was killed by signal 9 before it answered: `,
  });
  await assertNoneStaysOpen(before);
});
