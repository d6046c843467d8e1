/** What is done to a container, killed at every mark. */
// long: 60 s
import assert from 'node:assert/strict';
import { ContainerState } from '../../../api/cri/enums.ts';
import { crashTest, goneOrFinished, limit, MODEL, ofUsers, SLEEP } from '../../support/crash-test.ts';
import type { Operation } from '../../support/crash-test.ts';
import type { TestDaemon } from '../../support/daemon.ts';
import { containerConfig, containerStatus, createContainer, runContainer, runPod, shell, waitForOutput } from '../../support/pods.ts';
import type { Pod, PodOptions } from '../../support/pods.ts';
import { withUsers } from '../../support/user-namespaces.ts';

const createRequest = async (daemon: TestDaemon, pod: Pod): Promise<string> => {
  const config = await containerConfig(pod, SLEEP, MODEL);
  return (await daemon.runtime.createContainer({ podSandboxId: pod.id, config, sandboxConfig: pod.config }, limit)).containerId;
};

const createContainerOf = (name: string, options: PodOptions): Operation<Pod> => ({
  name,
  mustPass: [
    'container.recorded',
    'container.volume.mounted',
    'container.rootfs.mounted',
    'container.hooked',
    'monitor.placed',
    'container.created',
  ],
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
  mustPass: ['container.start-hooked', 'container.starting', 'container.started'],
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
  mustPass: ['container.ended', 'container.end-recorded', 'container.end-told'],
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
  mustPass: [
    'container.remove-told',
    'container.removing',
    'container.rootfs.unmounted',
    'container.rootfs.removed',
    'container.forgotten',
  ],
  prepare: runningContainer,
  request: async (daemon, containerId) => daemon.runtime.removeContainer({ containerId }, limit),
  afterCrash: async () => undefined,
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
