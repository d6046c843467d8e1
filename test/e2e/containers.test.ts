// long: 35 s
import assert from 'node:assert/strict';
import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerState, Signal } from '../../api/cri/enums.ts';
import { limitPod } from '../support/cgroup-files.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import {
  containerConfig,
  containerStatus,
  createContainer,
  failureOf,
  linesOf,
  outputOf,
  readLog,
  removePod,
  runContainer,
  runPod,
  shell,
  waitForExit,
  waitForOutput,
  waitForState,
} from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';

const test = sharedDaemon({ images: ['busybox', 'stopSignal'] });
const SLEEP = ['sleep', '3600'];
/** Notes TERM and goes on. */
const DEAF = shell('trap "echo heard" TERM; echo ready; while :; do sleep 0.1; done');

test('a container goes from CREATED to RUNNING to EXITED, with its times, code and reason', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await createContainer(daemon, pod, shell('echo out; echo err >&2; sleep 1'));
  const created = await containerStatus(daemon, id);
  assert.equal(created.state, ContainerState.CONTAINER_CREATED);
  assert.equal(created.startedAt, 0n);

  await daemon.runtime.startContainer({ containerId: id });
  const running = await containerStatus(daemon, id);
  assert.equal(running.state, ContainerState.CONTAINER_RUNNING);
  assert.ok(running.startedAt >= created.createdAt);
  assert.equal(running.finishedAt, 0n);

  const exited = await waitForExit(daemon, id);
  assert.deepEqual({ code: exited.exitCode, reason: exited.reason }, { code: 0, reason: 'Completed' });
  assert.equal(exited.createdAt, created.createdAt);
  assert.equal(exited.startedAt, running.startedAt);
  const ranForMs = Number((exited.finishedAt - exited.startedAt) / 1_000_000n);
  assert.ok(ranForMs > 800 && ranForMs < 5000, `ran for ${ranForMs} ms by its times, must be about 1000`);

  const lines = await readLog(exited.logPath);
  assert.deepEqual(lines.map(({ stream, tag, text }) => `${stream} ${tag} ${text}`).sort(), ['stderr F err', 'stdout F out']);
});

test('a container that exits with 7 has the reason Error', async (daemon) => {
  const pod = await runPod(daemon);
  const { exitCode, reason } = await waitForExit(daemon, await runContainer(daemon, pod, shell('exit 7')));

  assert.deepEqual({ exitCode, reason }, { exitCode: 7, reason: 'Error' });
});

test('a container killed by a signal has 128 and the signal as its code', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('sleep 3600 & kill -9 $!; wait $!; exit $?'));

  assert.equal((await waitForExit(daemon, id)).exitCode, 137);
});

test('a container over its memory limit is OOMKilled with 137', async (daemon) => {
  const pod = await runPod(daemon);
  // dd fills one buffer of 64 MiB.
  const id = await runContainer(daemon, pod, ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M'], { memoryBytes: 15_728_640n });
  const { exitCode, reason } = await waitForExit(daemon, id);

  assert.deepEqual({ exitCode, reason }, { exitCode: 137, reason: 'OOMKilled' });
});

test("a container that meets its pod's limit, as the kubelet sets it, is OOMKilled with 137, also where its monitor is killed with it", async (daemon) => {
  for (let round = 0; round < 8; round += 1) {
    const pod = await runPod(daemon);
    await limitPod(pod, 20 << 20);
    const id = await runContainer(daemon, pod, shell('sleep 0.1; exec tail /dev/zero'), { memoryBytes: 20n << 20n });
    const { exitCode, reason } = await waitForExit(daemon, id);
    assert.deepEqual([exitCode, reason], [137, 'OOMKilled'], `round ${round}`);
    await removePod(daemon, pod.id);
  }
});

test('twenty containers that exit at once all have their own code', async (daemon) => {
  const pod = await runPod(daemon);
  const codes = Array.from({ length: 20 }, (_, index) => index + 1);
  const seen = await Promise.all(
    codes.map(async (code) => {
      const id = await runContainer(daemon, pod, shell(`exit ${code}`), { name: `c${code}` });
      return (await waitForExit(daemon, id, 60_000)).exitCode;
    }),
  );

  assert.deepEqual(seen, codes);
});

test('a command that does not exist fails with its name, and nothing of it runs', async (daemon) => {
  const pod = await runPod(daemon);
  // runc looks the command up in create, other runtimes in start; the kubelet copes with both.
  const outcome = await createContainer(daemon, pod, ['/no/such/command']).then(
    async (id) => ({ id, ...(await failureOf(daemon.runtime.startContainer({ containerId: id }))) }),
    (error: unknown) => ({ id: undefined, message: String(error) }),
  );

  assert.match(outcome.message, /\/no\/such\/command/);
  if (outcome.id === undefined) assert.deepEqual((await daemon.runtime.listContainers({})).containers, []);
  else {
    const status = await containerStatus(daemon, outcome.id);
    assert.equal(status.state, ContainerState.CONTAINER_EXITED);
    assert.equal(status.exitCode, 128);
    assert.match(status.message, /\/no\/such\/command/);
  }
});

test('StartContainer works from CREATED only', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);
  assert.equal((await failureOf(daemon.runtime.startContainer({ containerId: id }))).code, 'FAILED_PRECONDITION');

  await daemon.runtime.stopContainer({ containerId: id, timeout: 0n });
  assert.equal((await failureOf(daemon.runtime.startContainer({ containerId: id }))).code, 'FAILED_PRECONDITION');
});

test('CreateContainer refuses an image that is not there, and a pod that is not there', async (daemon) => {
  const pod = await runPod(daemon);
  const image = 'localhost/podwright-test/absent:1';
  const { code, message } = await failureOf(createContainer(daemon, pod, SLEEP, { image }));
  assert.equal(code, 'NOT_FOUND');
  assert.match(message, /absent/);

  const config = await containerConfig(pod, SLEEP);
  const request = { podSandboxId: 'f'.repeat(64), config, sandboxConfig: pod.config };
  assert.equal((await failureOf(daemon.runtime.createContainer(request))).code, 'NOT_FOUND');
});

test('the status returns metadata, labels, annotations, mounts and the log path as they were asked for', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, SLEEP, { name: 'echoed', attempt: 4 });
  const { containerId } = await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config });
  const status = await containerStatus(daemon, containerId);

  assert.deepEqual({ ...status.metadata }, config.metadata);
  assert.deepEqual(status.labels, config.labels);
  assert.deepEqual(status.annotations, config.annotations);
  assert.equal(status.logPath, `${pod.config.logDirectory ?? ''}/echoed/4.log`);
  assert.deepEqual(
    status.mounts.map((mount) => [mount.containerPath, mount.hostPath, mount.readonly]).sort(),
    config.mounts?.map((mount) => [mount.containerPath, mount.hostPath, mount.readonly]).sort(),
  );
  assert.equal(status.image?.image, IMAGES.busybox);
  const { image } = await daemon.images.imageStatus({ image: { image: IMAGES.busybox } });
  assert.deepEqual([status.imageId, status.imageRef], [image?.id, image?.repoDigests[0]]);
  const { info } = await daemon.runtime.containerStatus({ containerId, verbose: true });
  const described = JSON.parse(info['info'] ?? '{}') as { pid?: number; sandboxID?: string; runtimeSpec?: object };
  assert.equal(described.sandboxID, pod.id);
  assert.equal(typeof described.pid, 'number');
  assert.equal(typeof described.runtimeSpec, 'object');
});

test('the termination message is what the container wrote to its mount', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('echo goodbye >/dev/termination-log'));
  const { mounts } = await waitForExit(daemon, id);
  const hostPath = mounts.find((mount) => mount.containerPath === '/dev/termination-log')?.hostPath ?? '';

  assert.equal(await readFile(hostPath, 'utf8'), 'goodbye\n');
});

test('ListContainers filters by id prefix, state, pod and labels', async (daemon) => {
  const pod = await runPod(daemon);
  const other = await runPod(daemon);
  const running = await runContainer(daemon, pod, SLEEP, { name: 'running' });
  const created = await createContainer(daemon, pod, SLEEP, { name: 'created' });
  const elsewhere = await createContainer(daemon, other, SLEEP, { name: 'elsewhere' });
  const list = async (filter: object): Promise<string[]> =>
    (await daemon.runtime.listContainers({ filter })).containers.map((container) => container.id).sort();

  assert.deepEqual(await list({}), [running, created, elsewhere].sort());
  assert.deepEqual(await list({ id: running.slice(0, 13) }), [running]);
  assert.deepEqual(await list({ state: { state: ContainerState.CONTAINER_RUNNING } }), [running]);
  assert.deepEqual(await list({ podSandboxId: other.id }), [elsewhere]);
  assert.deepEqual(await list({ labelSelector: { 'io.kubernetes.container.name': 'created' } }), [created]);
  assert.deepEqual(await list({ id: 'f'.repeat(64) }), []);
});

test('StopContainer sends TERM by default and the signal of the image where it names one', async (daemon) => {
  const pod = await runPod(daemon);
  const byTerm = await runContainer(daemon, pod, shell('trap "exit 15" TERM; echo ready; while :; do sleep 0.1; done'), { name: 'term' });
  const byImage = await runContainer(daemon, pod, [], { name: 'image', image: IMAGES.stopSignal });
  const byRequest = await runContainer(daemon, pod, [], {
    name: 'request',
    image: IMAGES.stopSignal,
    change: { stopSignal: Signal.SIGNAL_SIGTERM },
  });
  for (const id of [byTerm, byImage, byRequest]) {
    await waitForOutput(daemon, id, 'ready');
    await daemon.runtime.stopContainer({ containerId: id, timeout: 10n });
  }
  const code = async (id: string): Promise<number> => (await containerStatus(daemon, id)).exitCode;

  assert.deepEqual([await code(byTerm), await code(byImage), await code(byRequest)], [15, 10, 11]);
});

test('StopContainer kills after its timeout, and at once with timeout 0', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, DEAF);
  await waitForOutput(daemon, id, 'ready');
  const begin = Date.now();
  await daemon.runtime.stopContainer({ containerId: id, timeout: 1n });
  const tookMs = Date.now() - begin;
  assert.ok(tookMs >= 950 && tookMs < 4000, `took ${tookMs} ms, must be a little over 1000`);
  const { exitCode, reason, state } = await containerStatus(daemon, id);
  assert.deepEqual({ exitCode, reason, state }, { exitCode: 137, reason: 'Error', state: ContainerState.CONTAINER_EXITED });
  assert.ok((await outputOf(daemon, id)).includes('heard'), 'TERM did not come first');

  const second = await runContainer(daemon, pod, DEAF, { attempt: 1 });
  await waitForOutput(daemon, second, 'ready');
  await daemon.runtime.stopContainer({ containerId: second, timeout: 0n });
  assert.ok(!(await outputOf(daemon, second)).includes('heard'), 'TERM came although the timeout is 0');
});

test('a shorter later timeout wins', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, DEAF);
  await waitForOutput(daemon, id, 'ready');
  const begin = Date.now();
  const long = daemon.runtime.stopContainer({ containerId: id, timeout: 60n });
  await sleep(300);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 1n });
  await long;
  const tookMs = Date.now() - begin;

  assert.ok(tookMs < 10_000, `took ${tookMs} ms, the second call asked for 1000`);
});

test('a container that exits on its own is not waited for', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('trap : TERM; echo ready; sleep 1; exit 4'));
  await waitForOutput(daemon, id, 'ready');
  const begin = Date.now();
  await daemon.runtime.stopContainer({ containerId: id, timeout: 60n });
  const tookMs = Date.now() - begin;

  assert.ok(tookMs < 5000, `took ${tookMs} ms`);
  assert.equal((await containerStatus(daemon, id)).exitCode, 4);
  await daemon.runtime.stopContainer({ containerId: id, timeout: 60n });
});

test('a stopped caller leaves the stop under way', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, DEAF);
  await waitForOutput(daemon, id, 'ready');
  const { code } = await failureOf(daemon.runtime.stopContainer({ containerId: id, timeout: 2n }, { timeoutMs: 300 }));
  assert.equal(code, 'DEADLINE_EXCEEDED');

  assert.equal((await waitForExit(daemon, id, 10_000)).exitCode, 137);
});

test('RemoveContainer of a running container ends it; again is no error', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, SLEEP);

  await daemon.runtime.removeContainer({ containerId: id });
  await daemon.runtime.removeContainer({ containerId: id });
  assert.equal((await failureOf(daemon.runtime.containerStatus({ containerId: id }))).code, 'NOT_FOUND');
  const again = await createContainer(daemon, pod, SLEEP);
  assert.notEqual(again, id);
});

test('ReopenContainerLog goes on in a new file after a rotation; a container that has ended is refused and no file made', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; sleep 0.01; done'));
  await waitForOutput(daemon, id, 'line 3');
  const { logPath } = await containerStatus(daemon, id);
  await rename(logPath, `${logPath}.1`);
  await daemon.runtime.reopenContainerLog({ containerId: id });
  await access(logPath);
  await waitForExit(daemon, id, 30_000);
  const lines = linesOf([...(await readLog(`${logPath}.1`)), ...(await readLog(logPath))]);
  assert.deepEqual(
    lines,
    Array.from({ length: 300 }, (_, index) => `line ${index + 1}`),
  );

  await rename(logPath, `${logPath}.2`);
  assert.equal((await failureOf(daemon.runtime.reopenContainerLog({ containerId: id }))).code, 'FAILED_PRECONDITION');
  await assert.rejects(access(logPath), { code: 'ENOENT' });
});

test('with a terminal both outputs are one, and TERM is set', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('tty; echo $TERM; echo err >&2'), { change: { tty: true } });
  const { logPath } = await waitForExit(daemon, id);
  const lines = await readLog(logPath);

  assert.deepEqual(lines.map(({ stream, text }) => `${stream} ${text.trimEnd()}`), ['stdout /dev/pts/0', 'stdout xterm', 'stdout err']); // prettier-ignore
});

test('long and unfinished lines are partial pieces whose text is whole', async (daemon) => {
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('head -c 100000 /dev/zero | tr "\\0" x; echo; printf end'));
  const { logPath } = await waitForExit(daemon, id);

  assert.deepEqual(linesOf(await readLog(logPath)), ['x'.repeat(100_000), 'end']);
});

test('a container whose log directory is missing gets it', async (daemon) => {
  const pod = await runPod(daemon);
  const config = await containerConfig(pod, shell('echo here'), { name: 'deep' });
  const request = { podSandboxId: pod.id, sandboxConfig: pod.config, config: { ...config, logPath: 'not/made/yet/0.log' } };
  const { containerId } = await daemon.runtime.createContainer(request);
  await daemon.runtime.startContainer({ containerId });
  await waitForState(daemon, containerId, ContainerState.CONTAINER_EXITED);

  assert.deepEqual(await outputOf(daemon, containerId), ['here']);
});

test('a volume is bound; what is not a directory yet is made; a read-only one refuses writes', async (daemon) => {
  const pod = await runPod(daemon);
  const source = `${daemon.directory}/volume`;
  const mount = (containerPath: string, readonly: boolean): object => ({ containerPath, hostPath: source, readonly, propagation: 0 });
  const id = await runContainer(daemon, pod, shell('echo hi >/rw/file; echo no >/ro/file; cat /ro/file'), {
    change: { mounts: [mount('/ro', true), mount('/rw', false)] },
  });
  await waitForExit(daemon, id);

  const output = await outputOf(daemon, id);
  assert.ok(output.includes('hi'));
  assert.ok(output.some((line) => /Read-only file system/.test(line)));
  assert.equal(await readFile(`${source}/file`, 'utf8'), 'hi\n');
  await writeFile(`${source}/file`, '');
});

test('an image volume that cannot be mounted is refused, and nothing is left', async (daemon) => {
  const pod = await runPod(daemon);
  const refusal = async (mount: object): ReturnType<typeof failureOf> => {
    const whole = { containerPath: '/data', readonly: true, image: { image: IMAGES.busybox }, ...mount };
    return failureOf(createContainer(daemon, pod, SLEEP, { change: { mounts: [whole] } }));
  };
  assert.deepEqual([(await refusal({ readonly: false })).code, (await refusal({ imageSubPath: 'absent' })).code], ['INVALID_ARGUMENT', 'INVALID_ARGUMENT']); // prettier-ignore
  const { code, message } = await refusal({ image: { image: 'example.org/absent:1' } });
  assert.equal(code, 'NOT_FOUND');
  assert.match(message, /^ImageVolumeMountFailed: .*\/data.*example.org\/absent:1.*pulled/);
  assert.deepEqual((await daemon.runtime.listContainers({})).containers, []);
});

test('image volumes show images of one and of more layers, read-only, whole or in part; the images stay', async (daemon) => {
  await daemon.loadImages(['layers']);
  const pod = await runPod(daemon);
  const imageVolumes = {
    '/one': { image: IMAGES.busybox },
    '/more': { image: IMAGES.layers },
    '/part': { image: IMAGES.busybox, subPath: 'bin' },
  };
  const id = await runContainer(daemon, pod, shell('/one/bin/busybox ls /part /more; echo >/one/file'), { imageVolumes });
  const { exitCode } = await waitForExit(daemon, id);
  const output = (await outputOf(daemon, id)).join(' ');
  assert.equal(exitCode, 1);
  assert.match(output, /\bbusybox\b.*Read-only file system/);
  const { mounts } = await containerStatus(daemon, id);
  const { image: layers } = await daemon.images.imageStatus({ image: { image: IMAGES.layers } });
  const volume = mounts.find(({ containerPath }) => containerPath === '/more');
  assert.deepEqual([volume?.image?.image, volume?.image?.imageRef], [IMAGES.layers, layers?.id]);

  const remove = async (): Promise<unknown> => daemon.images.removeImage({ image: { image: IMAGES.layers } });
  assert.equal((await failureOf(remove())).code, 'FAILED_PRECONDITION');
  await daemon.stop('SIGKILL');
  await daemon.start();
  assert.equal((await failureOf(remove())).code, 'FAILED_PRECONDITION');
  await removePod(daemon, pod.id);
  await remove();
});

test('a name, a log path and a volume that are not ASCII are as good as any', async (daemon) => {
  const pod = await runPod(daemon, { name: 'größe', change: { logDirectory: join(daemon.logDirectory, 'größe') } });
  const id = await runContainer(daemon, pod, shell('echo ja'), { name: 'éa' });
  await waitForExit(daemon, id);
  assert.deepEqual(await outputOf(daemon, id), ['ja']);
});
