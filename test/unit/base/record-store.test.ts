import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ensureDir } from 'fs-extra/esm';
import { unlessMissing } from '../../../src/base/errors.ts';
import { silentLog, type Log } from '../../../src/base/log.ts';
import { RecordStore } from '../../../src/base/record-store.ts';
import { scratchDirectory } from '../../support/scratch.ts';

interface Thing {
  readonly id: string;
  readonly size: bigint;
}
interface ThingState {
  readonly is: string;
}

const ID = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

/** A store in a directory of its own, and what it logs as errors. */
async function storeIn(t: TestContext, version = 2) {
  const root = await scratchDirectory(t);
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => errors.push(message) };
  const [directory, badDirectory] = [join(root, 'things'), join(root, 'bad')];
  const store = new RecordStore<Thing, ThingState>({
    directory,
    badDirectory,
    kind: 'container',
    version,
    readRecord: (data, id) => ({ id: data.at('id').oneOf([id]), size: data.at('size').bigint() }),
    readState: (data) => ({ is: data.at('is').text() }),
    log,
  });
  await store.load();
  return { store, directory, badDirectory, errors };
}

/** Puts a file into the directory of the object, as a crash or a person may have left it. */
async function plant(directory: string, id: string, file: string, text: string): Promise<void> {
  await ensureDir(join(directory, id));
  await writeFile(join(directory, id, file), text);
}

test('a record and its state come back as they were; a record alone is Creating', async (t) => {
  const { store, errors } = await storeIn(t);
  await (await store.create({ id: ID, size: 2n ** 60n })).flush();
  await store.saveState(ID, { is: 'Ready' });
  await store.create({ id: OTHER, size: 0n });

  const found = (await store.load()).sort((a, b) => a.record.id.localeCompare(b.record.id));
  assert.deepStrictEqual(found, [
    { record: { id: ID, size: 2n ** 60n }, state: { is: 'Ready' } },
    { record: { id: OTHER, size: 0n }, state: undefined },
  ]);
  assert.deepStrictEqual(errors, []);
});

test('the last state that was saved is the one that is found, flushed or not', async (t) => {
  const { store } = await storeIn(t);
  await store.create({ id: ID, size: 1n });
  await store.saveState(ID, { is: 'Ready' }, { isFirst: true });
  await store.saveState(ID, { is: 'Stopping' }, { durable: false });

  assert.deepStrictEqual((await store.load())[0]?.state, { is: 'Stopping' });
});

test('a removed object is gone with all its files, and may be removed again', async (t) => {
  const { store, directory } = await storeIn(t);
  await store.create({ id: ID, size: 1n });
  await mkdir(join(store.directoryOf(ID), 'persist'));
  await store.remove(ID);
  await store.remove(ID);

  assert.deepStrictEqual(await store.load(), []);
  assert.deepStrictEqual(await readdir(directory), []);
});

test('a directory without a record is the rest of a removal, and goes', async (t) => {
  const { store, directory, errors } = await storeIn(t);
  await plant(directory, ID, 'state.json', '{"version":2,"data":{"is":"Ready"}}');

  assert.deepStrictEqual(await store.load(), []);
  assert.deepStrictEqual(await readdir(directory), []);
  assert.deepStrictEqual(errors, []);
});

const WRONG = [
  ['an empty record', '', /the file is empty/],
  ['a record that was cut off', '{"version":2,"data":{"id":', /not JSON/],
  ['a record without a version', '{"data":{}}', /it has no version/],
  ['a record of a newer daemon', '{"version":3,"data":{}}', /its version is 3, this daemon reads up to 2/],
  [
    'a record of another object',
    `{"version":2,"data":{"id":"${OTHER}","size":{"$int64":"1"}}}`,
    /record\.json: id: must be a{64}, is "b{64}"; set aside as/,
  ],
  ['a record that is only a null', 'null', /it has no version/],
  ['a record without its data', '{"version":2}', /record\.json: must be an object, is missing; set aside as/],
] as const;

for (const [what, text, problem] of WRONG) {
  test(`${what} is set aside with a log line, and the others are read`, async (t) => {
    const { store, directory, badDirectory, errors } = await storeIn(t);
    await store.create({ id: OTHER, size: 1n });
    await plant(directory, ID, 'record.json', text);

    assert.deepStrictEqual(
      (await store.load()).map(({ record }) => record.id),
      [OTHER],
    );
    const [moved] = await readdir(badDirectory);
    assert.match(moved ?? '', new RegExp(`^container-${ID}-`));
    assert.equal(await readFile(join(badDirectory, moved ?? '', 'record.json'), 'utf8'), text);
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? '', problem);
    assert.match(errors[0] ?? '', /its name is free again/);
  });
}

test('a record that cannot be read at all is set aside as well', async (t) => {
  const { store, directory, badDirectory, errors } = await storeIn(t);
  await ensureDir(join(directory, ID, 'record.json'));

  assert.deepStrictEqual(await store.load(), []);
  assert.equal((await readdir(badDirectory)).length, 1);
  assert.match(errors[0] ?? '', /EISDIR/);
});

test('a bad record that cannot be moved away is left out, and does not stop the others', async (t) => {
  const { store, directory, badDirectory, errors } = await storeIn(t);
  await store.create({ id: OTHER, size: 1n });
  await plant(directory, ID, 'record.json', '');
  await writeFile(badDirectory, 'a file, where the directory should be');

  assert.deepStrictEqual(
    (await store.load()).map(({ record }) => record.id),
    [OTHER],
  );
  assert.match(errors[0] ?? '', /cannot be read or moved away/);
});

const OTHER_FIELDS = '{"version":2,"data":{}}';

for (const [what, text] of [
  ['an empty state', ''],
  ['a state that was cut off', '{"version":2,'],
  ['a state of a newer daemon', '{"version":9,"data":{"is":"Ready"}}'],
  ['a state with other fields', OTHER_FIELDS],
] as const) {
  test(`${what} makes the object one that was never finished`, async (t) => {
    const { store, directory, errors } = await storeIn(t);
    await store.create({ id: ID, size: 1n });
    await plant(directory, ID, 'state.json', text);

    assert.deepStrictEqual(await store.load(), [{ record: { id: ID, size: 1n }, state: undefined }]);
    assert.match(errors[0] ?? '', /is taken as never finished/);
    if (text === OTHER_FIELDS) assert.match(errors[0] ?? '', /state\.json: is: must be text, is missing; the container is taken/);
  });
}

test('what an older daemon wrote is read', async (t) => {
  const { store, directory } = await storeIn(t, 3);
  await plant(directory, ID, 'record.json', `{"version":1,"data":{"id":"${ID}","size":{"$int64":"5"}}}`);
  assert.equal((await store.load())[0]?.record.size, 5n);
});

test('other files in the directory are left alone', async (t) => {
  const { store, directory } = await storeIn(t);
  await writeFile(join(directory, 'notes.txt'), 'mine');
  await mkdir(join(directory, 'lost+found'));
  assert.deepStrictEqual(await store.load(), []);
  assert.deepStrictEqual((await readdir(directory)).sort(), ['lost+found', 'notes.txt']);
});

test('an id has one record', async (t) => {
  const { store } = await storeIn(t);
  await store.create({ id: ID, size: 1n });
  await assert.rejects(store.create({ id: ID, size: 2n }), { code: 'EEXIST' });
});

test('a state of an object that is gone is not written', async (t) => {
  const { store, directory } = await storeIn(t);
  await assert.rejects(store.saveState(ID, { is: 'Ready' }), { code: 'ENOENT' });
  assert.equal(await unlessMissing(readdir(join(directory, ID)), undefined), undefined);
});
