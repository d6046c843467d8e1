/**
 * Every field of the requests that make or change something, with values that it cannot mean, made from the schema: each is
 * refused by its name, and nothing of it is left.
 */
// long: 100 s
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { emptyDir } from 'fs-extra/esm';
import { CriError } from '../../src/cli/cri-client.ts';
import { parseProto, readProto } from '../support/proto-facts.ts';
import { findCriu } from '../support/criu.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { checkpointed, LIMIT, restoreRequest } from '../support/pod-checkpoints.ts';
import { containerConfig, podConfig, runContainer, runPod, until } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';
import { traceOf } from '../support/trace.ts';
import { faultOf, withValue, wrongValuesOf } from '../support/wrong-values.ts';

const { path: criu, skip: noCriu } = await findCriu();
const test = sharedDaemon({ config: `[checkpoint]\ncriu = "${criu}"\n` });
const SLEEP = ['sleep', '3600'];
const SCHEMA = parseProto(await readProto());

async function codeOf(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await call;
    return { code: 'OK', message: '' };
  } catch (error) {
    if (!(error instanceof CriError)) throw error;
    return { code: error.code, message: error.details };
  }
}

/** A copy of the pod's config is checked as all texts are (test/unit/server/wrong-values.test.ts); an image's mount is no mount of a checkpoint. */
const NOT_TRIED = /^(sandbox_config|container_configs\.mounts\.image)\./;
/** Of a process that is there already the field as a whole must be that of the checkpoint. */
const OF_A_PROCESS =
  /^(container_configs\.linux\.security_context)\.(?=run_as_|supplemental_|seccomp\.profile_type|apparmor\.profile_type).*/;

/** Sends a good request with each wrong value in turn. What the good one is answered counts as taken. */
async function sendAll<T extends object>(
  { daemon, context }: { daemon: TestDaemon; context: TestContext },
  request: string,
  good: T,
  send: (request: T) => Promise<unknown>,
): Promise<void> {
  const faults: string[] = [];
  const taken = (await codeOf(send(good))).code;
  // It is made in the daemon's root a second after the first thing that is kept in it, and its file after that.
  const historyFiles = async (): Promise<string[]> => readdir(join(daemon.root, 'history')).catch(() => []);
  await until('there is a history', async () => (await historyFiles()).length > 0);
  const values = wrongValuesOf(SCHEMA.lookupType(request)).filter(({ field }) => !NOT_TRIED.test(field));
  for (const wrong of values) {
    const before = await traceOf(daemon);
    const answer = await codeOf(send(withValue(good, wrong)));
    const isTaken = answer.code === taken;
    const named = { ...wrong, field: wrong.field.replace(OF_A_PROCESS, '$1') };
    const fault = faultOf(named, isTaken ? { code: 'OK', message: '' } : answer);
    if (fault !== undefined) faults.push(fault);
    else if (!isTaken) {
      const after = await traceOf(daemon);
      const other = [...before.filter((line) => !after.includes(line)), ...after.filter((line) => !before.includes(line))];
      if (other.length > 0) faults.push(`${wrong.field}, ${wrong.kind}: refused, but something was made: ${other.join('; ')}`);
    }
  }
  context.diagnostic(`${request}: ${values.length} values`);
  assert.deepEqual(faults, [], request);
}

test('RunPodSandbox with wrong values: each is refused by its field, and nothing is made', async (daemon, context) => {
  const good = { config: podConfig(daemon), runtimeHandler: '' };
  await sendAll({ daemon, context }, 'RunPodSandboxRequest', good, async (request) => {
    await daemon.runtime.removePodSandbox(await daemon.runtime.runPodSandbox(request));
  });
});

test('CreateContainer with wrong values: each is refused by its field, and nothing is made', async (daemon, context) => {
  const pod = await runPod(daemon);
  const mounts = [{ containerPath: '/data', hostPath: '/tmp', readonly: true, image: { image: IMAGES.busybox } }];
  const config = await containerConfig(pod, SLEEP, { change: { mounts } });
  const good = { podSandboxId: pod.id, config, sandboxConfig: pod.config };
  await sendAll({ daemon, context }, 'CreateContainerRequest', good, async (request) => {
    await daemon.runtime.removeContainer(await daemon.runtime.createContainer(request));
  });
});

test('updates with wrong values: each is refused by its field, and nothing is changed', async (daemon, context) => {
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, SLEEP);
  const { runtime } = daemon;
  const on = { daemon, context };
  await sendAll(on, 'UpdateContainerResourcesRequest', { containerId, linux: {} }, (request) => runtime.updateContainerResources(request));
  await sendAll(on, 'UpdatePodSandboxResourcesRequest', { podSandboxId: pod.id }, (request) => runtime.updatePodSandboxResources(request));
});

test('commands, streams and images with wrong values: each is refused by its field', async (daemon, context) => {
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, SLEEP);
  const { runtime, images } = daemon;
  const on = { daemon, context };
  await sendAll(on, 'ExecSyncRequest', { containerId, cmd: ['true'], timeout: 10n }, async (request) => {
    await runtime.execSync(request);
    // Its files are removed behind the answer.
    await until('nothing of the command is left', async () => (await readdir(join(daemon.runDir, 'exec'))).length === 0);
  });
  await sendAll(on, 'ExecRequest', { containerId, cmd: ['true'], stdout: true }, (request) => runtime.exec(request));
  await sendAll(on, 'AttachRequest', { containerId, stdout: true }, (request) => runtime.attach(request));
  await sendAll(on, 'PortForwardRequest', { podSandboxId: pod.id, port: [80] }, (request) => runtime.portForward(request));
  const absent = { image: 'localhost/podwright-test/absent:1' };
  await sendAll(on, 'ImageStatusRequest', { image: absent }, (request) => images.imageStatus(request));
  await sendAll(on, 'ListImagesRequest', { filter: { image: absent } }, (request) => images.listImages(request));
  await sendAll(on, 'RemoveImageRequest', { image: absent }, (request) => images.removeImage(request));
  // Nobody listens there, so a pull that is begun fails, or has not when its time is over.
  const nowhere = { image: '127.0.0.1:9/x:1' };
  await sendAll(on, 'PullImageRequest', { image: nowhere }, async (request) => {
    const { code } = await codeOf(images.pullImage(request, { timeoutMs: 300 }));
    if (code !== 'UNKNOWN' && code !== 'DEADLINE_EXCEEDED') await images.pullImage(request);
  });
});

test('checkpoints with wrong values: each is refused by its field, and nothing is written', async (daemon, context) => {
  if (noCriu !== false) {
    context.skip(noCriu);
    return;
  }
  const pod = await runPod(daemon);
  const containerId = await runContainer(daemon, pod, SLEEP);
  const { runtime } = daemon;
  const on = { daemon, context };
  const outputPath = join(daemon.directory, 'pod-checkpoint');
  await sendAll(on, 'CheckpointContainerRequest', { containerId, location: join(daemon.directory, 'x.tar'), timeout: 60n }, (request) =>
    runtime.checkpointContainer(request),
  );
  await sendAll(
    on,
    'CheckpointPodRequest',
    { podSandboxId: pod.id, outputPath, containerIds: [containerId], options: {} },
    async (request) => {
      await emptyDir(outputPath);
      await runtime.checkpointPod(request, LIMIT);
    },
  );
});

test('RestorePod with wrong values: each is refused by its field, and nothing is made', async (daemon, context) => {
  if (noCriu !== false) {
    context.skip(noCriu);
    return;
  }
  const { place } = await checkpointed(daemon);
  const { request: good } = await restoreRequest(daemon, place);
  await sendAll({ daemon, context }, 'RestorePodRequest', good, async (request) => {
    const { podSandboxId } = await daemon.runtime.restorePod(request, LIMIT);
    await daemon.runtime.removePodSandbox({ podSandboxId });
  });
});
