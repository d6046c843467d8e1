/** A runtime that hangs, dies or floods its stderr stalls its own call only, and no container is beyond the reach of a stop. */
// long: 28 s
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { ContainerState, NamespaceMode } from '../../api/cri/enums.ts';
import { pidOf } from '../support/cgroup-files.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf, sharedDaemon } from '../support/e2e-test.ts';
import { FaultyRuntime } from '../support/faulty-runtime.ts';
import {
  containerConfig,
  containerStatus,
  execOutput,
  failureOf,
  podConfig,
  runContainer,
  runPod,
  until,
  type Pod,
} from '../support/pods.ts';

const SLEEP = ['sleep', '3600'];
/** From its runtime's death to the answer of a create. */
const DEATH_TO_ANSWER_MS = 5_000;
const STOP_MS = 3_000;
/** Most a call of these tests may take: what hangs must not hold up the suite. */
const CALL = { timeoutMs: 15_000 };

const runtime = await FaultyRuntime.install();
after(async () => runtime.remove());
const test = sharedDaemon({ args: runtime.args });

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const begun = performance.now();
  const result = await work();
  return { ms: Math.round(performance.now() - begun), result };
}

async function createContainer(daemon: TestDaemon, pod: Pod): Promise<string> {
  const config = await containerConfig(pod, SLEEP);
  return (await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, CALL)).containerId;
}

const CREATES = [
  ['dies', /ended|killed|died/],
  ['dies-first', /ended|killed|died/],
  ['fails', /the shelf is full/],
  ['floods-and-fails', /the shelf is full/],
] as const;

for (const [does, says] of CREATES) {
  test(`a create whose runtime ${does} fails soon with its words, leaves nothing, and works when the runtime is well`, async (daemon) => {
    const pod = await runPod(daemon);
    const before = await inventoryOf(daemon);
    await runtime.set('create', does);
    const { ms, result } = await timed(() => failureOf(createContainer(daemon, pod)));
    await runtime.set('create', 'passes');

    assert.match(result.message, says);
    assert.ok(ms < DEATH_TO_ANSWER_MS, `failed after ${ms} ms: ${result.message}`);
    await assertNothingNew(daemon, before);
    assert.equal(await execOutput(daemon, await runContainer(daemon, pod, SLEEP), ['echo', 'alive']), 'alive');
  });
}

test('what a killed conmon leaves of a terminal is in its bundle, and goes', async (daemon) => {
  const pod = await runPod(daemon);
  const before = await inventoryOf(daemon);
  const creates = await runtime.calls('create');
  await runtime.set('create', 'hangs');
  const config = { ...(await containerConfig(pod, SLEEP)), tty: true };
  const create = failureOf(daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, CALL));
  await until('the create hangs', async () => (await runtime.calls('create')) > creates);
  const bundles = (await readdir(join(daemon.runDir, 'bundles'), { recursive: true })).filter((path) => path.includes('/conmon-term.'));
  assert.equal(bundles.length, 1);
  await daemon.kill9();
  await create;
  await runtime.set('create', 'passes');
  await daemon.start();
  await assertNothingNew(daemon, before);
  const id = await runContainer(daemon, pod, ['sh'], { change: { tty: true, stdin: true } });
  assert.match(await execOutput(daemon, id, ['readlink', '/proc/1/fd/0']), /^\/dev\/(pts\/\d+|console)$/);
  assert.deepEqual(
    (await readdir(join(daemon.runDir, 'bundles', id))).filter((name) => name.startsWith('conmon-term.')),
    [],
  );
});

test('a create whose runtime writes more than a pipe holds to its stderr works', async (daemon, context) => {
  const pod = await runPod(daemon);
  await runtime.set('create', 'floods');
  const { ms, result: id } = await timed(() => createContainer(daemon, pod));
  await runtime.set('create', 'passes');

  context.diagnostic(`it took ${ms} ms`);
  assert.ok(ms < DEATH_TO_ANSWER_MS, `took ${ms} ms`);
  await daemon.runtime.startContainer({ containerId: id });
  assert.equal(await execOutput(daemon, id, ['echo', 'alive']), 'alive');
});

test('a pod whose infra container is made by a runtime that dies fails soon, and leaves nothing', async (daemon) => {
  const before = await inventoryOf(daemon);
  const config = podConfig(daemon, { namespaces: { pid: NamespaceMode.POD } });
  await runtime.set('create', 'dies');
  const { ms, result } = await timed(() => failureOf(daemon.runtime.runPodSandbox({ config }, CALL)));
  await runtime.set('create', 'passes');

  assert.match(result.message, /ended|killed|died/);
  assert.ok(ms < DEATH_TO_ANSWER_MS, `failed after ${ms} ms: ${result.message}`);
  await assertNothingNew(daemon, before);
});

for (const call of ['StopContainer', 'RemoveContainer', 'StopPodSandbox'] as const) {
  test(`${call} does not wait for a start that hangs`, async (daemon) => {
    const pod = await runPod(daemon);
    const id = await createContainer(daemon, pod);
    const pid = await pidOf(daemon, id);
    await runtime.set('start', 'hangs');
    const starts = await runtime.calls('start');
    const start = failureOf(daemon.runtime.startContainer({ containerId: id }));
    await until('the start hangs', async () => (await runtime.calls('start')) > starts);
    const { ms } = await timed(async () => {
      if (call === 'StopContainer') await daemon.runtime.stopContainer({ containerId: id, timeout: 0n }, CALL);
      if (call === 'RemoveContainer') await daemon.runtime.removeContainer({ containerId: id }, CALL);
      if (call === 'StopPodSandbox') await daemon.runtime.stopPodSandbox({ podSandboxId: pod.id }, CALL);
    });

    assert.ok(ms < STOP_MS, `took ${ms} ms`);
    assert.equal(existsSync(`/proc/${pid}`), false);
    const { code, message } = await start;
    assert.equal(code, 'FAILED_PRECONDITION', message);
    if (call !== 'RemoveContainer') assert.equal((await containerStatus(daemon, id)).state, ContainerState.CONTAINER_EXITED);
    await runtime.set('start', 'passes');
  });
}

test('StopContainer does not wait for an update that hangs, and kills when its grace is over', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  await runtime.set('update', 'hangs');
  const update = failureOf(daemon.runtime.updateContainerResources({ containerId: id, linux: { cpuShares: 512n } }));
  await until('the update hangs', async () => (await runtime.calls('update')) > 0);
  const { ms } = await timed(() => daemon.runtime.stopContainer({ containerId: id, timeout: 1n }, CALL));

  assert.ok(ms < 1_000 + STOP_MS, `took ${ms} ms`);
  assert.equal((await update).code, 'FAILED_PRECONDITION');
  assert.equal((await containerStatus(daemon, id)).exitCode, 137);
  await runtime.set('update', 'passes');
});

test('an exec whose runtime writes more than a pipe holds to its stderr works', async (daemon, context) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  await runtime.set('exec', 'floods');
  const { ms, result } = await timed(() => execOutput(daemon, id, ['echo', 'alive']));
  await runtime.set('exec', 'passes');

  context.diagnostic(`it took ${ms} ms`);
  assert.equal(result, 'alive');
  assert.ok(ms < DEATH_TO_ANSWER_MS, `took ${ms} ms`);
});

test('an exec whose runtime floods its stderr and fails says why, and soon', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  await runtime.set('exec', 'floods-and-fails');
  const { ms, result } = await timed(() => failureOf(daemon.runtime.execSync({ containerId: id, cmd: ['true'], timeout: 0n }, CALL)));
  await runtime.set('exec', 'passes');

  assert.match(result.message, /the shelf is full/);
  assert.ok(ms < DEATH_TO_ANSWER_MS, `failed after ${ms} ms: ${result.message}`);
});

test('an exec whose command writes megabytes to its stderr at once loses none of them', async (daemon) => {
  const id = await runContainer(daemon, await runPod(daemon), SLEEP);
  const bytes = 8 * 1024 * 1024;
  const cmd = ['sh', '-c', `head -c ${bytes} /dev/zero >&2`];
  const { stderr, exitCode } = await daemon.runtime.execSync({ containerId: id, cmd, timeout: 0n }, CALL);

  assert.equal(exitCode, 0);
  assert.equal(stderr.length, bytes);
});
