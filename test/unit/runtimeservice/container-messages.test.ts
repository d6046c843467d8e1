import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerState as CriState, Signal } from '../../../api/cri/enums.ts';
import type { ContainerFilter } from '../../../api/cri/runtime.ts';
import type { ContainerRecord, ContainerState } from '../../../src/container/container.ts';
import {
  containerMatches,
  containerMessage,
  containerState,
  containerStatusMessage,
} from '../../../src/runtimeservice/container-messages.ts';
import type { RuntimeServiceParts } from '../../../src/runtimeservice/parts.ts';
import { container, CONTAINER_ID, IMAGE_ID, MADE, SANDBOX_ID } from '../../support/objects.ts';
import { resources } from '../../support/spec-inputs.ts';

const ENDED = { startedAtNs: 3_000n, finishedAtNs: 4_000n, exitCode: 137, reason: 'OOMKilled', message: '' } as const;
const EXITED: ContainerState = { is: 'Exited', ...ENDED, ...MADE };
const NOTHING: ContainerFilter = { id: '', podSandboxId: '', state: undefined, labelSelector: {} };

/** The image is there under these names. */
function partsWith(names: readonly string[]): Pick<RuntimeServiceParts, 'containers'> {
  const imageOf = ({ imageId }: ContainerRecord) => (imageId === IMAGE_ID && names.length > 0 ? { names } : undefined);
  return { containers: { imageOf } } as unknown as Pick<RuntimeServiceParts, 'containers'>;
}
const PARTS = partsWith(['example.org/app:1']);

test('the states as the CRI has them', () => {
  const states: readonly [ContainerState, CriState][] = [
    [{ is: 'Created', ...MADE }, CriState.CONTAINER_CREATED],
    [{ is: 'Starting', startedAtNs: 1n, ...MADE }, CriState.CONTAINER_RUNNING],
    [{ is: 'Running', startedAtNs: 1n, ...MADE }, CriState.CONTAINER_RUNNING],
    [EXITED, CriState.CONTAINER_EXITED],
    [{ is: 'Removing', ...ENDED, ...MADE }, CriState.CONTAINER_EXITED],
    [{ is: 'Removing', ...MADE }, CriState.CONTAINER_UNKNOWN],
  ];
  for (const [state, expected] of states) assert.equal(containerState(state), expected, state.is);
});

test('List has all that the kubelet reads', () => {
  const message = containerMessage(container());
  assert.deepStrictEqual(
    [
      message.id,
      message.podSandboxId,
      message.metadata?.name,
      message.metadata?.attempt,
      message.imageRef,
      message.imageId,
      message.createdAt,
      message.state,
    ],
    [CONTAINER_ID, SANDBOX_ID, 'app', 2, IMAGE_ID, IMAGE_ID, 2_000n, CriState.CONTAINER_RUNNING],
  );
  assert.deepStrictEqual([message.labels, message.annotations], [{ app: 'web' }, { 'io.kubernetes.container.restartCount': '2' }]);
});

test('Status of a running container has its start and no end', () => {
  const { startedAt, finishedAt, exitCode, reason, message, logPath } = containerStatusMessage(PARTS, container());
  assert.deepStrictEqual(
    { startedAt, finishedAt, exitCode, reason, message, logPath },
    { startedAt: 3_000n, finishedAt: 0n, exitCode: 0, reason: '', message: '', logPath: '/var/log/pods/shop_web-0_u-1/app/2.log' },
  );
});

test('Status of an ended container keeps its start and tells code, time and reason', () => {
  for (const is of ['Exited', 'Removing'] as const) {
    const { startedAt, finishedAt, exitCode, reason } = containerStatusMessage(PARTS, container({ state: { is, ...ENDED, ...MADE } }));
    assert.deepStrictEqual(
      { startedAt, finishedAt, exitCode, reason },
      { startedAt: 3_000n, finishedAt: 4_000n, exitCode: 137, reason: 'OOMKilled' },
    );
  }
});

test('Status of a container that never started has no start, and the words of the runtime', () => {
  const state: ContainerState = {
    is: 'Exited',
    finishedAtNs: 4_000n,
    exitCode: 128,
    reason: 'ContainerCannotRun',
    message: 'exec: no such file',
    ...MADE,
  };
  const { startedAt, exitCode, reason, message } = containerStatusMessage(PARTS, container({ state }));
  assert.deepStrictEqual(
    { startedAt, exitCode, reason, message },
    { startedAt: 0n, exitCode: 128, reason: 'ContainerCannotRun', message: 'exec: no such file' },
  );
});

test('Status names the image as its user did, else by a name of it, else by its id: never empty', () => {
  const imageOf = (names: readonly string[], image: { image: string; userSpecifiedImage?: string }): string | undefined =>
    containerStatusMessage(partsWith(names), container({ init: { image } })).image?.image;
  assert.equal(imageOf(['example.org/app:1'], { image: IMAGE_ID, userSpecifiedImage: 'app:1' }), 'app:1');
  assert.equal(imageOf(['example.org/app:1'], { image: 'app:latest' }), 'app:latest');
  assert.equal(imageOf(['example.org/app:1'], { image: IMAGE_ID }), 'example.org/app:1');
  assert.equal(imageOf([], { image: IMAGE_ID }), IMAGE_ID);
});

test('Status echoes mounts, tells the user, the resources in force and the stop signal', () => {
  const mounts = [{ containerPath: '/dev/termination-log', hostPath: '/var/lib/kubelet/pods/u-1/log', readonly: false }];
  const limits = resources({ memoryLimitInBytes: 1n << 26n });
  const status = containerStatusMessage(
    PARTS,
    container({ init: { mounts }, stopSignal: 3, state: { is: 'Running', startedAtNs: 1n, ...MADE, resources: limits } }),
  );
  assert.deepStrictEqual(
    [status.mounts?.[0]?.containerPath, status.mounts?.[0]?.hostPath],
    ['/dev/termination-log', '/var/lib/kubelet/pods/u-1/log'],
  );
  assert.deepStrictEqual(status.user, { linux: { uid: 1000n, gid: 2000n, supplementalGroups: [2000n, 3000n] } });
  assert.equal(status.resources?.linux, limits);
  assert.equal(status.stopSignal, Signal.SIGNAL_SIGQUIT);
});

test('a filter takes what matches in id prefix, sandbox, state and all labels', () => {
  const matches = (filter: Partial<ContainerFilter>): boolean => containerMatches(container(), { ...NOTHING, ...filter });
  assert.equal(containerMatches(container(), undefined), true);
  assert.deepStrictEqual(
    [
      matches({}),
      matches({ id: 'ccc' }),
      matches({ podSandboxId: SANDBOX_ID }),
      matches({ podSandboxId: '55' }),
      matches({ state: { state: CriState.CONTAINER_RUNNING } }),
      matches({ labelSelector: { app: 'web' } }),
    ],
    Array(6).fill(true),
  );
  assert.deepStrictEqual(
    [
      matches({ id: 'd' }),
      matches({ podSandboxId: '6' }),
      matches({ state: { state: CriState.CONTAINER_EXITED } }),
      matches({ labelSelector: { app: 'web', tier: 'front' } }),
      matches({ id: 'c', podSandboxId: '6' }),
    ],
    Array(5).fill(false),
  );
});
