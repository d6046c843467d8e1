import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messages } from '../../../../api/nri/messages.ts';
import type { ContainerUpdate, Init, LinuxResources } from '../../../../api/nri/messages.ts';
import { UpdateResult } from '../../../../src/nri/merge/update-result.ts';

const resultFor = (linuxResources: Init<LinuxResources>): UpdateResult =>
  new UpdateResult(
    messages.UpdateContainerRequest.decode(messages.UpdateContainerRequest.encode({ container: { id: 'c1' }, linuxResources })),
  );
const answer = (...update: readonly Init<ContainerUpdate>[]): { update: ContainerUpdate[] } =>
  messages.UpdateContainerResponse.decode(messages.UpdateContainerResponse.encode({ update }));
const limit = (containerId: string, value: bigint, ignoreFailure = false): Init<ContainerUpdate> => ({
  containerId,
  ignoreFailure,
  linux: { resources: { memory: { limit: { value } } } },
});

test('a container’s own update is the request with what plugins want of it, and the next plugin sees it', () => {
  const result = resultFor({ cpu: { shares: { value: 2n } }, pids: { limit: 7n } });
  assert.equal(result.resources, undefined);
  result.apply(answer(limit('c1', 5n), { containerId: 'c1', linux: { resources: { pids: { limit: 8n } } } }), '10-a');

  const { cpu, memory, pids } = result.resources!;
  assert.deepEqual([cpu!.shares, memory!.limit, pids], [{ value: 2n }, { value: 5n }, { limit: 8n }]);
  assert.deepEqual(result.request!.linuxResources, result.resources);
  assert.deepEqual(result.updates, []);
});

test('updates of others are one for each container, and may fail where all that asked say so', () => {
  const result = resultFor({});
  result.apply(answer(limit('o1', 1n, true), limit('o2', 2n, true)), '10-a');
  result.apply(answer({ containerId: 'o2', linux: { resources: { unified: { a: '1' } } } }), '20-b');

  const [first, second] = result.updates;
  assert.deepEqual([first!.containerId, first!.ignoreFailure, second!.containerId, second!.ignoreFailure], ['o1', true, 'o2', false]);
  const { memory, unified } = second!.linux!.resources!;
  assert.deepEqual([memory!.limit, unified], [{ value: 2n }, { a: '1' }]);
});

test('an update that may fail and contradicts another is left out as a whole, and owns nothing', () => {
  const result = resultFor({});
  result.apply(answer({ containerId: 'o1', linux: { resources: { cpu: { shares: { value: 1n } } } } }), '10-a');
  const both = { memory: { limit: { value: 1n } }, cpu: { shares: { value: 2n } } };
  result.apply(answer({ containerId: 'o1', ignoreFailure: true, linux: { resources: both } }), '20-b');
  result.apply(answer(limit('o1', 3n)), '30-c');

  const { memory, cpu } = result.updates[0]!.linux!.resources!;
  assert.deepEqual([memory!.limit, cpu!.shares], [{ value: 3n }, { value: 1n }]);
});

test('an update that contradicts another fails the call', () => {
  const result = resultFor({});
  result.apply(answer(limit('o1', 1n)), '10-a');

  assert.throws(
    () => {
      result.apply(answer(limit('o1', 1n)), '20-b');
    },
    { kind: 'FailedPrecondition', message: 'NRI plugins 20-b and 10-a both set MemLimit of container o1' },
  );
});

test('a stop has updates of others, and of the container itself no more than of others', () => {
  const result = new UpdateResult(undefined);
  result.apply({ ...answer(limit('o1', 1n)), evict: [{ containerId: 'o2', reason: 'room' }] }, '10-a');

  assert.deepEqual([result.request, result.resources], [undefined, undefined]);
  assert.deepEqual(result.updates.map(({ containerId }) => containerId), ['o1']); // prettier-ignore
  assert.deepEqual(result.evictions, [{ containerId: 'o2', reason: 'room', plugin: '10-a' }]);
});
