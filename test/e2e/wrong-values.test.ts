/**
 * Every field of the requests that make or change something, with values that it cannot mean, made from the schema: each is
 * refused by its name, and nothing of it is left.
 */
// long: 45 s
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { CriError } from '../../src/cli/cri-client.ts';
import { parseProto, readProto } from '../support/cri-facts.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerConfig, podConfig, runContainer, runPod } from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';
import { traceOf } from '../support/trace.ts';
import { faultOf, withValue, wrongValuesOf } from '../support/wrong-values.ts';

const test = sharedDaemon();
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

/** Sends a good request with each wrong value in turn. What the good one is answered counts as taken. */
async function sendAll<T extends object>(
  { daemon, context }: { daemon: TestDaemon; context: TestContext },
  request: string,
  good: T,
  send: (request: T) => Promise<unknown>,
): Promise<void> {
  const faults: string[] = [];
  const taken = (await codeOf(send(good))).code;
  // The copy of the pod's config is checked as all texts are: test/unit/server/wrong-values.test.ts.
  const values = wrongValuesOf(SCHEMA.lookupType(request)).filter(({ field }) => !field.startsWith('sandbox_config.'));
  for (const wrong of values) {
    const before = await traceOf(daemon);
    const answer = await codeOf(send(withValue(good, wrong)));
    const isTaken = answer.code === taken;
    const fault = faultOf(wrong, isTaken ? { code: 'OK', message: '' } : answer);
    if (fault !== undefined) faults.push(fault);
    else if (!isTaken && JSON.stringify(await traceOf(daemon)) !== JSON.stringify(before))
      faults.push(`${wrong.field}, ${wrong.kind}: refused, but something was made`);
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
  await sendAll(on, 'ExecSyncRequest', { containerId, cmd: ['true'], timeout: 10n }, (request) => runtime.execSync(request));
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
