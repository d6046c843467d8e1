import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { remove } from 'fs-extra/esm';
import { silentLog } from '../../../src/base/log.ts';
import { ObjectStore, resolveId } from '../../../src/base/object-store.ts';
import { RecordStore } from '../../../src/base/record-store.ts';
import { scratchDirectory } from '../../support/scratch.ts';

interface Thing {
  readonly id: string;
  readonly name: string;
}
type ThingState = 'Ready' | 'Stopping';

const A = 'a'.repeat(64);
const B = `ab${'c'.repeat(62)}`;

async function storeIn(t: TestContext) {
  const directory = join(await scratchDirectory(t), 'things');
  const open = async (): Promise<ObjectStore<Thing, ThingState>> => {
    const disk = new RecordStore<Thing, ThingState>({
      directory,
      badDirectory: `${directory}-bad`,
      kind: 'container',
      version: 1,
      readRecord: (data, id) => ({ id: data.at('id').oneOf([id]), name: data.at('name').text() }),
      readState: (data) => data.oneOf(['Ready', 'Stopping']),
      log: silentLog,
    });
    const store = new ObjectStore(disk);
    await store.load();
    return store;
  };
  return { store: await open(), directory, open };
}

test('an object is not seen before its first state, but it holds its name', async (t) => {
  const { store } = await storeIn(t);
  const record = { id: A, name: 'web' };
  await store.begin(record);

  assert.deepStrictEqual(
    { get: store.get(A), byName: store.byName('web'), list: store.list(), prefix: store.idsWithPrefix('a') },
    { get: undefined, byName: undefined, list: [], prefix: [] },
  );
  assert.deepStrictEqual(
    { claims: store.claims(A), creating: store.listCreating(), creatingByName: store.creatingByName('web') },
    { claims: true, creating: [record], creatingByName: record },
  );
  await assert.rejects(store.begin({ id: B, name: 'web' }), { kind: 'AlreadyExists', message: /the name web belongs to a{64}/ });
  assert.equal(store.claims(B), false);
});

test('a finished object is found by id, prefix and name', async (t) => {
  const { store } = await storeIn(t);
  const record = { id: A, name: 'web' };
  await store.begin(record);
  await store.save(A, 'Ready');

  const pair = { record, state: 'Ready' };
  assert.deepStrictEqual([store.get(A), store.byName('web'), store.list()], [pair, pair, [pair]]);
  assert.deepStrictEqual([store.idsWithPrefix('aa'), store.idsWithPrefix(A), store.idsWithPrefix('b')], [[A], [A], []]);
  assert.equal(store.creatingByName('web'), undefined);
});

test('a refused begin() does not take the name from its owner, nor does its undo', async (t) => {
  const { store } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  await assert.rejects(store.begin({ id: B, name: 'web' }), { kind: 'AlreadyExists' });
  await store.remove(B);

  assert.equal(store.byName('web')?.record.id, A);
});

test('begin() that fails on the disk frees the name', async (t) => {
  const { store, directory } = await storeIn(t);
  await mkdir(join(directory, A));
  await assert.rejects(store.begin({ id: A, name: 'web' }), { code: 'EEXIST' });
  assert.equal(store.claims(A), false);
  await store.begin({ id: B, name: 'web' });
});

test('begin() frees the name also where the disk does not let go of what it began', async (t) => {
  const { store, directory } = await storeIn(t);
  await remove(directory);
  await writeFile(directory, 'a file, where the directory was');
  await assert.rejects(store.begin({ id: A, name: 'web' }), { code: 'ENOTDIR' });
  assert.deepStrictEqual([store.claims(A), store.listCreating()], [false, []]);
});

test('remove() frees the name, and may be repeated', async (t) => {
  const { store } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  await store.remove(A);
  await store.remove(A);

  assert.deepStrictEqual([store.get(A), store.byName('web'), store.claims(A)], [undefined, undefined, false]);
  await store.begin({ id: B, name: 'web' });
});

test('a state of an object that was removed meanwhile is refused, and nothing of it comes back', async (t) => {
  const { store } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.remove(A);
  await assert.rejects(store.save(A, 'Ready'), { kind: 'NotFound' });
  assert.deepStrictEqual(store.list(), []);
});

test('a state that cannot be written is not shown, but for one towards the end', async (t) => {
  const { store, directory } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  await remove(join(directory, A));
  await assert.rejects(store.save(A, 'Stopping'), { code: 'ENOENT' });
  assert.equal(store.get(A)?.state, 'Ready');
  await store.saveTowardsEnd(A, 'Stopping');
  assert.equal(store.get(A)?.state, 'Stopping');
  await (
    await store.saveThenShow(A, 'Ready')
  ).shown;
  assert.equal(store.get(A)?.state, 'Ready');
});

test('saveThenShow() shows the state only when it is flushed', async (t) => {
  const { store } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  const { shown } = await store.saveThenShow(A, 'Stopping');
  assert.equal(store.get(A)?.state, 'Ready');
  assert.equal((await shown).state, 'Stopping');
  assert.equal(store.get(A)?.state, 'Stopping');
});

test('a new start finds what the disk has: finished objects, and those that are Creating', async (t) => {
  const { store, open } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  await store.begin({ id: B, name: 'db' });

  const again = await open();
  assert.deepStrictEqual(again.list(), [{ record: { id: A, name: 'web' }, state: 'Ready' }]);
  assert.deepStrictEqual(again.listCreating(), [{ id: B, name: 'db' }]);
  await assert.rejects(again.begin({ id: 'c'.repeat(64), name: 'db' }), { kind: 'AlreadyExists' });
});

for (const [unfinished, finished] of [
  [A, B],
  [B, A],
] as const) {
  // prettier-ignore
  test(`of two objects of one name the finished one has it (${finished.slice(0, 2)})`, async (t) => {
    const { store, directory, open } = await storeIn(t);
    await store.begin({ id: finished, name: 'web' });
    await store.save(finished, 'Ready');
    await mkdir(join(directory, unfinished));
    await writeFile(join(directory, unfinished, 'record.json'), JSON.stringify({ version: 1, data: { id: unfinished, name: 'web' } }));

    const again = await open();
    assert.equal(again.byName('web')?.record.id, finished);
    await again.remove(unfinished);
    assert.equal(again.byName('web')?.record.id, finished);
  });
}

test('resolveId() takes a unique match, and says what is wrong otherwise', () => {
  assert.equal(resolveId([A], 'aa', 'container'), A);
  assert.throws(() => resolveId([], 'aa', 'container'), { kind: 'NotFound', message: 'container aa: not found' });
  assert.throws(() => resolveId([A, B], 'a', 'container'), {
    kind: 'InvalidArgument',
    message: 'container a: 2 ids begin so, must be unique',
  });
  assert.throws(() => resolveId([A], '', 'pod sandbox'), { kind: 'InvalidArgument', message: 'pod sandbox id is empty, must be given' });
});

test('what has happened already is shown even where the disk fails, and the failure is given back', async (t) => {
  const { store, directory } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  assert.equal(await store.showThenSave(A, 'Stopping'), undefined);
  await remove(directory);
  await writeFile(directory, 'no directory');
  const failure = await store.showThenSave(A, 'Ready');
  assert.ok(failure instanceof Error);
  assert.equal(store.get(A)?.state, 'Ready');
  await assert.rejects(store.showThenSave(B, 'Ready'), { kind: 'NotFound' });
  assert.equal(store.get(B), undefined, 'what is not there is not shown');
});

test('a state that is shown first is seen at once, and what is written later comes later', async (t) => {
  for (const later of ['save', 'saveThenShow'] as const) {
    const { store, open } = await storeIn(t);
    await store.begin({ id: A, name: 'web' });
    await store.save(A, 'Ready');
    const shown = [store.showThenSave(A, 'Stopping'), store.showThenSave(A, 'Ready'), store.showThenSave(A, 'Stopping')];
    assert.equal(store.get(A)?.state, 'Stopping');
    await store[later](A, 'Ready');
    assert.deepEqual(await Promise.all(shown), [undefined, undefined, undefined]);
    assert.equal((await open()).get(A)?.state, 'Ready', later);
  }
  const { store, open, directory } = await storeIn(t);
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  void store.showThenSave(A, 'Stopping');
  await store.remove(A);
  assert.equal((await open()).get(A), undefined);
  assert.deepEqual(await readdir(directory), []);
});

test('every change that readers see is told, in order, with the state before', async (t) => {
  const { store } = await storeIn(t);
  const told: unknown[] = [];
  store.onChange(({ record, before, after }) => told.push([record.name, before, after, store.get(record.id)?.state]));
  await store.begin({ id: A, name: 'web' });
  await store.save(A, 'Ready');
  await (
    await store.saveThenShow(A, 'Stopping')
  ).shown;
  await store.remove(A);
  await store.remove(A);
  assert.deepStrictEqual(told, [
    ['web', undefined, 'Ready', 'Ready'],
    ['web', 'Ready', 'Stopping', 'Stopping'],
    ['web', 'Stopping', undefined, undefined],
  ]);
});
