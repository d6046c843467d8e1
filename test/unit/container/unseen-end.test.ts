import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerRecord, ContainerState } from '../../../src/container/container.ts';
import { unseenEnd } from '../../../src/container/unseen-end.ts';

const record = { bootId: 'boot-1' } as ContainerRecord;
const HOUR_NS = 3_600_000_000_000n;

function running(startedAtNs: bigint): ContainerState {
  return { is: 'Running', startedAtNs } as ContainerState;
}

test('an end that nobody saw is told as a reboot only where the boot is another', () => {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  assert.deepEqual(
    [unseenEnd(record, running(nowNs), 'boot-1')].map(({ exitCode, reason }) => [exitCode, reason]),
    [[255, 'Unknown']],
  );
  const { exitCode, reason, message, finishedAtNs } = unseenEnd(record, running(1n), 'boot-2');
  assert.deepEqual([exitCode, reason], [255, 'NodeRebooted']);
  assert.equal(message, 'the node was rebooted while it ran (boot id boot-1, now boot-2)');
  assert.ok(finishedAtNs > 1n && finishedAtNs <= nowNs + HOUR_NS, String(finishedAtNs));
});

test('a clock that was set back does not let a container end before it was started', () => {
  const startedAtNs = BigInt(Date.now()) * 1_000_000n + HOUR_NS;
  assert.equal(unseenEnd(record, running(startedAtNs), 'boot-2').finishedAtNs, startedAtNs);
});
