import assert from 'node:assert/strict';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Field } from '../../../src/base/field.ts';
import { silentLog } from '../../../src/base/log.ts';
import { AttachmentRecords } from '../../../src/cni/attachment-records.ts';
import { networkFromList } from '../../../src/cni/network-conf.ts';
import type { TestContext } from 'node:test';
import { remove, writeJson } from 'fs-extra/esm';
import type { AttachmentRecord } from '../../../src/cni/attachment-records.ts';
import type { Log } from '../../../src/base/log.ts';

const RECORD: AttachmentRecord = {
  containerId: 'good',
  pod: { name: 'web', namespace: 'shop', uid: 'u' },
  netnsPath: '/run/x/net',
  ifName: 'eth0',
  network: { ...networkFromList(new Field({ name: 'pods', plugins: [{ type: 'bridge' }] }, '')), readsFolder: false },
  capabilityArgs: { portMappings: [{ hostPort: 1, containerPort: 2, protocol: 'tcp' }] },
  createdAt: '2026-01-01T00:00:00.000Z',
};

async function directory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'records-'));
  t.after(() => remove(dir));
  return dir;
}

test('a record is read back as it was, with and without a result', async (t) => {
  const dir = await directory(t);
  const records = new AttachmentRecords(dir, silentLog);
  await records.load();
  const attached = { ...RECORD, containerId: 'attached', result: { cniVersion: '1.0.0', ips: [] } };
  await records.save(RECORD);
  await records.save(attached);

  const again = new AttachmentRecords(dir, silentLog);
  await again.load();
  assert.deepEqual(again.get('good'), RECORD);
  assert.deepEqual(again.get('attached'), attached);
  await again.remove('good');
  await again.remove('attached');
  await again.remove('never');
  assert.deepEqual(await readdir(dir), []);
});

test('a result without its record is removed, and one that cannot be read leaves the record without', async (t) => {
  const dir = await directory(t);
  const first = new AttachmentRecords(dir, silentLog);
  await first.load();
  await first.save({ ...RECORD, result: { cniVersion: '1.0.0' } });
  await writeFile(join(dir, 'good.result'), '{"cniVers');
  await writeFile(join(dir, 'stray.result'), '{}');

  const again = new AttachmentRecords(dir, silentLog);
  await again.load();
  assert.deepEqual(again.get('good'), RECORD);
  assert.deepEqual((await readdir(dir)).sort(), ['good.json', 'good.result']);
});

test('records that cannot be used are set aside, said once, and stay listed until they are removed', async (t) => {
  const dir = await directory(t);
  const first = new AttachmentRecords(dir, silentLog);
  await first.load();
  await first.save(RECORD);
  await writeFile(join(dir, 'empty.json'), '');
  await writeFile(join(dir, 'newer.json'), '{"version": 2}');
  await writeFile(join(dir, 'torn.json'), '{"version": 1, "cont');
  await writeJson(join(dir, 'other.json'), { version: 1, ...RECORD });
  await writeFile(join(dir, 'good.json.0123456789ab.tmp'), 'half');
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (message) => lines.push(message) };

  const records = new AttachmentRecords(dir, log);
  await records.load();
  assert.deepEqual(records.ids().sort(), ['empty', 'good', 'newer', 'other', 'torn']);
  assert.equal(records.isCorrupt('torn'), true);
  assert.equal(lines.length, 4);
  assert.match(
    lines.find((line) => line.includes('newer')) ?? '',
    /newer\.json cannot be used and is set aside as .*: version: must be 1, is 2$/,
  );
  assert.match(lines.find((line) => line.includes('empty')) ?? '', /the file is empty$/);

  const again = new AttachmentRecords(dir, log);
  await again.load();
  assert.equal(lines.length, 4, 'a record set aside is not said again');
  assert.deepEqual(again.ids().sort(), ['empty', 'good', 'newer', 'other', 'torn']);
  for (const id of again.ids()) await again.remove(id);
  assert.deepEqual(await readdir(dir), []);
});
