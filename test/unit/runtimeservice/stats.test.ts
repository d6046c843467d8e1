import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../../../src/base/call.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { Container } from '../../../src/container/container.ts';
import type { RuntimeServiceParts } from '../../../src/runtimeservice/parts.ts';
import { listContainerStats, streamContainerStats } from '../../../src/runtimeservice/stats.ts';
import { container, MADE } from '../../support/objects.ts';

const [GOOD, BAD, ENDED] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

/** Three containers: one whose writable layer cannot be measured, and one that does not run. */
function world() {
  const warnings: unknown[] = [];
  const call: Call = {
    requestId: 'r',
    hasDeadline: false,
    signal: new AbortController().signal,
    log: { ...silentLog, warn: (_message, fields) => warnings.push(fields) },
  };
  const exited = { is: 'Exited', finishedAtNs: 1n, exitCode: 0, reason: 'Completed', message: '', ...MADE } as const;
  const all = [GOOD, BAD, ENDED].map((id) =>
    container({ id: id as Container['record']['id'], ...(id === ENDED ? { state: exited } : {}) }),
  );
  const usage = {
    ofContainer: async (of: Container) => {
      if (of.record.id === BAD) throw new Error('EIO');
      return { container: of, sample: undefined, writableLayer: { mountpoint: '/layers', usedBytes: 1, inodesUsed: 1 } };
    },
  };
  const parts = { containers: { list: () => all }, usage } as unknown as RuntimeServiceParts;
  return { parts, call, warnings };
}

test('a container whose figures cannot be read is left out of the list with a warning; the others have theirs', async () => {
  const { parts, call, warnings } = world();
  const { stats } = await listContainerStats(parts)({ filter: undefined }, call);
  assert.deepStrictEqual(stats?.map(({ attributes }) => attributes?.id), [GOOD]); // prettier-ignore
  assert.deepStrictEqual(warnings, [{ containerId: BAD, error: 'EIO' }]);
});

test('the stream has the same, one container a message', async () => {
  const { parts, call } = world();
  const sent = await Array.fromAsync(streamContainerStats(parts)({ filter: undefined }, call));
  assert.deepStrictEqual(sent.map(({ containerStats }) => containerStats?.map(({ attributes }) => attributes?.id)), [[GOOD]]); // prettier-ignore
});

test('the list has running containers only, as the filter asks', async () => {
  const { parts, call } = world();
  const ids = async (filter: { id: string; podSandboxId: string; labelSelector: Record<string, string> }) =>
    (await listContainerStats(parts)({ filter }, call)).stats?.map(({ attributes }) => attributes?.id);
  assert.deepStrictEqual(await ids({ id: 'a', podSandboxId: '', labelSelector: {} }), [GOOD]);
  assert.deepStrictEqual(await ids({ id: 'c', podSandboxId: '', labelSelector: {} }), []);
  assert.deepStrictEqual(await ids({ id: '', podSandboxId: '5', labelSelector: { app: 'web' } }), [GOOD]);
  assert.deepStrictEqual(await ids({ id: '', podSandboxId: '6', labelSelector: {} }), []);
  assert.deepStrictEqual(await ids({ id: '', podSandboxId: '', labelSelector: { app: 'db' } }), []);
});
