import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { SandboxId } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { SandboxParts } from '../../../src/podsandbox/parts.ts';
import { sandboxStore } from '../../../src/podsandbox/sandbox-store.ts';
import { Sandboxes } from '../../../src/podsandbox/sandboxes.ts';
import { sandbox } from '../../support/objects.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const [A, B, C] = [`1${'a'.repeat(63)}`, `2${'b'.repeat(63)}`, `2c${'0'.repeat(62)}`] as [SandboxId, SandboxId, SandboxId];

/** Three sandboxes on disk, C of them parked. Nothing here makes or removes one, so their store is all that is needed. */
async function threeSandboxes(t: TestContext): Promise<Sandboxes> {
  const directory = await scratchDirectory(t);
  const store = sandboxStore({ directory: join(directory, 'sandboxes'), badDirectory: join(directory, 'bad'), log: silentLog });
  const sandboxes = new Sandboxes({ store, log: silentLog } as SandboxParts, { runBudgetMs: 1, parkMs: 1 });
  await sandboxes.store.load();
  for (const id of [A, B, C]) {
    const { record, state } = sandbox({ id, name: id });
    await sandboxes.store.begin(record);
    await sandboxes.store.save(id, id === C ? { ...state, is: 'Parked' } : state);
  }
  return sandboxes;
}

test('a parked sandbox is not seen: not in lists, not by id, and it makes no prefix ambiguous', async (t) => {
  const sandboxes = await threeSandboxes(t);
  assert.deepStrictEqual(sandboxes.list().map(({ record }) => record.id), [A, B]); // prettier-ignore
  assert.equal(sandboxes.get('2').record.id, B);
  assert.equal(sandboxes.find(C), undefined);
  assert.throws(() => sandboxes.get(C), { kind: 'NotFound' });
});

test('a sandbox is named by its id or a unique prefix', async (t) => {
  const sandboxes = await threeSandboxes(t);
  assert.equal(sandboxes.get(A).record.id, A);
  assert.equal(sandboxes.get(A.slice(0, 12)).record.id, A);
  assert.equal(sandboxes.find('f'), undefined);
  assert.throws(() => sandboxes.find(''), { kind: 'InvalidArgument' });
});

test('markStopping() ends readiness for good, of a lost sandbox too', async (t) => {
  const sandboxes = await threeSandboxes(t);
  await sandboxes.markStopping(A);
  await sandboxes.markLost(B, 'its infra process has ended');
  assert.deepStrictEqual([sandboxes.get(A).state.is, sandboxes.get(B).state.is], ['Stopping', 'Lost']);

  await sandboxes.markStopping(B);
  await sandboxes.markLost(A, 'too late');
  assert.deepStrictEqual([sandboxes.get(A).state.is, sandboxes.get(B).state.is], ['Stopping', 'Stopping']);
  await sandboxes.markStopping('f'.repeat(64) as SandboxId);
});

test('stops of one pod are joined, and the next one after its end is a new one', async (t) => {
  const sandboxes = await threeSandboxes(t);
  const first = Promise.withResolvers<undefined>();
  let stops = 0;
  const stop = async (): Promise<void> => {
    stops += 1;
    if (stops === 1) await first.promise;
  };
  const joined = [sandboxes.joinStop(A, stop), sandboxes.joinStop(A, stop)];
  await sandboxes.joinStop(B, async () => undefined);
  assert.equal(stops, 1);
  first.reject(new Error('the plugin says no'));
  for (const each of joined) await assert.rejects(each, /the plugin says no/);

  await sandboxes.joinStop(A, stop);
  assert.equal(stops, 2);
});
