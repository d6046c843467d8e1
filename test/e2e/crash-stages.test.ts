/**
 * The daemon is killed between each outside effect and its record. The marks are not listed here: each operation is run
 * once with PODWRIGHT_STAGE_LOG to learn which it passes, and then once for each mark with PODWRIGHT_KILL_AT.
 */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerState, NamespaceMode } from '../../api/cri/enums.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertNothingNew, inventoryOf } from '../support/e2e-test.ts';
import type { Inventory } from '../support/inventory.ts';
import type { Pod, PodOptions } from '../support/pods.ts';
import {
  containerConfig,
  containerStatus,
  createContainer,
  podConfig,
  removeAllPods,
  removePod,
  runContainer,
  runPod,
  shell,
  waitForOutput,
} from '../support/pods.ts';
import { IMAGES } from '../support/test-image.ts';
import { noUserNamespaces, userNamespaceArgs, withUsers } from '../support/user-namespaces.ts';

/** One operation of the daemon under fire. */
interface Operation<Prepared> {
  readonly name: string;
  /** What must be there before; not under fire. */
  readonly prepare: (daemon: TestDaemon) => Promise<Prepared>;
  /** The request. After a crash it is sent again, and must succeed then. */
  readonly request: (daemon: TestDaemon, prepared: Prepared) => Promise<unknown>;
  /** Holds after the daemon was killed in the request and started again; `before` was taken between prepare and request. */
  readonly afterCrash: (daemon: TestDaemon, prepared: Prepared, before: Inventory) => Promise<void>;
  /** Marks that the operation must pass, or this file tests nothing. */
  readonly mustPass: readonly string[];
}

const SLEEP = ['sleep', '3600'];
/** An image volume, so that its mount is among what may be left. */
const MODEL = { imageVolumes: { '/model': { image: IMAGES.busybox } } };
const limit = { timeoutMs: 30_000 };
/** Marks that no call waits for are passed soon after it. */
const LATE_MARKS_MS = 1000;

/** Runs the request; the daemon dies in it, or soon after it. */
async function fire<Prepared>(daemon: TestDaemon, operation: Operation<Prepared>, prepared: Prepared): Promise<void> {
  await operation.request(daemon, prepared).catch(async (error: unknown) => {
    await daemon.ended(5000).catch(() => {
      throw error;
    });
  });
  await daemon.ended(10_000);
}

const stageLog = (daemon: TestDaemon): string => join(daemon.directory, 'marks');
const killAt = (daemon: TestDaemon): string => join(daemon.directory, 'kill-at');

async function startUnderFire(args: readonly string[]): Promise<TestDaemon> {
  const daemon = await TestDaemon.prepare({ args });
  await daemon.start({ PODWRIGHT_STAGE_LOG: stageLog(daemon), PODWRIGHT_KILL_AT: `@${killAt(daemon)}` });
  await daemon.loadImages(['busybox']);
  return daemon;
}

async function marksOf<Prepared>(daemon: TestDaemon, operation: Operation<Prepared>): Promise<string[]> {
  const prepared = await operation.prepare(daemon);
  await rm(stageLog(daemon), { force: true });
  await operation.request(daemon, prepared);
  await sleep(LATE_MARKS_MS);
  const marks = (await readFile(stageLog(daemon), 'utf8')).split('\n').filter((line) => line !== '');
  return [...new Set(marks)];
}

interface NodeNeeds {
  readonly skip?: string | false;
  readonly args?: readonly string[];
}

function crashTest<Prepared>(operation: Operation<Prepared>, { skip = false, args = [] }: NodeNeeds = {}): void {
  test(`kill -9 at every mark of ${operation.name}`, { timeout: 600_000, skip }, async (context) => {
    const daemon = await startUnderFire(args);
    try {
      const empty = await inventoryOf(daemon);
      const marks = await marksOf(daemon, operation);
      await tidy(daemon, empty);
      context.diagnostic(`${operation.name} passes ${marks.length} marks: ${marks.join(', ')}`);
      for (const mark of operation.mustPass) assert.ok(marks.includes(mark), `${operation.name} does not pass the mark ${mark}`);
      for (const mark of marks) await crashAt(context, daemon, operation, mark, empty);
    } finally {
      await daemon.destroy();
    }
  });
}

async function crashAt<P>(
  context: TestContext,
  daemon: TestDaemon,
  operation: Operation<P>,
  mark: string,
  empty: Inventory,
): Promise<void> {
  await context.test(`${operation.name}, killed at ${mark}`, async () => {
    try {
      if (!daemon.isRunning) await daemon.start();
      const prepared = await operation.prepare(daemon);
      const before = await inventoryOf(daemon);
      await writeFile(killAt(daemon), mark);
      await fire(daemon, operation, prepared);
      await rm(killAt(daemon));
      await daemon.start({ PODWRIGHT_KILL_AT: `@${killAt(daemon)}` });
      await operation.afterCrash(daemon, prepared, before);
      await operation.request(daemon, prepared);
      await tidy(daemon, empty);
    } catch (error) {
      process.stdout.write(await daemon.logTail(40));
      await rm(killAt(daemon), { force: true });
      if (!daemon.isRunning) await daemon.start({ PODWRIGHT_KILL_AT: `@${killAt(daemon)}` });
      await removeAllPods(daemon).catch(() => undefined);
      throw error;
    }
  });
}

/** Removes all there is; then nothing may be left. */
async function tidy(daemon: TestDaemon, empty: Inventory): Promise<void> {
  await removeAllPods(daemon);
  const { images } = await daemon.images.listImages({});
  for (const image of images) {
    if (!image.repoTags.includes(IMAGES.busybox)) await daemon.images.removeImage({ image: { image: image.id } });
  }
  await assertNothingNew(daemon, empty);
}

/** Half-made objects are gone; a finished one is visible, and is what the request gives when it comes again. */
async function goneOrFinished(
  daemon: TestDaemon,
  visible: readonly string[],
  again: () => Promise<string>,
  before: Inventory,
): Promise<void> {
  const [id] = visible;
  if (id === undefined) await assertNothingNew(daemon, before);
  else assert.equal(await again(), id, 'the request again must give the finished object');
}

function runPodSandbox(name: string, options: PodOptions, mustPass: readonly string[]): Operation<Pod['config']> {
  const request = async (daemon: TestDaemon, config: Pod['config']): Promise<string> =>
    (await daemon.runtime.runPodSandbox({ config }, limit)).podSandboxId;
  return {
    name,
    mustPass,
    prepare: async (daemon) => podConfig(daemon, options),
    request,
    afterCrash: async (daemon, config, before) => {
      const { items } = await daemon.runtime.listPodSandbox({});
      await goneOrFinished(daemon, items.map((item) => item.id), async () => request(daemon, config), before); // prettier-ignore
    },
  };
}

crashTest(runPodSandbox('RunPodSandbox', {}, ['sandbox.recorded', 'sandbox.pinned', 'cni.intent-recorded', 'cni.plugin-added', 'cni.added', 'sandbox.ready'])); // prettier-ignore
crashTest(runPodSandbox('RunPodSandbox with a shared PID namespace', { namespaces: { pid: NamespaceMode.POD } }, ['sandbox.infra.created', 'sandbox.infra.started'])); // prettier-ignore

const ofUsers: NodeNeeds = { skip: noUserNamespaces, args: userNamespaceArgs };
const USER_MARKS = ['namespaces.pinning-user', 'namespaces.pinning-net', 'namespaces.pinning-uts', 'namespaces.showing-layers'];
crashTest(runPodSandbox('RunPodSandbox with a user namespace', withUsers({ pid: NamespaceMode.POD }), [...USER_MARKS, 'sandbox.pinned', 'sandbox.infra.created']), ofUsers); // prettier-ignore

const createRequest = async (daemon: TestDaemon, pod: Pod): Promise<string> => {
  const config = await containerConfig(pod, SLEEP, MODEL);
  return (await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, limit)).containerId;
};

const createContainerOf = (name: string, options: PodOptions): Operation<Pod> => ({
  name,
  mustPass: ['container.recorded', 'container.volume.mounted', 'container.rootfs.mounted', 'container.created'],
  prepare: async (daemon) => {
    const pod = await runPod(daemon, options);
    await containerConfig(pod, SLEEP, MODEL);
    return pod;
  },
  request: createRequest,
  afterCrash: async (daemon, pod, before) => {
    const { containers } = await daemon.runtime.listContainers({});
    await goneOrFinished(daemon, containers.map((item) => item.id), async () => createRequest(daemon, pod), before); // prettier-ignore
  },
});
crashTest(createContainerOf('CreateContainer', {}));
crashTest(createContainerOf('CreateContainer in a pod with a user namespace', withUsers()), ofUsers);

crashTest<string>({
  name: 'StartContainer',
  mustPass: ['container.starting', 'container.started'],
  prepare: async (daemon) => createContainer(daemon, await runPod(daemon), SLEEP),
  request: async (daemon, containerId) => {
    // One that came to run before the crash is not started again: the kubelet sees it RUNNING.
    if ((await containerStatus(daemon, containerId)).state === ContainerState.CONTAINER_RUNNING) return;
    await daemon.runtime.startContainer({ containerId }, limit);
  },
  afterCrash: async (daemon, containerId) => {
    const { state } = await containerStatus(daemon, containerId);
    const known: number[] = [ContainerState.CONTAINER_CREATED, ContainerState.CONTAINER_RUNNING];
    assert.ok(known.includes(state), `the container is in state ${state}, must be CREATED or RUNNING`);
  },
});

const runningContainer = async (daemon: TestDaemon): Promise<string> => {
  const id = await runContainer(daemon, await runPod(daemon), shell('trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done'), MODEL);
  await waitForOutput(daemon, id, 'ready');
  return id;
};

crashTest<string>({
  name: 'StopContainer',
  mustPass: ['container.ended', 'container.end-recorded'],
  prepare: runningContainer,
  request: async (daemon, containerId) => daemon.runtime.stopContainer({ containerId, timeout: 10n }, limit),
  afterCrash: async (daemon, containerId) => {
    await daemon.runtime.stopContainer({ containerId, timeout: 10n }, limit);
    const { state, exitCode, finishedAt } = await containerStatus(daemon, containerId);
    assert.deepEqual({ state, exitCode }, { state: ContainerState.CONTAINER_EXITED, exitCode: 5 });
    assert.notEqual(finishedAt, 0n);
  },
});

crashTest<string>({
  name: 'RemoveContainer',
  mustPass: ['container.removing', 'container.rootfs.unmounted', 'container.rootfs.removed', 'container.forgotten'],
  prepare: runningContainer,
  request: async (daemon, containerId) => daemon.runtime.removeContainer({ containerId }, limit),
  afterCrash: async () => undefined,
});

const podWithContainer = (options: PodOptions) => async (daemon: TestDaemon) => {
  const pod = await runPod(daemon, options);
  await runContainer(daemon, pod, shell('trap exit TERM; while :; do sleep 0.05; done'), MODEL);
  return pod.id;
};

for (const [what, options, needs] of [
  ['', {}, {}],
  [' with a shared PID namespace', { namespaces: { pid: NamespaceMode.POD } }, {}],
  [' with a user namespace', withUsers(), ofUsers],
] as const) {
  // prettier-ignore
  crashTest<string>({
    name: `StopPodSandbox${what}`,
    mustPass: ['cni.deleted', 'cni.record-removed', 'sandbox.detached', 'sandbox.unpinned', 'sandbox.notready'],
    prepare: podWithContainer(options),
    request: async (daemon, podSandboxId) => daemon.runtime.stopPodSandbox({ podSandboxId }, limit),
    afterCrash: async () => undefined,
  }, needs);
}

crashTest<string>({
  name: 'RemovePodSandbox of a stopped pod',
  mustPass: ['sandbox.removing', 'sandbox.files.removed', 'sandbox.forgotten'],
  prepare: async (daemon) => {
    const id = await podWithContainer({})(daemon);
    await daemon.runtime.stopPodSandbox({ podSandboxId: id });
    return id;
  },
  request: async (daemon, podSandboxId) => daemon.runtime.removePodSandbox({ podSandboxId }, limit),
  afterCrash: async () => undefined,
});

crashTest<string>({
  name: 'RemovePodSandbox of a running pod',
  mustPass: ['sandbox.removing', 'sandbox.unpinned'],
  prepare: podWithContainer({}),
  request: async (daemon, podSandboxId) => daemon.runtime.removePodSandbox({ podSandboxId }, limit),
  afterCrash: async (daemon) => {
    const { items } = await daemon.runtime.listPodSandbox({});
    for (const { id } of items) await removePod(daemon, id);
  },
});

crashTest({
  name: 'image load',
  mustPass: [],
  prepare: async () => undefined,
  request: async (daemon) => daemon.loadImages(['layers']),
  afterCrash: async (daemon, _prepared, before) => {
    const { image } = await daemon.images.imageStatus({ image: { image: IMAGES.layers } });
    if (image === undefined) return assertNothingNew(daemon, before);
    const pod = await runPod(daemon);
    await runContainer(daemon, pod, SLEEP, { image: IMAGES.layers });
    await removePod(daemon, pod.id);
  },
});

crashTest<string>({
  name: 'RemoveImage',
  mustPass: ['image-remove.forgotten'],
  prepare: async (daemon) => {
    await daemon.loadImages(['layers']);
    return IMAGES.layers;
  },
  request: async (daemon, image) => daemon.images.removeImage({ image: { image } }, limit),
  afterCrash: async (daemon, image) => {
    assert.equal((await daemon.images.imageStatus({ image: { image } })).image, undefined, 'it came back');
  },
});

const LIMIT_BYTES = 96n << 20n;

crashTest<string>({
  name: 'UpdateContainerResources',
  mustPass: ['container.updated'],
  prepare: async (daemon) => runContainer(daemon, await runPod(daemon), SLEEP, { memoryBytes: 64n << 20n }),
  request: async (daemon, containerId) => {
    await daemon.runtime.updateContainerResources({ containerId, linux: { memoryLimitInBytes: LIMIT_BYTES } }, limit);
    assert.equal((await containerStatus(daemon, containerId)).resources?.linux?.memoryLimitInBytes, LIMIT_BYTES);
  },
  afterCrash: async (daemon, containerId) => {
    assert.equal((await containerStatus(daemon, containerId)).state, ContainerState.CONTAINER_RUNNING);
  },
});
