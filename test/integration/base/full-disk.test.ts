import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { hasErrno } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import { ObjectStore } from '../../../src/base/object-store.ts';
import { RecordStore } from '../../../src/base/record-store.ts';
import { mountTmpfs } from '../../../src/linux/mounts.ts';
import { setPropagation } from '../../support/mounts.ts';
import { scratchDirectory } from '../../support/scratch.ts';

interface Thing {
  readonly id: string;
  readonly name: string;
}

const ID = 'a'.repeat(64);

/** A store on a small disk, with an object that is Running. */
async function smallDisk(t: TestContext) {
  const disk = await scratchDirectory(t);
  mountTmpfs(disk, { sizeBytes: 256 * 1024, mode: 0o700 });
  setPropagation(disk, 'private');
  const warnings: string[] = [];
  const open = async (): Promise<ObjectStore<Thing, string>> => {
    const store = new ObjectStore<Thing, string>(
      new RecordStore({
        directory: join(disk, 'things'),
        badDirectory: join(disk, 'bad'),
        kind: 'container',
        version: 1,
        readRecord: (data) => ({ ...(data.object() as unknown as Thing), id: data.at('id').text() }),
        readState: (data) => data.text(),
        log: { ...silentLog, warn: (message) => warnings.push(message) },
      }),
    );
    await store.load();
    return store;
  };
  const store = await open();
  await store.begin({ id: ID, name: 'web' });
  await store.save(ID, 'Running');
  const filler = join(disk, 'filler');
  await assert.rejects(writeFile(filler, Buffer.alloc(1024 * 1024)), (error) => hasErrno(error, 'ENOSPC'));
  const makeReadOnly = async () => execa('mount', ['-o', 'remount,bind,ro', disk]);
  return { store, open, warnings, makeReadOnly, makeRoom: async () => rm(filler) };
}

test('on a full disk an object still comes to its end', async (t) => {
  const { store } = await smallDisk(t);
  await store.saveTowardsEnd(ID, 'Stopping', { durable: false });
  assert.equal(store.get(ID)?.state, 'Stopping');
  const { shown } = await store.saveThenShow(ID, 'Exited');
  await shown;
  assert.equal(store.get(ID)?.state, 'Exited');
  await store.remove(ID);
  assert.deepStrictEqual(store.list(), []);
});

test('on a read-only disk an object still comes to its end, which is told', async (t) => {
  const { store, warnings, makeReadOnly } = await smallDisk(t);
  await makeReadOnly();
  await store.saveTowardsEnd(ID, 'Stopping', { durable: false });
  const { shown } = await store.saveThenShow(ID, 'Exited');
  await shown;
  assert.equal(store.get(ID)?.state, 'Exited');
  assert.deepStrictEqual(
    warnings,
    Array.from({ length: 2 }, () => 'the state of a container could not be written; its end does not wait for that'),
  );
  await assert.rejects(store.save(ID, 'Ready'), { code: 'EROFS' });
});

test('a new start after that finds the state before, whole', async (t) => {
  const { store, open, makeRoom } = await smallDisk(t);
  await store.saveTowardsEnd(ID, 'Stopping');
  await makeRoom();
  assert.equal((await open()).get(ID)?.state, 'Running');
});

test('nothing new begins on a full disk, and its name stays free', async (t) => {
  const { store, makeRoom } = await smallDisk(t);
  const record = { id: 'b'.repeat(64), name: 'db' };
  await assert.rejects(store.begin(record), { code: 'ENOSPC' });
  await assert.rejects(store.save(ID, 'Ready'), { code: 'ENOSPC' });
  assert.deepStrictEqual([store.claims(record.id), store.get(ID)?.state], [false, 'Running']);
  await makeRoom();
  await store.begin(record);
});
