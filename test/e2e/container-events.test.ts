/** GetContainerEvents while pods come and go. */
import assert from 'node:assert/strict';
import { ContainerEventType, ContainerState, PodSandboxState } from '../../api/cri/enums.ts';
import type { ContainerEventResponse } from '../../api/cri/runtime.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { sharedDaemon } from '../support/e2e-test.ts';
import { containerStatus, failureOf, removePod, runContainer, runPod, shell, until, waitForExit } from '../support/pods.ts';

const test = sharedDaemon();

const { CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT, CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT } = ContainerEventType;
const ALL = [CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT, CONTAINER_STOPPED_EVENT, CONTAINER_DELETED_EVENT];

/** Reads events until told to end; the daemon knows the reader when its first pod's events have come. */
async function follow(daemon: TestDaemon): Promise<{ of: (id: string) => ContainerEventResponse[]; end: () => Promise<void> }> {
  const events: ContainerEventResponse[] = [];
  const controller = new AbortController();
  const reading = (async () => {
    for await (const event of daemon.runtime.getContainerEvents({}, { signal: controller.signal })) events.push(event);
  })();
  await until('the stream is open', async () => {
    await removePod(daemon, (await runPod(daemon)).id);
    return events.length > 0;
  });
  const end = async (): Promise<void> => {
    controller.abort();
    assert.equal((await failureOf(reading)).code, 'CANCELLED');
  };
  return { of: (id) => events.filter(({ containerId }) => containerId === id), end };
}

test('a pod and its containers: each step once, in order, with the state after it', async (daemon) => {
  const { of, end } = await follow(daemon);
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('exit 3'));
  await waitForExit(daemon, id);
  const second = await runContainer(daemon, pod, ['sleep', '3600'], { name: 'second' });
  await daemon.runtime.stopContainer({ containerId: second, timeout: 0n });
  await daemon.runtime.removeContainer({ containerId: second });
  await removePod(daemon, pod.id);
  await until('the last event', async () => of(pod.id).length >= 4);

  for (const each of [id, second, pod.id]) assert.deepEqual(of(each).map((event) => event.containerEventType), ALL, each); // prettier-ignore
  for (const event of [...of(id), ...of(second), ...of(pod.id)]) {
    assert.equal(event.podSandboxStatus?.metadata?.uid, pod.config.metadata?.uid);
    assert.ok(Math.abs(Date.now() - Number(event.createdAt / 1_000_000n)) < 60_000);
  }
  const states = of(id).map(({ containersStatuses }) => containersStatuses.find((status) => status.id === id)?.state);
  assert.deepEqual(states, [
    ContainerState.CONTAINER_CREATED,
    ContainerState.CONTAINER_RUNNING,
    ContainerState.CONTAINER_EXITED,
    undefined,
  ]);
  const [, , stopped] = of(id);
  assert.deepEqual(stopped?.containersStatuses.map((status) => [status.id, status.exitCode, status.reason]), [[id, 3, 'Error']]); // prettier-ignore
  const ready = of(pod.id).map(({ podSandboxStatus }) => podSandboxStatus?.state === PodSandboxState.SANDBOX_READY);
  assert.deepEqual(ready, [true, true, false, false]);
  await end();
});

test('an end that nobody asked for is told at once, to every client', async (daemon) => {
  const [one, other] = [await follow(daemon), await follow(daemon)];
  const pod = await runPod(daemon);
  const id = await runContainer(daemon, pod, shell('sleep 1'));
  const stopped = async (): Promise<ContainerEventResponse | false> =>
    one.of(id).find(({ containerEventType }) => containerEventType === CONTAINER_STOPPED_EVENT) ?? false;
  const event = await until('it has ended', stopped);

  const { finishedAt } = await containerStatus(daemon, id);
  const lateMs = Number((event.createdAt - finishedAt) / 1_000_000n);
  assert.ok(lateMs >= 0 && lateMs < 2000, `the event is ${lateMs} ms later than the end`);
  await one.end();
  await removePod(daemon, pod.id);
  await until('the other client goes on', async () => other.of(pod.id).length === 4);
  await other.end();
});
